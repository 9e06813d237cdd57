package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

type definition struct {
	Modules map[string]string `json:"modules"`
	Version int               `json:"version"`
	Data    map[string]any    `json:"data"`
	Query   string            `json:"query"`
	Input   string            `json:"input"`
}

// What is measured: a policy with its data, and one input.
type row struct {
	definition
	store    storage.Store
	prepared rego.PreparedEvalQuery
	input    ast.Value
}

func prepare(asked definition) (*row, error) {
	// Values of the tree that is evaluated, so that reading data converts nothing.
	store := inmem.NewFromObjectWithOpts(asked.Data, inmem.OptReturnASTValuesOnRead(true))
	prepared := &row{definition: asked, store: store}
	var err error
	if prepared.prepared, err = prepared.compile(); err != nil {
		return nil, err
	}
	prepared.input, err = ast.ValueFromReader(bytes.NewReader([]byte(asked.Input)))
	return prepared, err
}

// From the text of the modules to a query that is prepared.
func (r *row) compile() (rego.PreparedEvalQuery, error) {
	version := ast.RegoV1
	if r.Version == 0 {
		version = ast.RegoV0
	}
	modules := make(map[string]*ast.Module, len(r.Modules))
	for file, text := range r.Modules {
		module, err := ast.ParseModuleWithOpts(file, text, ast.ParserOptions{RegoVersion: version})
		if err != nil {
			return rego.PreparedEvalQuery{}, err
		}
		modules[file] = module
	}
	compiler := ast.NewCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		return rego.PreparedEvalQuery{}, compiler.Errors
	}
	return rego.New(
		rego.Query(r.Query),
		rego.Compiler(compiler),
		rego.Store(r.store),
		// The value as it is, instead of a conversion to Go's types.
		rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil }),
	).PrepareForEval(context.Background())
}

// One operation of a mode.
func (r *row) operation(mode string) (func() error, error) {
	switch mode {
	case "raw":
		text := []byte(r.Input)
		return func() error {
			input, err := ast.ValueFromReader(bytes.NewReader(text))
			if err == nil {
				_, err = r.evaluate(input)
			}
			return err
		}, nil
	case "parsed":
		return func() error {
			_, err := r.evaluate(r.input)
			return err
		}, nil
	case "compile":
		return func() error {
			_, err := r.compile()
			return err
		}, nil
	}
	return nil, fmt.Errorf("unknown mode %q", mode)
}

func (r *row) evaluate(input ast.Value) (rego.ResultSet, error) {
	return r.prepared.Eval(context.Background(), rego.EvalParsedInput(input))
}

// The document, or null where it is undefined.
func (r *row) result() (json.RawMessage, error) {
	solutions, err := r.evaluate(r.input)
	if err != nil || len(solutions) == 0 {
		return json.RawMessage("null"), err
	}
	value, err := ast.JSON(solutions[0].Expressions[0].Value.(ast.Value))
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}
