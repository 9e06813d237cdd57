//! What Rego v1 asks of rules beyond v0: `if` before bodies, `contains` in partial sets.

use super::super::ast::{Rule, TermKind, Version};
use super::super::lex::Word;
use super::super::source::{ErrorCode, Fault};
use super::keywords::Keywords;

/// What is wrong with a rule and its branches.
pub(super) fn faults(rule: &Rule) -> Vec<Fault> {
    std::iter::once(rule)
        .chain(&rule.otherwise)
        .flat_map(of_one)
        .collect()
}

fn of_one(rule: &Rule) -> impl Iterator<Item = Fault> + use<> {
    let head = &rule.head;
    let sort = if head.arguments.is_empty() {
        "rule"
    } else {
        "function"
    };
    let name = match &head.reference[..] {
        [name] => match &name.kind {
            TermKind::Var(name) => {
                Word::of(name).filter(|&word| Keywords::of(Version::V1).contain(word))
            }
            _ => None,
        },
        _ => None,
    };
    let messages = [
        name.map(|word| format!("{} keyword cannot be used for rule name", word.text())),
        (rule.generated_body && head.generated_value)
            .then(|| format!("{sort} must have value assignment and/or body declaration")),
        (!rule.generated_body && !head.conditional && !rule.default)
            .then(|| format!("`if` keyword is required before {sort} body")),
        (head.is_set() && !head.contains)
            .then(|| "`contains` keyword is required for partial set rules".to_owned()),
    ];
    let span = rule.span;
    messages
        .into_iter()
        .flatten()
        .map(move |message| Fault::new(ErrorCode::Parse, span, message))
}
