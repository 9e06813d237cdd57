//! What a request of OPA's client asks for, and the policies that answer it.
//!
//! A policy has the place `data.<group>.<name>`, and there the newest version in force answers, or the
//! one that `?version=` names. Above it, `data` and `data.<group>` are the objects of what is there. Of
//! an object one part may not be missing because it is locked or broken, so then there is none.

use std::{
    collections::BTreeMap,
    sync::Arc,
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

/// Most policies that one request asks. Each may take its own limit of time, and the request has ten
/// seconds: of the default limit, these are all that can be asked in it at worst, three times over.
pub(super) const MAX_ASKED: usize = 100;

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
            (None, _) if version.is_some() => {
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
        check_count(&entries)?;
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
        let mut timing = Timing::since(question.begin);
        if self.entries.is_empty()
            && let Some(log) = doors.decision_log()
        {
            let path = self.path.logged();
            log.record_nothing(question, path, source.text().as_ref());
        }
        let documents = documents(
            doors,
            question,
            snapshot,
            &self.entries,
            match &self.shape {
                Shape::Part(rest) => rest,
                Shape::Group | Shape::All => &[],
            },
            source,
            &mut timing,
        );
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
        Ok(Found { document, timing })
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

/// The documents of policies that are defined, with their addresses. Each is asked by itself, so that no
/// more is held than one document and what it is put to.
pub(super) async fn documents(
    doors: &Doors,
    question: &Question,
    snapshot: &Snapshot,
    entries: &[Arc<Entry>],
    within: &[Step],
    source: &Arc<Source>,
    timing: &mut Timing,
) -> Result<Vec<(Arc<Entry>, Document)>, Fault> {
    let mut documents = Vec::new();
    let mut room = Document::MAX_WEIGHT;
    for entry in entries {
        let parsed = Arc::new(std::sync::OnceLock::new());
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
        timing.parse += parsed.get().copied().unwrap_or_default();
        timing.evaluate += Duration::from_nanos(decision.duration_ns);
        let document =
            result_of(&decision).map_err(|problem| Fault::of_decision(&decision, problem))?;
        if let Some(document) = document {
            if entries.len() > 1 {
                room = take(room, &document)?;
            }
            documents.push((entry.clone(), document));
        }
    }
    Ok(documents)
}

pub(super) fn check_count(entries: &[Arc<Entry>]) -> Result<(), Fault> {
    if entries.len() > MAX_ASKED {
        let message = format!(
            "{} policies would be asked, and at most {MAX_ASKED} are asked at once: ask for less",
            entries.len()
        );
        return Err(Fault::parameter(message));
    }
    Ok(())
}

/// All together are no larger than what one policy may give.
fn take(room: usize, document: &Document) -> Result<usize, Fault> {
    let left = document
        .written()
        .and_then(|weight| room.checked_sub(weight));
    left.ok_or_else(|| {
        Fault::parameter("the documents of these policies are too large together: ask for less")
    })
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
