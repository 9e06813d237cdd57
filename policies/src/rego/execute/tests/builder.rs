//! Plans that read nearly like Rego.

use crate::rego::{
    builtins::{self, Surroundings},
    execute::{Limits, Question, evaluate},
    plan::ir::*,
    source::Span,
    value::{self, Value},
};

/// Reads JSON.
pub(super) fn json(text: &str) -> Value {
    value::json::read(text).expect("JSON")
}

/// A constant.
pub(super) fn c(text: &str) -> Term {
    Term::Constant(json(text))
}

/// A string.
pub(super) fn s(text: &str) -> Term {
    Term::Constant(Value::from(text))
}

/// A constant set.
pub(super) fn set(text: &str) -> Term {
    let elements = json(text);
    let members = value::elements(&elements)
        .expect("an array")
        .iter()
        .cloned();
    Term::Constant(members.collect::<std::collections::BTreeSet<_>>().into())
}

/// A local.
pub(super) fn l(slot: u32) -> Term {
    Term::Local(Slot(slot))
}

/// `source.path`, with the parts of the path as terms.
pub(super) fn get(source: Term, path: Vec<Term>) -> Term {
    Term::Reference(Box::new(Reference {
        source: Source::Term(source),
        path: path.into(),
    }))
}

/// `input.a.b`
pub(super) fn input(path: &str) -> Term {
    get(Term::Input, path.split('.').map(s).collect())
}

/// A reference through packages and rules.
pub(super) fn through(node: u32, path: Vec<Term>) -> Term {
    Term::Reference(Box::new(Reference {
        source: Source::Node(NodeId(node)),
        path: path.into(),
    }))
}

pub(super) fn rule(rule: u32) -> Term {
    Term::Rule(RuleId(rule))
}

pub(super) fn compare(comparison: Comparison, left: Term, right: Term) -> Term {
    Term::Compare(comparison, Box::new((left, right)))
}

pub(super) fn equal(left: Term, right: Term) -> Term {
    compare(Comparison::Equal, left, right)
}

pub(super) fn operate(operation: Operation, left: Term, right: Term) -> Term {
    Term::Arithmetic(operation, Box::new((left, right)))
}

pub(super) fn builtin(name: &str, arguments: Vec<Term>) -> Term {
    let builtin = builtins::lookup(name).expect("a builtin");
    call(Callee::Builtin(builtin), arguments)
}

pub(super) fn function(rule: u32, arguments: Vec<Term>) -> Term {
    call(Callee::Function(RuleId(rule)), arguments)
}

fn call(callee: Callee, arguments: Vec<Term>) -> Term {
    Term::Call(Box::new(Call {
        callee,
        arguments: arguments.into(),
        span: Span::default(),
    }))
}

pub(super) fn comprehension(head: Head, steps: Vec<StepKind>) -> Term {
    Term::Comprehension(Box::new(Comprehension {
        grouping: None,
        body: block(steps),
        head,
        span: Span::default(),
    }))
}

pub(super) fn block(steps: Vec<StepKind>) -> Block {
    let steps = steps.into_iter().map(|kind| Step {
        kind,
        span: Span::default(),
    });
    Block {
        steps: steps.collect(),
    }
}

pub(super) fn test(term: Term) -> StepKind {
    StepKind::Test(term)
}

pub(super) fn bind(slot: u32, term: Term) -> StepKind {
    StepKind::Bind(Slot(slot), term)
}

pub(super) fn not(steps: Vec<StepKind>) -> StepKind {
    StepKind::Not(Box::new(block(steps)))
}

pub(super) fn to(slot: u32) -> Pattern {
    Pattern::Bind(Slot(slot))
}

/// `some key, value in source`
pub(super) fn each(source: Term, key: Pattern, value: Pattern) -> StepKind {
    find(Source::Term(source), vec![Segment::Any(key)], value)
}

pub(super) fn find(source: Source, path: Vec<Segment>, value: Pattern) -> StepKind {
    StepKind::Find(Box::new(Find {
        source,
        path: path.into(),
        value,
    }))
}

pub(super) fn with(overrides: Vec<Override>, steps: Vec<StepKind>) -> StepKind {
    StepKind::With(Box::new(With {
        overrides: overrides.into(),
        block: block(steps),
    }))
}

/// `value if { steps }`; every definition has eight slots.
pub(super) fn definition(value: Term, steps: Vec<StepKind>) -> Definition {
    Definition {
        slots: 8,
        parameters: Box::default(),
        body: block(steps),
        path: Box::default(),
        member: false,
        value,
        names: Box::default(),
        otherwise: None,
        span: Span::default(),
    }
}

/// `[path] := value if { steps }`
pub(super) fn entry(path: Vec<Term>, value: Term, steps: Vec<StepKind>) -> Definition {
    Definition {
        path: path.into(),
        ..definition(value, steps)
    }
}

impl Definition {
    pub(super) fn takes(mut self, parameters: Vec<Pattern>) -> Self {
        self.parameters = parameters.into();
        self
    }

    pub(super) fn or_else(mut self, definition: Self) -> Self {
        self.otherwise = Some(Box::new(definition));
        self
    }

    pub(super) fn member(mut self) -> Self {
        self.member = true;
        self
    }
}

/// A policy of the package `p`, whose node is 1; its rules' nodes follow.
#[derive(Debug)]
pub(super) struct Policy {
    plan: Plan,
    pub(super) question: Question<'static>,
}

pub(super) fn policy() -> Policy {
    let node = |path: &[&str], children: &[u32]| Node {
        path: path.iter().map(|key| Value::from(*key)).collect(),
        rule: None,
        children: children.iter().map(|child| NodeId(*child)).collect(),
    };
    Policy {
        plan: Plan {
            tree: vec![node(&[], &[1]), node(&["p"], &[])],
            ..Plan::default()
        },
        question: Question {
            input: Value::Undefined,
            data: json("{}"),
            surroundings: Surroundings::default(),
            limits: Limits::default(),
            strict: false,
        },
    }
}

impl Policy {
    /// Adds a rule; the names have to come in order.
    pub(super) fn rule(self, name: &str, kind: RuleKind, definitions: Vec<Definition>) -> Self {
        self.add(name, kind, definitions, None, None)
    }

    pub(super) fn add(
        mut self,
        name: &str,
        kind: RuleKind,
        definitions: Vec<Definition>,
        default: Option<Term>,
        index: Option<Index>,
    ) -> Self {
        let path: Box<[Value]> = [Value::from("p"), Value::from(name)].into();
        let id = |count: usize| u32::try_from(count).expect("few");
        let node = NodeId(id(self.plan.tree.len()));
        self.plan.tree.push(Node {
            path: path.clone(),
            rule: Some(RuleId(id(self.plan.rules.len()))),
            children: Box::default(),
        });
        let package = &mut self.plan.tree[1];
        package.children = package.children.iter().copied().chain([node]).collect();
        self.plan.rules.push(Rule {
            path,
            kind,
            definitions: definitions.into(),
            default: default.map(|value| Fallback {
                slots: 8,
                value,
                span: Span::default(),
            }),
            index,
            keys: 0,
            levels: 1,
        });
        self
    }

    pub(super) fn input(mut self, text: &str) -> Self {
        self.question.input = json(text);
        self
    }

    pub(super) fn data(mut self, text: &str) -> Self {
        self.question.data = json(text);
        self
    }

    pub(super) fn strict(mut self) -> Self {
        self.question.strict = true;
        self
    }

    /// The values of a term for all solutions of the steps, as Rego, or the error.
    pub(super) fn ask(&self, value: Term, steps: Vec<StepKind>) -> String {
        // The plan is put together again for every question, to leave the policy as it is.
        let entry = Entry {
            name: "query".into(),
            slots: 8,
            body: block(steps),
            value,
            conditions: Box::default(),
        };
        let mut question = self.question.clone();
        question.surroundings = Surroundings::new(0, None, 1);
        match evaluate(&self.plan, &entry, question) {
            Ok(values) if values.is_empty() => "undefined".to_owned(),
            Ok(values) => {
                let shown: Vec<String> = values.iter().map(value::text::literal).collect();
                shown.join("; ")
            }
            Err(error) => format!("{}: {error}", error.kind.code()),
        }
    }
}
