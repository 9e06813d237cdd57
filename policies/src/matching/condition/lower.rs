//! From the parser's tree to ours. What has no exact meaning here is refused.

use cel::{
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators},
    parser::{Expression, Parser},
};

use super::{
    IN_REGO, Refusal, operator,
    sense::{check_field, is_never_boolean},
    term::{Comprehension, Function, Operator, Style, Term, Variable},
};
use crate::rego::value::Value;

/// Deepest expression, as the parser counts and as the tree is.
const DEEPEST: u16 = 64;

type Result<T> = std::result::Result<T, Refusal>;

/// Compiles a text.
pub(super) fn compile(text: &str) -> Result<Term> {
    // The parser takes a multiple of its time for each level, before it counts them.
    if brackets(text) > DEEPEST {
        return Err(Refusal::new("the expression is nested too deep", IN_REGO));
    }
    let parser = Parser::new()
        .max_recursion_depth(DEEPEST)
        .enable_optional_syntax(true);
    let parsed = parser.parse(text).map_err(|faults| {
        let first = faults.errors.into_iter().next();
        let reason = first.map_or_else(
            || "the expression is no CEL".to_owned(),
            |fault| {
                let (line, column) = fault.pos;
                let what = fault.msg.lines().next().unwrap_or_default();
                format!("{line}:{column}: {what}")
            },
        );
        Refusal::new(reason, "correct the expression")
    })?;
    let term = Scope::default().lower(&parsed, 0)?;
    if is_never_boolean(&term) {
        return Err(Refusal::new(
            "the expression is neither true nor false",
            "compare it with something",
        ));
    }
    Ok(term)
}

/// How deep brackets stand in each other. Those in texts count as well: nobody writes so many.
fn brackets(text: &str) -> u16 {
    let (mut deepest, mut depth) = (0, 0_u16);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth = depth.saturating_add(1),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The variables of the comprehensions around an expression, the outermost first.
#[derive(Default)]
struct Scope(Vec<String>);

impl Scope {
    fn lower(&mut self, expression: &Expression, depth: u16) -> Result<Term> {
        if depth > 4 * DEEPEST {
            return Err(Refusal::new("the expression is nested too deep", IN_REGO));
        }
        let depth = depth + 1;
        match &expression.expr {
            Expr::Literal(literal) => constant(literal).map(Term::Constant),
            Expr::Ident(name) => self.identifier(name),
            Expr::Select(select) => {
                let operand = self.lower(&select.operand, depth)?;
                let key = Value::from(select.field.as_str());
                if select.test {
                    check_field(&operand, &select.field)?;
                    Ok(Term::Has(Box::new(operand), key))
                } else {
                    member(operand, &select.field)
                }
            }
            Expr::List(list) if list.optional_indices.is_empty() => {
                let elements = list.elements.iter().map(|one| self.lower(one, depth));
                elements.collect::<Result<_>>().map(Term::List)
            }
            Expr::Map(map) => {
                let entries = map.entries.iter().map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) if !entry.optional => Ok([
                        self.lower(&entry.key, depth)?,
                        self.lower(&entry.value, depth)?,
                    ]),
                    _ => Err(Refusal::new(
                        "an entry with `?` cannot be used here",
                        IN_REGO,
                    )),
                });
                entries.collect::<Result<_>>().map(Term::Map)
            }
            Expr::List(_) => Err(Refusal::new(
                "an element with `?` cannot be used here",
                IN_REGO,
            )),
            Expr::Call(call) => self.call(call, depth),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
            Expr::Struct(object) => Err(Refusal::new(
                format!("there is no type `{}`", object.type_name),
                "write a map, such as {\"a\": 1}",
            )),
            Expr::Unspecified => Err(Refusal::new("the expression is empty", "write one")),
        }
    }

    fn identifier(&self, name: &str) -> Result<Term> {
        if let Some(place) = self.0.iter().rposition(|own| own == name) {
            return Ok(Term::Bound(place));
        }
        let variable = match name {
            "object" => Variable::Object,
            "oldObject" => Variable::OldObject,
            "request" => Variable::Request,
            "namespaceObject" => Variable::NamespaceObject,
            "params" => Variable::Params,
            "authorizer" => {
                return Err(Refusal::new(
                    "`authorizer` cannot be used here: nobody is asked while a request waits",
                    "compare `request.userInfo.groups` instead",
                ));
            }
            "variables" => {
                return Err(Refusal::new(
                    "there are no `variables` in a condition",
                    "write the expression out",
                ));
            }
            _ => {
                return Err(Refusal::new(
                    format!("there is no variable `{name}`"),
                    "use object, oldObject, request, namespaceObject or params",
                ));
            }
        };
        Ok(Term::Variable(variable))
    }

    /// The place that a macro extends with a sum. Its name is one that nobody can write.
    fn gathered(&self, name: &str, arguments: &[Expression]) -> Option<usize> {
        match &arguments.first()?.expr {
            Expr::Ident(own) if name == operators::ADD && own.starts_with('@') => {
                self.0.iter().rposition(|bound| bound == own)
            }
            _ => None,
        }
    }

    fn pair(&mut self, pair: &[Expression], depth: u16) -> Result<Box<[Term; 2]>> {
        let [left, right] = pair else {
            return Err(Refusal::new(
                "an operator has two operands",
                "correct the expression",
            ));
        };
        Ok(Box::new([
            self.lower(left, depth)?,
            self.lower(right, depth)?,
        ]))
    }

    fn one(&mut self, arguments: &[Expression], depth: u16) -> Result<Box<Term>> {
        let [one] = arguments else {
            return Err(Refusal::new(
                "an operator has one operand",
                "correct the expression",
            ));
        };
        Ok(Box::new(self.lower(one, depth)?))
    }

    fn call(&mut self, call: &CallExpr, depth: u16) -> Result<Term> {
        let (name, arguments) = (call.func_name.as_str(), call.args.as_slice());
        if call.target.is_none() {
            if let (Some(place), [_, more]) = (self.gathered(name, arguments), arguments) {
                return Ok(Term::Gather(place, Box::new(self.lower(more, depth)?)));
            }
            if let Some(operator) = operation(name) {
                return Ok(Term::Operation(operator, self.pair(arguments, depth)?));
            }
            match name {
                operators::LOGICAL_AND => return Ok(Term::And(self.pair(arguments, depth)?)),
                operators::LOGICAL_OR => return Ok(Term::Or(self.pair(arguments, depth)?)),
                operators::LOGICAL_NOT => return Ok(Term::Not(self.one(arguments, depth)?)),
                operators::NEGATE => return Ok(Term::Negate(self.one(arguments, depth)?)),
                operators::NOT_STRICTLY_FALSE => {
                    return Ok(Term::NotFalse(self.one(arguments, depth)?));
                }
                operators::CONDITIONAL => {
                    let [test, yes, no] = arguments else {
                        return Err(unknown(name, arguments.len()));
                    };
                    let parts = [
                        self.lower(test, depth)?,
                        self.lower(yes, depth)?,
                        self.lower(no, depth)?,
                    ];
                    return Ok(Term::Conditional(Box::new(parts)));
                }
                operators::INDEX => {
                    let [operand, index] = *self.pair(arguments, depth)?;
                    return match &index {
                        Term::Constant(Value::String(key)) => member(operand, key),
                        _ => Ok(Term::Index(Box::new([operand, index]))),
                    };
                }
                operators::OPT_INDEX => {
                    let pair = self.pair(arguments, depth)?;
                    if let Term::Constant(Value::String(key)) = &pair[1] {
                        check_field(&pair[0], key)?;
                    }
                    return Ok(Term::OptionalIndex(pair));
                }
                operators::OPT_SELECT => {
                    let [operand, field] = *self.pair(arguments, depth)?;
                    let Term::Constant(key @ Value::String(_)) = field else {
                        return Err(Refusal::new("`.?` is followed by a name", IN_REGO));
                    };
                    if let Value::String(name) = &key {
                        check_field(&operand, name)?;
                    }
                    return Ok(Term::OptionalSelect(Box::new(operand), key));
                }
                _ => {}
            }
        }
        self.function(call, depth)
    }

    fn function(&mut self, call: &CallExpr, depth: u16) -> Result<Term> {
        let name = call.func_name.as_str();
        let (style, before) = match call.target.as_deref() {
            None => (Style::Global, None),
            Some(Expression {
                expr: Expr::Ident(library),
                ..
            }) if library == "sets" && !self.0.contains(library) => (Style::Sets, None),
            Some(Expression {
                expr: Expr::Ident(library),
                ..
            }) if !self.0.contains(library) && is_library(library) => {
                let reason = format!("`{library}.{name}` cannot be used here");
                return Err(Refusal::new(reason, IN_REGO));
            }
            Some(target) => (Style::Method, Some(target)),
        };
        let arguments = before.into_iter().chain(&call.args);
        let count = arguments.clone().count();
        let function = Function::find(name, style, count);
        if function.is_none() && is_over_two_variables(name) {
            return Err(two_variables());
        }
        let arguments = arguments.map(|one| self.lower(one, depth));
        // What is wrong within comes first: it may be the reason.
        let arguments: Vec<Term> = arguments.collect::<Result<_>>()?;
        let function = function.ok_or_else(|| unknown(name, count))?;
        if let (Function::Matches, Some(Term::Constant(Value::String(pattern)))) =
            (function, arguments.get(1))
            && !operator::is_pattern(pattern)
        {
            let reason = format!("`{pattern}` is no regular expression");
            return Err(Refusal::new(reason, "write it in RE2's syntax"));
        }
        Ok(Term::Call(function, arguments))
    }

    fn comprehension(&mut self, own: &ComprehensionExpr, depth: u16) -> Result<Term> {
        if own.iter_var2.is_some() {
            return Err(two_variables());
        }
        let range = self.lower(&own.iter_range, depth)?;
        let first = self.lower(&own.accu_init, depth)?;
        self.0.push(own.accu_var.clone());
        self.0.push(own.iter_var.clone());
        let goes_on = self.lower(&own.loop_cond, depth)?;
        let step = self.lower(&own.loop_step, depth)?;
        self.0.pop();
        let result = self.lower(&own.result, depth)?;
        self.0.pop();
        Ok(Term::Comprehension(Box::new(Comprehension {
            range,
            first,
            goes_on,
            step,
            result,
        })))
    }
}

fn two_variables() -> Refusal {
    Refusal::new(
        "a comprehension over two variables cannot be used here",
        "use one variable, and look the other up with an index",
    )
}

/// Names before a dot that are no variables.
fn is_library(name: &str) -> bool {
    [
        "cel", "optional", "math", "lists", "strings", "base64", "format", "ip", "cidr",
    ]
    .contains(&name)
}

/// Macros that the parser leaves as they are only where they have two variables.
fn is_over_two_variables(name: &str) -> bool {
    let macros = ["all", "exists", "existsOne", "exists_one"];
    macros.contains(&name) || name.starts_with("transform")
}

fn unknown(name: &str, arguments: usize) -> Refusal {
    let reason = format!("the function `{name}` with {arguments} arguments cannot be used here");
    Refusal::new(reason, IN_REGO)
}

fn operation(name: &str) -> Option<Operator> {
    Some(match name {
        operators::EQUALS => Operator::Equal,
        operators::NOT_EQUALS => Operator::NotEqual,
        operators::LESS => Operator::Less,
        operators::LESS_EQUALS => Operator::LessOrEqual,
        operators::GREATER => Operator::Greater,
        operators::GREATER_EQUALS => Operator::GreaterOrEqual,
        operators::IN => Operator::In,
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Modulo,
        _ => return None,
    })
}

fn constant(literal: &LiteralValue) -> Result<Value> {
    Ok(match literal {
        LiteralValue::Boolean(it) => Value::Bool(*it.inner()),
        LiteralValue::Int(it) => Value::from(*it.inner()),
        LiteralValue::Double(it) => Value::from(*it.inner()),
        LiteralValue::String(it) => Value::from(it.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::UInt(_) => {
            return Err(Refusal::new(
                "unsigned integers cannot be used here",
                "write the number without u",
            ));
        }
        LiteralValue::Bytes(_) => {
            return Err(Refusal::new(
                "bytes cannot be used here",
                "write a string without b",
            ));
        }
    })
}

/// `operand.field`, where that may be looked at.
fn member(operand: Term, field: &str) -> Result<Term> {
    check_field(&operand, field)?;
    Ok(Term::Select(Box::new(operand), Value::from(field)))
}
