//! What a request of OPA's client asks for, and the policies that answer it.
//!
//! A policy has the place `data.<group>.<name>`, and there the newest version in force answers, or the
//! one that `?version=` names. Above it, `data` and `data.<group>` are the objects of what is there. Of
//! an object one part may not be missing because it is locked or broken, so then there is none.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use portcullis_policies::{
    Address, Document, Entry, Interest, Part, Request, Scope, Snapshot, Step, workbench::Kept,
};

use super::{
    answer::Timing,
    body::{Source, unanswered},
    fault::Fault,
    notes,
    path::DataPath,
};
use crate::{
    Doors,
    evaluation::{ask, evaluate::result_of},
    parameters::Parameters,
    problem::Problem,
    question::Question,
};

/// Most evaluations of policies for one request: as many as may wait for one thread. They are asked one
/// after the other, and have the request's time together.
pub(super) const MAX_ASKED: usize = 256;

/// Longest time that is spent on notes. Looking on makes an evaluation some ten times as slow, and most
/// take less than a millisecond.
const LOOKING_ON: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: DataPath,
    pub(super) entries: Vec<Arc<Entry>>,
    shape: Shape,
}

/// What the documents of policies are put together to.
#[derive(Debug)]
enum Shape {
    /// What is at a path in the one there is, if there is one.
    Part(Vec<Step>),
    /// The names of a group.
    Group,
    /// The groups.
    All,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) document: Option<Document>,
    pub(super) timing: Timing,
}

/// Who owns the policies that a request means.
pub(super) fn scope(parameters: &Parameters) -> Scope {
    match parameters.get("namespace") {
        Some(namespace) => Scope::Namespace(namespace.to_owned()),
        None => Scope::Cluster,
    }
}

impl Asked {
    /// Finds the policies of a path.
    pub(super) fn find(
        snapshot: &Snapshot,
        path: DataPath,
        parameters: &Parameters,
        question: &Question,
    ) -> Result<Self, Fault> {
        let (scope, now) = (scope(parameters), question.now());
        let version = parameters.get("version");
        let (entries, shape) = match (path.address(), &path.0[..]) {
            (Some((group, name, rest)), _) => {
                let entry = match version {
                    Some(version) => Address::new(scope, group, name, version)
                        .ok()
                        .and_then(|address| snapshot.find(&address)),
                    None => snapshot.find_in_force(&scope, group, name, now),
                };
                (Vec::from_iter(entry.cloned()), Shape::Part(rest.to_vec()))
            }
            (None, [] | [_]) if version.is_some() => {
                return Err(Fault::parameter(
                    "`version` is of one policy, and the path names none",
                ));
            }
            (None, []) => {
                let all = snapshot.all_in_force(&scope, None, now);
                (all.into_iter().cloned().collect(), Shape::All)
            }
            (None, [Step::Name(group)]) => {
                let all = snapshot.all_in_force(&scope, Some(group), now);
                (all.into_iter().cloned().collect(), Shape::Group)
            }
            (None, _) => (Vec::new(), Shape::Part(Vec::new())),
        };
        check_count(entries.len())?;
        Ok(Self {
            path,
            entries,
            shape,
        })
    }

    /// Whether there is a rule at the path, so that it is undefined for this input only.
    pub(super) fn is_defined(&self) -> bool {
        match (&self.shape, &self.entries[..]) {
            (Shape::Part(rest), [entry]) => entry.policy.defines(rest),
            _ => false,
        }
    }

    /// Asks the policies.
    pub(super) async fn ask(
        &self,
        doors: &Doors,
        question: &Question,
        snapshot: &Snapshot,
        source: &Arc<Source>,
    ) -> Result<Found, Fault> {
        let mut gathering = Gathering::for_request(question);
        if self.entries.is_empty()
            && let Some(log) = doors.decision_log()
        {
            let path = self.path.logged();
            log.record_nothing(question, path, source.text().as_ref());
        }
        let within = match &self.shape {
            Shape::Part(rest) => rest.as_slice(),
            Shape::Group | Shape::All => &[],
        };
        let documents =
            gathering.documents(doors, question, snapshot, &self.entries, within, source);
        let mut documents = documents.await?;
        let document = match &self.shape {
            Shape::Part(rest) => documents.pop().and_then(|(_, document)| document.at(rest)),
            // A group of which nothing is there does not exist.
            Shape::Group if self.entries.is_empty() => None,
            Shape::Group => grouped(documents)
                .into_iter()
                .next()
                .map(|(_, group)| group),
            Shape::All => Some(Document::object(grouped(documents))),
        };
        Ok(Found {
            document,
            timing: gathering.timing,
        })
    }

    /// What the policies note of the path by `trace`: their evaluation once more, while somebody looks
    /// on.
    pub(super) async fn notes(
        &self,
        doors: &Doors,
        question: &Question,
        source: &Arc<Source>,
    ) -> Result<Vec<String>, Fault> {
        let (entries, source) = (self.entries.clone(), source.clone());
        let (request, deadline) = (question.as_it_was(), question.deadline);
        let point = question.point;
        let look_on = move || -> Result<_, Problem> {
            let end = deadline.min(Instant::now() + LOOKING_ON);
            let mut all = Vec::new();
            for entry in &entries {
                let input = source.read(&Interest::of(point, [&**entry]))?;
                let request = Request {
                    budget: end.saturating_duration_since(Instant::now()),
                    ..request.clone()
                };
                let explained =
                    entry
                        .policy
                        .explain(&input, None, Part::Object, &request, Kept::Notes);
                all.extend(explained.ok().map(|explained| explained.explanation));
            }
            Ok(all)
        };
        let evaluators = &doors.settings().evaluators;
        let seen = evaluators.run(question.deadline, look_on).await;
        let seen = seen.map_err(|why| unanswered(why).of(&question.id))??;
        Ok(notes::lines(&self.path, &seen))
    }
}

/// What was gathered for a request, and what it took.
pub(super) struct Gathering {
    pub(super) timing: Timing,
    /// How large further documents may be: all together are no larger than what one policy may give.
    room: usize,
}

impl Gathering {
    pub(super) fn for_request(question: &Question) -> Self {
        Self {
            timing: Timing::since(question.begin),
            room: Document::MAX_WEIGHT,
        }
    }

    /// The documents of policies that are defined, with the policies. Each is asked by itself, so that no
    /// more is held than one document and what it is put to. `within` is what is wanted of it.
    pub(super) async fn documents(
        &mut self,
        doors: &Doors,
        question: &Question,
        snapshot: &Snapshot,
        entries: &[Arc<Entry>],
        within: &[Step],
        source: &Arc<Source>,
    ) -> Result<Vec<(Arc<Entry>, Document)>, Fault> {
        let mut documents = Vec::new();
        for entry in entries {
            let parsed = Arc::new(OnceLock::new());
            let text = doors.decision_log().and_then(|_| source.text());
            let (source, measured) = (source.clone(), parsed.clone());
            let read = move |interest: &Interest<'_>| {
                let begin = Instant::now();
                let input = source.read(interest);
                // It is called once.
                let _ = measured.set(begin.elapsed());
                input
            };
            let decision = ask::about(
                doors,
                question,
                snapshot,
                vec![entry.clone()],
                within,
                text,
                read,
            )
            .await?;
            self.timing.parse += parsed.get().copied().unwrap_or_default();
            self.timing.evaluate += Duration::from_nanos(decision.duration_ns);
            let document =
                result_of(&decision).map_err(|problem| Fault::of_decision(&decision, problem))?;
            if let Some(document) = document {
                self.take(&document)?;
                documents.push((entry.clone(), document));
            }
        }
        Ok(documents)
    }

    fn take(&mut self, document: &Document) -> Result<(), Fault> {
        let left = document
            .written()
            .and_then(|weight| self.room.checked_sub(weight));
        self.room = left.ok_or_else(|| {
            Fault::parameter("the documents of these policies are too large together: ask for less")
        })?;
        Ok(())
    }
}

pub(super) fn check_count(asked: usize) -> Result<(), Fault> {
    if asked > MAX_ASKED {
        let message = format!(
            "policies would be asked {asked} times, and at most {MAX_ASKED} times at once: ask for less"
        );
        return Err(Fault::parameter(message));
    }
    Ok(())
}

/// The documents as members of their groups.
pub(super) fn grouped(documents: Vec<(Arc<Entry>, Document)>) -> BTreeMap<String, Document> {
    let mut groups: BTreeMap<String, Vec<(String, Document)>> = BTreeMap::new();
    for (entry, document) in documents {
        let address = entry.address();
        let group = groups.entry(address.group().to_owned()).or_default();
        group.push((address.name().to_owned(), document));
    }
    groups
        .into_iter()
        .map(|(group, members)| (group, Document::object(members)))
        .collect()
}
