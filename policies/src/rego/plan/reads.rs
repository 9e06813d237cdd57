//! What a plan can look at of the input and of base data.
//!
//! A path that ends in a value that is compared, passed on or put out is looked at whole. A
//! variable that is bound to a place is that place: of `c := input.containers[_]` with `c.image`
//! only the images are looked at. What is not understood is looked at whole, and so is everything
//! where telling the parts apart would cost more than it saves ([`MAX_PATH`], `MAX_WORK`).

use std::collections::{HashMap, HashSet};

use regorus::Value;

use super::index::is_builtin;
use super::ir::{
    Access, Block, Call, Comprehension, Definition, Every, Find, Head, Node, NodeId, Override,
    Pattern, Plan, Reads, RuleId, RuleKind, Segment, Slot, Source, StepKind, Term,
};
use crate::rego::ast::MAX_PATH;
use crate::rego::value;

/// Parts of paths that are told apart, at most, in a whole plan. Each key that is named has to be told
/// what is looked at below every member, so that keys and members multiply; of the policies that
/// people write, none has a thousand.
const MAX_WORK: usize = 500_000;

/// What the plan can look at. `replaced` are the builtin functions that some `with` replaces.
pub(super) fn reads(plan: &Plan, replaced: &HashSet<&'static str>) -> Reads {
    let mut reader = Reader {
        plan,
        plain_get: !replaced.contains("object.get"),
        reads: Reads::default(),
        aliases: aliases(plan),
        slots: HashMap::new(),
        documents: HashSet::new(),
        work: 0,
    };
    for (index, rule) in (0..).zip(&plan.rules) {
        let is_alias = reader.aliases.contains_key(&RuleId(index));
        for definition in &rule.definitions {
            reader.definition(definition, is_alias);
        }
        if let Some(default) = &rule.default {
            reader.slots.clear();
            reader.whole(&default.value);
        }
    }
    for definition in plan.parts.iter().flat_map(|part| &part.rule.definitions) {
        reader.definition(definition, false);
    }
    for entry in &plan.entries {
        reader.slots.clear();
        reader.block(&entry.body);
        reader.whole(&entry.value);
    }
    if reader.work > MAX_WORK {
        reader.reads.input.whole();
        reader.reads.data.whole();
    }
    reader.reads
}

/// A place in the input or in base data.
#[derive(Clone, Debug)]
struct Location {
    is_input: bool,
    path: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Key(Box<str>),
    Each,
}

struct Reader<'a> {
    plan: &'a Plan,
    reads: Reads,
    /// Rules whose value is a place.
    aliases: HashMap<RuleId, Location>,
    slots: HashMap<Slot, Location>,
    /// Calls of `object.get` are what they seem.
    plain_get: bool,
    /// Packages that were looked at whole.
    documents: HashSet<NodeId>,
    /// Parts of paths that were marked.
    work: usize,
}

/// Rules such as `pod := input.review.object`: one definition, at most one solution, whose value is
/// a place.
fn aliases(plan: &Plan) -> HashMap<RuleId, Location> {
    let mut found = HashMap::new();
    for (index, rule) in (0..).zip(&plan.rules) {
        let [definition] = &rule.definitions[..] else {
            continue;
        };
        let plain = rule.kind == RuleKind::Complete
            && rule.default.is_none()
            && definition.otherwise.is_none()
            && definition.body.steps.is_empty();
        if let (true, Term::Reference(reference)) = (plain, &definition.value)
            && let Source::Term(root @ (Term::Input | Term::Data)) = &reference.source
        {
            let mut location = Location {
                is_input: matches!(root, Term::Input),
                path: Vec::new(),
            };
            location.path.extend(reference.path.iter().map(part));
            found.insert(RuleId(index), location);
        }
    }
    found
}

fn part(key: &Term) -> Part {
    match key {
        Term::Constant(Value::String(key)) => Part::Key((&**key).into()),
        // An index, or what is known only at run time.
        _ => Part::Each,
    }
}

impl Reader<'_> {
    fn definition(&mut self, definition: &Definition, is_alias: bool) {
        self.slots.clear();
        for parameter in &definition.parameters {
            self.pattern(parameter, None);
        }
        self.block(&definition.body);
        definition.path.iter().for_each(|key| self.whole(key));
        if is_alias {
            let _ = self.locate(&definition.value);
        } else {
            self.whole(&definition.value);
        }
        if let Some(otherwise) = &definition.otherwise {
            self.definition(otherwise, false);
        }
    }

    fn block(&mut self, block: &Block) {
        for step in &block.steps {
            self.step(&step.kind);
        }
    }

    fn step(&mut self, step: &StepKind) {
        match step {
            StepKind::Test(term) => self.whole(term),
            StepKind::Bind(slot, term) => {
                let location = self.locate(term);
                self.bind(*slot, location);
            }
            StepKind::Match(pattern, term) => {
                let location = self.locate(term);
                self.pattern(pattern, location);
            }
            StepKind::Find(find) => self.find(find),
            StepKind::Walk(walk) => {
                self.whole(&walk.root);
                self.pattern(&walk.output, None);
            }
            StepKind::Not(block) | StepKind::Exists(block) => self.block(block),
            StepKind::Either(blocks) => blocks.iter().for_each(|block| self.block(block)),
            StepKind::Every(every) => self.every(every),
            StepKind::With(with) => {
                for replacement in &with.overrides {
                    self.replacement(replacement);
                }
                self.block(&with.block);
            }
        }
    }

    fn every(&mut self, every: &Every) {
        let member = self.locate(&every.domain).map(|mut location| {
            location.path.push(Part::Each);
            location
        });
        if let Some(member) = &member {
            self.look(member, false);
        }
        self.pattern(&every.key, None);
        self.pattern(&every.value, member);
        self.block(&every.body);
    }

    fn replacement(&mut self, replacement: &Override) {
        match replacement {
            Override::Input(path, term) | Override::Data(path, term) => {
                // What is beside the place stays.
                let location = Location {
                    is_input: matches!(replacement, Override::Input(..)),
                    path: path
                        .iter()
                        .map(|key| part(&Term::Constant(key.clone())))
                        .collect(),
                };
                self.look(&location, false);
                self.whole(term);
            }
            Override::Value(_, term) => self.whole(term),
            Override::Callee(..) => {}
        }
    }

    fn find(&mut self, find: &Find) {
        let mut location = match &find.source {
            Source::Term(term) => self.locate(term),
            Source::Part(_) => None,
            Source::Node(node) => {
                self.document(*node);
                None
            }
        };
        for segment in &find.path {
            let next = match segment {
                Segment::Key(key) => {
                    self.whole(key);
                    part(key)
                }
                Segment::Any(pattern) => {
                    self.pattern(pattern, None);
                    Part::Each
                }
            };
            if let Some(location) = &mut location {
                location.path.push(next);
            }
        }
        if let Some(location) = &location {
            self.look(location, false);
        }
        self.pattern(&find.value, location);
    }

    fn bind(&mut self, slot: Slot, location: Option<Location>) {
        if let Some(location) = &location
            && location.path.len() > MAX_PATH
        {
            self.look(location, true);
            self.slots.remove(&slot);
            return;
        }
        match location {
            Some(location) => self.slots.insert(slot, location),
            None => self.slots.remove(&slot),
        };
    }

    /// What a pattern looks at of the value at a place; of any other value, all was looked at.
    fn pattern(&mut self, pattern: &Pattern, location: Option<Location>) {
        match pattern {
            Pattern::Any => {}
            Pattern::Bind(slot) => self.bind(*slot, location),
            Pattern::Equal(term) => {
                self.whole(term);
                self.look_whole(location.as_ref());
            }
            Pattern::Array(patterns) => {
                self.look_whole(location.as_ref());
                patterns
                    .iter()
                    .for_each(|pattern| self.pattern(pattern, None));
            }
            Pattern::Object(pairs) => {
                self.look_whole(location.as_ref());
                for (key, pattern) in pairs {
                    self.whole(key);
                    self.pattern(pattern, None);
                }
            }
        }
    }

    /// The place that a term is, of which only the existence is looked at so far. Any other term is
    /// looked at whole.
    fn locate(&mut self, term: &Term) -> Option<Location> {
        let location = match term {
            Term::Input => Location {
                is_input: true,
                path: Vec::new(),
            },
            Term::Data => Location {
                is_input: false,
                path: Vec::new(),
            },
            Term::Local(slot) => return self.slots.get(slot).cloned(),
            Term::Rule(rule) => return self.aliases.get(rule).cloned(),
            Term::Reference(reference) => {
                let source = match &reference.source {
                    Source::Term(term) => self.locate(term),
                    Source::Part(_) => None,
                    Source::Node(node) => {
                        self.document(*node);
                        None
                    }
                };
                reference.path.iter().for_each(|key| self.whole(key));
                let mut location = source?;
                location.path.extend(reference.path.iter().map(part));
                location
            }
            Term::Call(call) => return self.get(call),
            _ => {
                self.parts(term);
                return None;
            }
        };
        self.look(&location, false);
        Some(location)
    }

    /// All of a term is looked at.
    fn whole(&mut self, term: &Term) {
        let location = self.locate(term);
        self.look_whole(location.as_ref());
    }

    fn look_whole(&mut self, location: Option<&Location>) {
        if let Some(location) = location {
            self.look(location, true);
        }
    }

    fn look(&mut self, location: &Location, whole: bool) {
        if self.work > MAX_WORK {
            return;
        }
        let access = if location.is_input {
            &mut self.reads.input
        } else {
            &mut self.reads.data
        };
        match location.path.get(..MAX_PATH) {
            // What lies that deep is not told apart.
            Some(path) => mark(access, path, true, &mut self.work),
            None => mark(access, &location.path, whole, &mut self.work),
        }
    }

    /// `object.get(place, "key", default)` looks at the key only; of the arguments of other calls,
    /// all is looked at.
    fn get(&mut self, call: &Call) -> Option<Location> {
        let [object, Term::Constant(key), default] = &call.arguments[..] else {
            call.arguments
                .iter()
                .for_each(|argument| self.whole(argument));
            return None;
        };
        let keys = match key {
            Value::String(key) => vec![Part::Key((&**key).into())],
            other => match value::elements(other) {
                Some(keys) => keys
                    .iter()
                    .map(|key| part(&Term::Constant(key.clone())))
                    .collect(),
                None => vec![Part::Each],
            },
        };
        if !self.plain_get || !is_builtin(call.callee, "object.get") {
            call.arguments
                .iter()
                .for_each(|argument| self.whole(argument));
            return None;
        }
        if let Some(mut location) = self.locate(object) {
            location.path.extend(keys);
            self.look(&location, true);
        }
        self.whole(default);
        None
    }

    fn parts(&mut self, term: &Term) {
        match term {
            Term::Constant(_)
            | Term::Local(_)
            | Term::Input
            | Term::Data
            | Term::Rule(_)
            | Term::Reference(_)
            | Term::Call(_) => {}
            Term::Document(node) => self.document(*node),
            Term::Compare(_, terms) | Term::Arithmetic(_, terms) | Term::Member(terms) => {
                self.whole(&terms.0);
                self.whole(&terms.1);
            }
            Term::MemberWithKey(terms) => {
                self.whole(&terms.0);
                self.whole(&terms.1);
                self.whole(&terms.2);
            }
            Term::Array(terms) | Term::Set(terms) => terms.iter().for_each(|term| self.whole(term)),
            Term::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                self.whole(key);
                self.whole(value);
            }),
            Term::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn comprehension(&mut self, comprehension: &Comprehension) {
        self.solutions(&comprehension.body, &comprehension.head);
        if let Some(grouping) = &comprehension.grouping {
            self.solutions(&grouping.body, &grouping.head);
        }
    }

    fn solutions(&mut self, body: &Block, head: &Head) {
        self.block(body);
        match head {
            Head::Array(term) | Head::Set(term) => self.whole(term),
            Head::Object(key, value) => {
                self.whole(key);
                self.whole(value);
            }
        }
    }

    /// A package: base data there, and the values of its rules, are looked at whole.
    fn document(&mut self, node: NodeId) {
        if !self.documents.insert(node) {
            return;
        }
        let plan = self.plan;
        let Node {
            path,
            rule,
            children,
        } = &plan.tree[node.index()];
        let location = Location {
            is_input: false,
            path: path
                .iter()
                .map(|key| part(&Term::Constant(key.clone())))
                .collect(),
        };
        self.look(&location, true);
        if let Some(rule) = rule {
            let alias = self.aliases.get(rule).cloned();
            self.look_whole(alias.as_ref());
        }
        for &child in children {
            self.document(child);
        }
    }
}

/// How many parts are told apart.
fn size(access: &Access) -> usize {
    match access {
        Access::All => 1,
        Access::Parts { keys, each } => {
            let below = keys.values().chain(each.as_deref()).map(size);
            1 + below.sum::<usize>()
        }
    }
}

fn mark(access: &mut Access, path: &[Part], whole: bool, work: &mut usize) {
    *work += 1;
    if let (
        Some((Part::Key(key), _)),
        Access::Parts {
            keys,
            each: Some(each),
        },
    ) = (path.split_first(), &*access)
        && !keys.contains_key(key)
    {
        // What is looked at below every member is copied for the key.
        *work += size(each);
    }
    match path.split_first() {
        None if whole => access.whole(),
        None => {}
        Some((Part::Key(key), rest)) => mark(access.key(key), rest, whole, work),
        Some((Part::Each, rest)) => access.each(|below| {
            if *work <= MAX_WORK {
                mark(below, rest, whole, work);
            }
        }),
    }
}
