//! Names to variables and references, nested calls to conditions of their own.
//!
//! ```text
//! modules ─┬─ tree: which definitions are where below `data`
//!          ├─ names: what a module's imports and rules are called
//!          └─ each rule ─ definition ─ body ─┬─ term ─ calls
//!                                            └─ modifiers (`with`)
//! ```
//!
//! The result is the [`Program`] of [`core`]. OPA does the same in a dozen rewriting
//! stages; here a definition is walked once, in the order in which OPA's stages see its names, so
//! that `x := x + 1` is the same error.

mod body;
mod calls;
mod definition;
mod metadata;
mod modifiers;
mod names;
mod query;
mod scope;
mod term;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use regorus::Value;

use super::ast::{self, Name, TermKind};
use super::check::signatures;
use super::core::{self, Expr, ExprKind, NodeId, Program, Tree};
use super::findings::{Findings, Stage};
use super::source::Span;
use names::{Names, declared};
pub(crate) use names::{walk, walk_expr};
use scope::Scopes;

/// How a policy is resolved.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// Imports and variables that nobody uses are findings.
    pub strict: bool,
    /// `print` prints. Otherwise it is left out, arguments and all.
    pub print: bool,
}

/// What is to be asked of the modules, and is resolved along with them.
#[derive(Clone, Debug)]
pub struct Question {
    name: String,
    asked: Asked,
}

#[derive(Clone, Debug)]
enum Asked {
    /// Conditions; every solution gives an object of the variables.
    Body(Vec<ast::Expr>),
    /// Conditions whose values are asked for too, and what their names mean.
    Conditions(Vec<ast::Expr>, Option<ast::Module>),
    /// The document at a path below `data`.
    Path(Vec<String>),
}

impl Question {
    /// Asks for all solutions of a query. Each is an object of the values of its variables.
    pub fn query(name: impl Into<String>, body: Vec<ast::Expr>) -> Self {
        Self {
            name: name.into(),
            asked: Asked::Body(body),
        }
    }

    /// Asks for all solutions of a query, as `opa eval` does. Each is an object of the values of its
    /// variables, and of its conditions under the names that [`value_name`] gives. Names have the
    /// meaning that they have in `module`: its imports, and the rules of its package.
    pub fn conditions(
        name: impl Into<String>,
        body: Vec<ast::Expr>,
        module: Option<ast::Module>,
    ) -> Self {
        Self {
            name: name.into(),
            asked: Asked::Conditions(body, module),
        }
    }

    /// Asks for the document at a path below `data`.
    pub fn path(path: &[impl AsRef<str>]) -> Self {
        let path: Vec<String> = path.iter().map(|part| part.as_ref().to_owned()).collect();
        Self {
            name: format!("data.{}", path.join(".")),
            asked: Asked::Path(path),
        }
    }
}

/// The name under which a solution has the value of a condition, by its place in the query. No
/// variable is called like that.
pub fn value_name(condition: usize) -> String {
    format!("={condition}")
}

/// Resolves modules and queries.
pub fn resolve(
    modules: &[ast::Module],
    questions: &[Question],
    mode: Mode,
    findings: &mut Findings,
) -> Program {
    let mut program = Program {
        tree: tree(modules),
        ..Program::default()
    };
    let metadata = metadata::Metadata::new(modules, findings);
    let mut rules: HashMap<&[Name], HashSet<Name>> = HashMap::new();
    for module in modules {
        let exported = rules.entry(&module.package.path).or_default();
        exported.extend(module.rules.iter().filter_map(rule_name).cloned());
    }
    let rules: HashMap<&[Name], Rc<HashSet<Name>>> = rules
        .into_iter()
        .map(|(path, names)| (path, Rc::new(names)))
        .collect();

    for (index, module) in modules.iter().enumerate() {
        let names = Names::new(module, rules[&module.package.path[..]].clone());
        for (position, rule) in module.rules.iter().enumerate() {
            let mut context = Context {
                tree: &program.tree,
                names: &names,
                metadata: &metadata,
                mode,
                findings,
                module: index,
                rule: Some(position),
                branch: 0,
                stand_ins: &mut program.stand_ins,
            };
            let definition = definition::definition(&mut context, rule);
            let prefix = ground(&definition.reference[..definition.ground]);
            let node = program.tree.make(&prefix);
            let place = program.definitions.len();
            program.tree.node_mut(node).definitions.push(place);
            program.definitions.push(definition);
        }
        if mode.strict {
            let mut unused: Vec<_> = names.unused().collect();
            unused.sort_by_key(|import| import.span.start);
            for import in unused {
                let message = format!("{} unused", import.text);
                findings.compile(Stage::UnusedImports, import.span, message);
            }
        }
        program.modules.push(core::Module {
            package: names.package,
            span: module.package.span,
            version: module.version,
        });
    }
    for question in questions {
        let names = match &question.asked {
            Asked::Conditions(_, Some(module)) => {
                let rules = rules.get(&module.package.path[..]);
                Names::new(module, rules.cloned().unwrap_or_default())
            }
            _ => Names::empty(),
        };
        let mut context = Context {
            tree: &program.tree,
            names: &names,
            metadata: &metadata,
            mode: Mode {
                strict: false,
                ..mode
            },
            findings,
            module: 0,
            rule: None,
            branch: 0,
            stand_ins: &mut Vec::new(),
        };
        let query = query::query(&mut context, question);
        program.queries.push(query);
    }
    program
}

/// What one definition is resolved with.
struct Context<'a> {
    tree: &'a Tree,
    names: &'a Names,
    metadata: &'a metadata::Metadata<'a>,
    mode: Mode,
    findings: &'a mut Findings,
    module: usize,
    /// The place of the rule in its module; of a query, none.
    rule: Option<usize>,
    /// The `else` branch, counted from one.
    branch: usize,
    /// Rules that some `with` puts in the place of a function.
    stand_ins: &'a mut Vec<(NodeId, Span)>,
}

/// Resolves one definition or query.
struct Resolver<'c, 'a> {
    context: &'c mut Context<'a>,
    scopes: Scopes,
    /// Names that mean nothing of the module here.
    hidden: Vec<HashSet<Name>>,
    /// Names of builtin functions that are variables here.
    shadowed: HashSet<Name>,
    /// A condition that is `true` is one all the same.
    keeps_true: bool,
}

impl<'c, 'a> Resolver<'c, 'a> {
    fn new(context: &'c mut Context<'a>) -> Self {
        Self {
            context,
            scopes: Scopes::default(),
            hidden: Vec::new(),
            shadowed: HashSet::new(),
            keeps_true: false,
        }
    }

    /// The path that a name of the module stands for here.
    fn global(&self, name: &Name) -> Option<Rc<names::Global>> {
        if self.hidden.iter().any(|names| names.contains(name)) {
            return None;
        }
        self.context.names.find(name)
    }

    fn compile(&mut self, stage: Stage, span: Span, message: impl Into<String>) {
        self.context.findings.compile(stage, span, message);
    }

    /// Reports variables that nobody uses.
    fn unused(&mut self, names: Vec<(Name, scope::Occurrence)>, span: Span) {
        for (name, occurrence) in names {
            let how = match occurrence {
                scope::Occurrence::Assigned if !self.context.mode.strict => continue,
                scope::Occurrence::Assigned => "assigned",
                _ => "declared",
            };
            if name.starts_with(ast::WILDCARD) {
                continue;
            }
            // Never the last error: later stages run all the same.
            let message = format!("{how} var {name} unused");
            self.compile(Stage::UnusedImports, span, message);
        }
    }
}

/// Where the definitions are, before they are resolved: calls need to know what is a function.
fn tree(modules: &[ast::Module]) -> Tree {
    let mut tree = Tree::default();
    for module in modules {
        let package: Vec<Value> = module
            .package
            .path
            .iter()
            .cloned()
            .map(Value::String)
            .collect();
        let node = tree.make(&package);
        tree.node_mut(node).package = true;
        for rule in &module.rules {
            let mut path = package.clone();
            path.extend(rule_name(rule).cloned().map(Value::String));
            let rest = rule.head.reference.iter().skip(1);
            path.extend(rest.map_while(|part| term::scalar(&part.kind)));
            let node = tree.make(&path);
            let arity = rule.head.arguments.len();
            let node = tree.node_mut(node);
            // Where definitions differ, OPA counts the first one's.
            if !node.defined {
                node.arity = arity;
            }
            node.defined = true;
        }
    }
    tree
}

fn rule_name(rule: &ast::Rule) -> Option<&Name> {
    match &rule.head.reference.first()?.kind {
        TermKind::Var(name) | TermKind::String(name) => Some(name),
        _ => None,
    }
}

fn ground(reference: &[core::Term]) -> Vec<Value> {
    let constant = |term: &core::Term| match &term.kind {
        core::TermKind::Constant(value) => Some(value.clone()),
        _ => None,
    };
    reference.iter().map_while(constant).collect()
}

/// `left = right`, made by the compiler.
fn unify(left: core::Term, right: core::Term) -> Expr {
    Expr {
        span: right.span,
        kind: ExprKind::Unify {
            left,
            right,
            assignment: false,
        },
        negated: false,
        with: None,
    }
}

fn variable(var: core::Var, span: Span) -> core::Term {
    core::Term {
        kind: core::TermKind::Var(var),
        span,
    }
}

/// The signature of the builtin function of that path.
fn signatures_of(head: &str, path: &[&str]) -> Option<&'static signatures::Signature> {
    let mut name = head.to_owned();
    for part in path {
        name.push('.');
        name.push_str(part);
    }
    signatures::find(&name)
}

/// What a path of names calls.
enum Operator {
    Builtin(&'static signatures::Signature),
    Function(NodeId),
}
