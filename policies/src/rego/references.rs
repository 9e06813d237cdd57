//! What a module's rules are called and what they refer to, read from regorus's syntax tree.

use regorus::unstable::{
    Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleAssign, RuleHead, Span,
};

/// A path from a root: `["data", "platform", "labels", "deny"]`. It ends where a part of a
/// reference is not a constant.
pub(super) type Path = Vec<String>;

/// A rule with what its head and bodies refer to.
pub(super) struct Definition {
    /// The rule's path below its package: `["deny"]`, `["roles", "admin"]`.
    pub(super) name: Path,
    pub(super) is_function: bool,
    pub(super) span: Span,
    pub(super) uses: Vec<Use>,
    /// The squares of the numbers of statements in its bodies: what ordering them takes.
    pub(super) cost: u64,
}

/// A reference or a call, as it is written.
pub(super) struct Use {
    pub(super) path: Path,
    /// The number of arguments, where it is a call.
    pub(super) arguments: Option<usize>,
    pub(super) span: Span,
}

/// The package of a module: `["platform", "labels"]`.
pub(super) fn package(module: &Module) -> Path {
    static_path(&module.package.refr).unwrap_or_default()
}

/// Imports as (name in the module, path).
pub(super) fn imports(module: &Module) -> Vec<(String, Path)> {
    module
        .imports
        .iter()
        .filter_map(|import| {
            let path = static_path(&import.refr)?;
            let name = match &import.r#as {
                Some(alias) => alias.text().to_owned(),
                None => path.last()?.clone(),
            };
            Some((name, path))
        })
        .collect()
}

/// The rules of a module.
pub(super) fn definitions(module: &Module) -> Vec<Definition> {
    module.policy.iter().map(|rule| definition(rule)).collect()
}

fn definition(rule: &Rule) -> Definition {
    let mut walk = Walk::default();
    let (head, is_function, span) = match rule {
        Rule::Default {
            refr,
            args,
            value,
            span,
            ..
        } => {
            walk.expression(value);
            (refr, !args.is_empty(), span)
        }
        Rule::Spec { head, bodies, span } => {
            let (refr, is_function) = walk.head(head);
            for body in bodies {
                walk.assignment(body.assign.as_ref());
                walk.query(&body.query);
            }
            (refr, is_function, span)
        }
    };
    walk.indices(head);
    let arguments = argument_names(rule);
    // A call is never one of an argument, and `data` and `input` mean the documents all the same.
    walk.uses.retain(|used| {
        used.arguments.is_some()
            || used
                .path
                .first()
                .is_none_or(|name| is_root(name) || !arguments.contains(name))
    });
    Definition {
        name: prefix(head).0,
        is_function,
        span: span.clone(),
        uses: walk.uses,
        cost: walk.cost,
    }
}

/// Variables in the arguments of a function. They hide rules of the same name in all of it.
fn argument_names(rule: &Rule) -> Vec<String> {
    let (Rule::Default { args, .. }
    | Rule::Spec {
        head: RuleHead::Func { args, .. },
        ..
    }) = rule
    else {
        return Vec::new();
    };
    let mut walk = Walk::default();
    args.iter().for_each(|argument| walk.expression(argument));
    let variables = walk
        .uses
        .into_iter()
        .filter(|used| used.arguments.is_none() && used.path.len() == 1);
    variables.flat_map(|used| used.path).collect()
}

/// Whether a name begins a path of the documents, whatever else it is.
pub(super) fn is_root(name: &str) -> bool {
    name == "data" || name == "input"
}

/// Gathers references, in the order of the source.
#[derive(Default)]
struct Walk {
    uses: Vec<Use>,
    cost: u64,
}

impl Walk {
    fn head<'a>(&mut self, head: &'a RuleHead) -> (&'a Ref<Expr>, bool) {
        match head {
            RuleHead::Compr { refr, assign, .. } => {
                self.assignment(assign.as_ref());
                (refr, false)
            }
            RuleHead::Set { refr, key, .. } => {
                key.iter().for_each(|key| self.expression(key));
                (refr, false)
            }
            RuleHead::Func {
                refr, args, assign, ..
            } => {
                args.iter().for_each(|argument| self.expression(argument));
                self.assignment(assign.as_ref());
                (refr, true)
            }
        }
    }

    fn assignment(&mut self, assignment: Option<&RuleAssign>) {
        if let Some(assignment) = assignment {
            self.expression(&assignment.value);
        }
    }

    fn query(&mut self, query: &Query) {
        let statements = query.stmts.len() as u64;
        self.cost = self.cost.saturating_add(statements * statements);
        query
            .stmts
            .iter()
            .for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn {
                key,
                value,
                collection,
                ..
            } => {
                key.iter().for_each(|key| self.expression(key));
                self.expression(value);
                self.expression(collection);
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expression(expr),
            Literal::Every { domain, query, .. } => {
                self.expression(domain);
                self.query(query);
            }
        }
        for modifier in &statement.with_mods {
            self.expression(&modifier.refr);
            self.expression(&modifier.r#as);
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { span, .. } => {
                self.uses.push(Use {
                    path: vec![span.text().to_owned()],
                    arguments: None,
                    span: span.clone(),
                });
            }
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expression),
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.expression(item));
            }
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expression(key);
                    self.expression(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expression(term);
                self.query(query);
            }
            Expr::ObjectCompr {
                key, value, query, ..
            } => {
                self.expression(key);
                self.expression(value);
                self.query(query);
            }
            Expr::Call { fcn, params, .. } => {
                let (path, root) = prefix(fcn);
                self.uses.push(Use {
                    path,
                    arguments: Some(params.len()),
                    // The call's own span begins at its parenthesis.
                    span: root.span().clone(),
                });
                params
                    .iter()
                    .for_each(|parameter| self.expression(parameter));
            }
            Expr::UnaryExpr { expr, .. } => self.expression(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expression(lhs);
                self.expression(rhs);
            }
            Expr::Membership {
                key,
                value,
                collection,
                ..
            } => {
                key.iter().for_each(|key| self.expression(key));
                self.expression(value);
                self.expression(collection);
            }
        }
    }

    /// A reference: its constant part, and what its other indices refer to.
    fn reference(&mut self, expression: &Expr) {
        let (path, root) = prefix(expression);
        if path.is_empty() {
            // `f(x).y`, `[1, 2][i]`: the root is an expression of its own.
            self.expression(root);
        } else {
            self.uses.push(Use {
                path,
                arguments: None,
                span: expression.span().clone(),
            });
        }
        self.indices(expression);
    }

    /// What the indices of a reference refer to.
    fn indices(&mut self, mut expression: &Expr) {
        loop {
            expression = match expression {
                Expr::RefDot { refr, .. } => refr,
                Expr::RefBrack { refr, index, .. } => {
                    self.expression(index);
                    refr
                }
                _ => return,
            };
        }
    }
}

/// The constant part of a reference that begins with a variable, and the root. The path is empty
/// where the root is no variable.
fn prefix(expression: &Expr) -> (Path, &Expr) {
    let mut parts: Vec<Option<String>> = Vec::new();
    let mut root = expression;
    loop {
        root = match root {
            Expr::RefDot { refr, field, .. } => {
                parts.push(Some(field.0.text().to_owned()));
                refr
            }
            Expr::RefBrack { refr, index, .. } => {
                parts.push(match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => {
                        value.as_string().ok().map(ToString::to_string)
                    }
                    _ => None,
                });
                refr
            }
            Expr::Var { span, .. } => {
                parts.push(Some(span.text().to_owned()));
                break;
            }
            _ => return (Vec::new(), root),
        };
    }
    (
        parts.into_iter().rev().map_while(|part| part).collect(),
        root,
    )
}

/// A reference of constants only.
fn static_path(expression: &Expr) -> Option<Path> {
    let mut length = 1;
    let mut root = expression;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = root {
        length += 1;
        root = refr;
    }
    let (path, _) = prefix(expression);
    (path.len() == length).then_some(path)
}
