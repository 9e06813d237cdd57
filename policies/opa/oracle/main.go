// The oracle answers what OPA makes of policies: one request a line in, one answer a line out, both
// in JSON and in the same order. It stays up, so that a case costs no process.
//
// Time is fixed and there is no network, so that the same request has the same answer.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// request is one set of modules with what is asked of it.
type request struct {
	ID uint64 `json:"id"`
	// Version is v0 or v1.
	Version string `json:"version"`
	// Modules are sources by the name of their file.
	Modules map[string]string `json:"modules"`
	Queries []string          `json:"queries"`
	// Inputs are the documents for each of which all queries are evaluated; null stands for none.
	Inputs []json.RawMessage `json:"inputs"`
	Data   json.RawMessage   `json:"data"`
	// Strict compiles strictly, StrictErrors makes errors of builtins errors.
	Strict       bool `json:"strict"`
	StrictErrors bool `json:"strict_errors"`
	// Timeout is for one evaluation, in milliseconds.
	Timeout int `json:"timeout"`
}

// response has either the errors of compiling or the answers: for each query, one an input.
type response struct {
	ID      uint64         `json:"id"`
	Errors  []compileError `json:"errors,omitempty"`
	Answers [][]answer     `json:"answers,omitempty"`
	// Panic is set if OPA panicked.
	Panic string `json:"panic,omitempty"`
}

type compileError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// answer has either the code of an error or the solutions, each an object of bindings.
type answer struct {
	Code      string            `json:"code,omitempty"`
	Message   string            `json:"message,omitempty"`
	Solutions []json.RawMessage `json:"solutions"`
	// Text has the solutions as Rego.
	Text []string `json:"text,omitempty"`
	// Unindexed is the code of the error that there is when all rules are evaluated: OPA's index
	// and its early exits spare some, and with them their errors.
	Unindexed string `json:"unindexed,omitempty"`
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(output)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var one request
		result := response{}
		if err := json.Unmarshal(line, &one); err != nil {
			result.Panic = "the request is no JSON: " + err.Error()
		} else {
			result = guarded(one)
		}
		if err := encoder.Encode(result); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// Those who wait for an answer get it; while there are more requests, they are gathered.
		if lines.Buffered() == 0 {
			if output.Flush() != nil {
				return
			}
		}
	}
}

func guarded(one request) (result response) {
	defer func() {
		if reason := recover(); reason != nil {
			result = response{ID: one.ID, Panic: fmt.Sprint(reason)}
		}
	}()
	return handle(one)
}

func handle(one request) response {
	result := response{ID: one.ID}
	version := ast.RegoV1
	if one.Version == "v0" {
		version = ast.RegoV0
	}
	options := ast.ParserOptions{RegoVersion: version, ProcessAnnotation: true}
	names := make([]string, 0, len(one.Modules))
	for name := range one.Modules {
		names = append(names, name)
	}
	sort.Strings(names)
	modules := map[string]*ast.Module{}
	for _, name := range names {
		module, err := ast.ParseModuleWithOpts(name, one.Modules[name], options)
		if err != nil {
			result.Errors = compileErrors(err)
			return result
		}
		modules[name] = module
	}

	ctx := context.Background()
	store, err := inmemStore(one.Data)
	if err != nil {
		result.Panic = err.Error()
		return result
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		result.Panic = err.Error()
		return result
	}
	defer store.Abort(ctx, txn)
	compiler := ast.NewCompiler().
		WithStrict(one.Strict).
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn)).
		WithDefaultRegoVersion(version)
	compiler.Compile(modules)
	if compiler.Failed() {
		result.Errors = compileErrors(compiler.Errors)
		return result
	}
	for _, text := range one.Queries {
		body, err := ast.ParseBodyWithOpts(text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			result.Errors = compileErrors(err)
			return result
		}
		query := compiler.QueryCompiler()
		compiled, err := query.Compile(body)
		if err != nil {
			result.Errors = compileErrors(err)
			return result
		}
		var answers []answer
		for _, input := range one.Inputs {
			prepare := func() *topdown.Query {
				return topdown.NewQuery(compiled).
					WithQueryCompiler(query).
					WithCompiler(compiler).
					WithStore(store).
					WithTransaction(txn).
					WithStrictBuiltinErrors(one.StrictErrors).
					WithTime(time.Unix(0, 1_750_000_000_000_000_000))
			}
			found := evaluate(ctx, prepare(), query, input, one.Timeout)
			if found.Code == "" {
				all := prepare().WithIndexing(false).WithEarlyExit(false)
				found.Unindexed = evaluate(ctx, all, query, input, one.Timeout).Code
			}
			answers = append(answers, found)
		}
		result.Answers = append(result.Answers, answers)
	}
	return result
}

func inmemStore(data json.RawMessage) (storage.Store, error) {
	if len(data) == 0 {
		return inmem.New(), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("the data is no object: %w", err)
	}
	return inmem.NewFromObject(document), nil
}

func evaluate(
	ctx context.Context,
	prepared *topdown.Query,
	query ast.QueryCompiler,
	input json.RawMessage,
	timeout int,
) answer {
	if len(input) > 0 && !bytes.Equal(input, []byte("null")) {
		value, err := ast.ValueFromReader(bytes.NewReader(input))
		if err != nil {
			return answer{Code: "input", Message: err.Error()}
		}
		prepared = prepared.WithInput(ast.NewTerm(value))
	}
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(time.Duration(timeout)*time.Millisecond, cancel.Cancel)
	defer timer.Stop()
	results, err := prepared.WithCancel(cancel).Run(ctx)
	if err != nil {
		var failure *topdown.Error
		if errors.As(err, &failure) {
			return answer{Code: failure.Code, Message: failure.Message}
		}
		return answer{Code: "other", Message: err.Error()}
	}
	rewritten := query.RewrittenVars()
	found := answer{Solutions: []json.RawMessage{}}
	for _, result := range results {
		bindings := ast.NewObject()
		for name, term := range result {
			if before, ok := rewritten[name]; ok {
				name = before
			}
			if name.IsGenerated() || name.IsWildcard() {
				continue
			}
			bindings.Insert(ast.StringTerm(string(name)), term)
		}
		found.Solutions = append(found.Solutions, tagged(bindings))
		found.Text = append(found.Text, bindings.String())
	}
	return found
}

// tagged writes a value so that nothing of it is lost: a set is {"set": […]} and an object is
// {"object": [[key, value], …]}; everything else is what it is in JSON.
func tagged(value ast.Value) json.RawMessage {
	var text bytes.Buffer
	writeTagged(&text, value)
	return text.Bytes()
}

func writeTagged(text *bytes.Buffer, value ast.Value) {
	separator := ""
	one := func(term *ast.Term) {
		text.WriteString(separator)
		separator = ","
		writeTagged(text, term.Value)
	}
	switch value := value.(type) {
	case *ast.Array:
		text.WriteByte('[')
		value.Foreach(one)
		text.WriteByte(']')
	case ast.Set:
		text.WriteString(`{"set":[`)
		value.Foreach(one)
		text.WriteString("]}")
	case ast.Object:
		text.WriteString(`{"object":[`)
		value.Foreach(func(key, member *ast.Term) {
			text.WriteString(separator)
			separator = ""
			text.WriteByte('[')
			one(key)
			one(member)
			text.WriteByte(']')
			separator = ","
		})
		text.WriteString("]}")
	case ast.Number:
		// As text, since not all that OPA computes is a number of JSON.
		text.WriteString(`{"number":`)
		writeJSON(text, string(value))
		text.WriteByte('}')
	case ast.String:
		writeJSON(text, string(value))
	case ast.Boolean:
		writeJSON(text, bool(value))
	case ast.Null:
		text.WriteString("null")
	default:
		text.WriteString(`{"term":`)
		writeJSON(text, value.String())
		text.WriteByte('}')
	}
}

func writeJSON(text *bytes.Buffer, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	text.Write(encoded)
}

func compileErrors(err error) []compileError {
	var several ast.Errors
	var found []compileError
	if !errors.As(err, &several) {
		var one *ast.Error
		if !errors.As(err, &one) {
			// Of queries, not all errors are of OPA's kind.
			return []compileError{{Code: ast.ParseErr, Message: err.Error()}}
		}
		several = ast.Errors{one}
	}
	for _, one := range several {
		fault := compileError{Code: one.Code, Message: one.Message}
		if one.Location != nil {
			fault.File = one.Location.File
			fault.Line = one.Location.Row
			fault.Column = one.Location.Col
		}
		found = append(found, fault)
	}
	return found
}
