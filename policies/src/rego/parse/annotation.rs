//! `# METADATA` blocks: which comments they are, and what they are about.
//!
//! ```text
//! # METADATA
//! # title: Deny privileged containers
//! # scope: document
//! deny contains …
//! ```
//!
//! A block is the comments at the beginnings of successive lines, and YAML. Without a scope it is
//! about the statement below it.

mod document;

use std::collections::HashMap;

use super::super::ast::{Annotation, AnnotationScope, Module, Name, Rule, Term, TermKind};
use super::super::lex::Comment;
use super::super::source::{ErrorCode, Fault, Span};
use super::cursor::Parser;

/// What an annotation can stand above.
#[derive(Clone, Copy)]
enum Target {
    Package,
    Import,
    /// The index of a rule.
    Rule(usize),
}

/// Reads the blocks of a module and gives them to what they are about; what is wrong with them.
pub(super) fn attach(module: &mut Module, parser: &Parser<'_>, package: Span) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut annotations = Vec::new();
    let mut targets = vec![(package.start, Target::Package)];
    targets.extend(
        module
            .imports
            .iter()
            .map(|import| (import.span.start, Target::Import)),
    );
    let rules = module.rules.iter().enumerate();
    targets.extend(rules.map(|(at, rule)| (rule.span.start, Target::Rule(at))));
    for block in blocks(&parser.comments, parser.source) {
        let span = parser.span(block[0].start, block[block.len() - 1].end);
        let text = yaml(&block[1..], parser.source);
        let read = document::read(&text);
        // Statements begin in the order of the source.
        let below = targets.partition_point(|&(start, _)| start < span.end);
        let target = targets.get(below).map(|&(_, target)| target);
        match read.and_then(|document| scoped(document, target)) {
            Ok((scope, document)) => {
                let end = parser.span(span.end, span.end);
                annotations.push((
                    Annotation {
                        scope,
                        document,
                        span,
                        end,
                    },
                    target,
                ));
            }
            Err(message) => faults.push(Fault::new(ErrorCode::Parse, span, message)),
        }
    }
    give(&mut module.rules, &annotations);
    module.annotations = annotations
        .into_iter()
        .map(|(annotation, _)| annotation)
        .collect();
    faults
}

/// The comments of each block; the first one is the headline.
fn blocks<'c>(comments: &'c [Comment], source: &str) -> Vec<&'c [Comment]> {
    let is_headline =
        |comment: &Comment| comment.alone && text(comment, source).trim().starts_with("METADATA");
    let mut blocks = Vec::new();
    let mut rest = comments;
    while let Some(first) = rest.iter().position(is_headline) {
        rest = &rest[first..];
        let more = rest.windows(2).position(|pair| {
            !pair[1].alone || pair[1].line != pair[0].line + 1 || is_headline(&pair[1])
        });
        let (block, after) = rest.split_at(more.map_or(rest.len(), |more| more + 1));
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// A comment without its `#`.
fn text<'s>(comment: &Comment, source: &'s str) -> &'s str {
    source
        .get(comment.start as usize + 1..comment.end as usize)
        .unwrap_or("")
}

fn yaml(comments: &[Comment], source: &str) -> String {
    let mut yaml = String::new();
    for comment in comments {
        let line = text(comment, source).trim_end_matches('\r');
        yaml.push_str(line.strip_prefix(' ').unwrap_or(line));
        yaml.push('\n');
    }
    yaml
}

/// The scope that is written, or that follows from what the block stands above.
fn scoped(
    mut document: serde_json::Value,
    target: Option<Target>,
) -> Result<(AnnotationScope, serde_json::Value), String> {
    let entrypoint = document.get("entrypoint").is_some();
    let written = document
        .get("scope")
        .and_then(|scope| scope.as_str())
        .unwrap_or("")
        .to_owned();
    let name = match (written.as_str(), target) {
        ("", Some(Target::Rule(_))) if entrypoint => "document",
        ("", Some(Target::Rule(_))) => "rule",
        ("", Some(Target::Package)) => "package",
        ("", Some(Target::Import)) => "import",
        (written, _) => written,
    };
    let (scope, wants) = match name {
        "rule" => (AnnotationScope::Rule, "rule"),
        "document" => (AnnotationScope::Document, "rule"),
        "package" => (AnnotationScope::Package, "package"),
        "subpackages" => (AnnotationScope::Subpackages, "package"),
        _ => {
            return Err(format!(
                "invalid annotation scope '{name}'. Use one of 'rule', 'document', 'package', or 'subpackages'"
            ));
        }
    };
    let has = match target {
        Some(Target::Rule(_)) => "rule",
        Some(Target::Package) => "package",
        Some(Target::Import) => "import",
        None => "nothing",
    };
    if has != wants {
        let message = format!("annotation scope '{name}' must be applied to {wants} (have {has})");
        return Err(message);
    }
    if entrypoint && !matches!(scope, AnnotationScope::Document | AnnotationScope::Package) {
        return Err(format!(
            "annotation entrypoint applied to non-document or package scope '{name}'"
        ));
    }
    if let Some(fields) = document.as_object_mut() {
        fields.insert("scope".to_owned(), name.into());
    }
    Ok((scope, document))
}

/// Annotations of the same path.
#[derive(Default)]
struct Group {
    documents: Vec<usize>,
    /// Of rules, in the order of the source, and how many of them are above the current rule.
    rules: Vec<usize>,
    passed: usize,
    /// Of rules that are above the current rule and that no rule between has taken.
    pending: Vec<usize>,
}

/// Gives each rule the indices of its annotations: those of its document, and the one above it.
fn give(rules: &mut [Rule], annotations: &[(Annotation, Option<Target>)]) {
    let mut groups: HashMap<Vec<Name>, Group> = HashMap::new();
    for (at, (annotation, target)) in annotations.iter().enumerate() {
        let Some(Target::Rule(rule)) = target else {
            continue;
        };
        let group = groups.entry(ground_path(&rules[*rule])).or_default();
        match annotation.scope {
            AnnotationScope::Document => group.documents.push(at),
            AnnotationScope::Rule => group.rules.push(at),
            AnnotationScope::Package | AnnotationScope::Subpackages => {}
        }
    }
    if groups.is_empty() {
        return;
    }
    for rule in rules {
        let Some(group) = groups.get_mut(&ground_path(rule)) else {
            continue;
        };
        while let Some(&next) = group.rules.get(group.passed)
            && annotations[next].0.span.start < rule.span.start
        {
            group.pending.push(next);
            group.passed += 1;
        }
        rule.annotations = group
            .documents
            .iter()
            .chain(&group.pending)
            .copied()
            .collect();
        rule.annotations.sort_unstable();
        group.pending.pop();
    }
}

/// The beginning of a rule's reference without variables.
fn ground_path(rule: &Rule) -> Vec<Name> {
    let path = rule.head.reference.iter().enumerate();
    let ground = path.take_while(|(at, term)| *at == 0 || term.is_ground());
    ground.map(|(_, term)| part(term)).collect()
}

fn part(term: &Term) -> Name {
    match &term.kind {
        TermKind::Var(name) | TermKind::String(name) => name.clone(),
        kind => Name::from(format!("{kind:?}")),
    }
}
