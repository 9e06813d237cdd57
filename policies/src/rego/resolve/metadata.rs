//! `rego.metadata.rule()` and `rego.metadata.chain()`: constants, read from the annotations.

use std::cell::RefCell;
use std::collections::HashMap;

use regorus::{Value, value::Object};

use super::term::scalar;
use super::{Context, rule_name};
use crate::rego::ast::{self, Annotation, AnnotationScope};
use crate::rego::findings::{Findings, Stage};

/// The annotations of all modules.
pub(super) struct Metadata<'a> {
    modules: &'a [ast::Module],
    /// Of all rules of one name, by their place below `data`.
    documents: HashMap<Vec<String>, &'a Annotation>,
    packages: HashMap<Vec<String>, &'a Annotation>,
    subpackages: HashMap<Vec<String>, &'a Annotation>,
    /// What was asked for, by rule, branch, and whether it is the chain: built once, however often
    /// it is asked for.
    built: RefCell<HashMap<(usize, usize, usize, bool), Value>>,
    /// The values of annotations, which chains share.
    values: RefCell<HashMap<*const Annotation, Value>>,
}

impl<'a> Metadata<'a> {
    pub(super) fn new(modules: &'a [ast::Module], findings: &mut Findings) -> Self {
        let mut metadata = Self {
            modules,
            documents: HashMap::new(),
            packages: HashMap::new(),
            subpackages: HashMap::new(),
            built: RefCell::default(),
            values: RefCell::default(),
        };
        for module in modules {
            let package = text(&package(module));
            for annotation in &module.annotations {
                let place = match annotation.scope {
                    AnnotationScope::Package => &mut metadata.packages,
                    AnnotationScope::Subpackages => &mut metadata.subpackages,
                    AnnotationScope::Rule | AnnotationScope::Document => continue,
                };
                once(
                    place.insert(package.clone(), annotation),
                    annotation,
                    findings,
                );
            }
            for rule in &module.rules {
                for &index in &rule.annotations {
                    let annotation = &module.annotations[index];
                    if annotation.scope == AnnotationScope::Document {
                        let path = text(&path(module, rule));
                        let before = metadata.documents.insert(path, annotation);
                        // One block may stand for several rules that a chain of bodies makes.
                        if before.is_some_and(|before| !std::ptr::eq(before, annotation)) {
                            once(before, annotation, findings);
                        }
                    }
                }
            }
        }
        metadata
    }
}

fn once(before: Option<&Annotation>, annotation: &Annotation, findings: &mut Findings) {
    if before.is_some() {
        let message = "annotation redeclared";
        findings.kind(Stage::Templates, annotation.span, message);
    }
}

impl Context<'_> {
    /// The value of `rego.metadata.rule()` or `rego.metadata.chain()` here.
    pub(super) fn metadata(&self, chain: bool) -> Option<Value> {
        let position = self.rule?;
        let place = (self.module, position, self.branch, chain);
        let mut built = self.metadata.built.borrow_mut();
        let value = built
            .entry(place)
            .or_insert_with(|| self.build_metadata(position, chain));
        Some(value.clone())
    }

    fn build_metadata(&self, position: usize, chain: bool) -> Value {
        let module = &self.metadata.modules[self.module];
        let rule = &module.rules[position];
        let rule = match self.branch.checked_sub(1) {
            Some(branch) => &rule.otherwise[branch],
            None => rule,
        };
        let mut own: Vec<&Annotation> = rule
            .annotations
            .iter()
            .map(|&index| &module.annotations[index])
            .filter(|annotation| annotation.scope == AnnotationScope::Rule)
            .collect();
        own.sort_by_key(|annotation| annotation.span.start);
        if !chain {
            let first = own
                .first()
                .map(|annotation| self.metadata.value(annotation));
            return first.unwrap_or_else(Value::new_object);
        }
        let here = path(module, rule);
        let package = package(module);
        let metadata = self.metadata;
        let mut links = Vec::new();
        if own.is_empty() {
            links.push(metadata.link(&here, None));
        }
        links.extend(
            own.iter()
                .rev()
                .map(|annotation| metadata.link(&here, Some(annotation))),
        );
        if let Some(annotation) = metadata.documents.get(&text(&here)) {
            links.push(metadata.link(&here, Some(annotation)));
        }
        if let Some(annotation) = metadata.packages.get(&text(&package)) {
            links.push(metadata.link(&package, Some(annotation)));
        }
        for length in (0..=package.len()).rev() {
            let above = &package[..length];
            if let Some(annotation) = metadata.subpackages.get(&text(above)) {
                links.push(metadata.link(above, Some(annotation)));
            }
        }
        Value::from(links)
    }
}

impl Metadata<'_> {
    fn link(&self, path: &[Value], annotation: Option<&Annotation>) -> Value {
        let mut link = Object::from_iter([(Value::from("path"), Value::from(path.to_vec()))]);
        if let Some(annotation) = annotation {
            link.insert(Value::from("annotations"), self.value(annotation));
        }
        link.into_value()
    }

    fn value(&self, annotation: &Annotation) -> Value {
        let mut values = self.values.borrow_mut();
        let value = values.entry(std::ptr::from_ref(annotation));
        value
            .or_insert_with(|| Value::from(annotation.document.clone()))
            .clone()
    }
}

fn package(module: &ast::Module) -> Vec<Value> {
    module
        .package
        .path
        .iter()
        .cloned()
        .map(Value::String)
        .collect()
}

/// The constant part of a rule's place.
fn path(module: &ast::Module, rule: &ast::Rule) -> Vec<Value> {
    let mut path = package(module);
    path.extend(rule_name(rule).cloned().map(Value::String));
    let rest = rule.head.reference.iter().skip(1);
    path.extend(rest.map_while(|part| scalar(&part.kind)));
    path
}

fn text(path: &[Value]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}
