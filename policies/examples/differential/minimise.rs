//! The smallest case that still shows a difference.
//!
//! Sources are made smaller as text: modules, lines, ranges of tokens and brackets are dropped for
//! as long as both sides keep answering with the kinds of answers that they gave. Nothing has to be
//! known of the grammar for it, and sources that are not Rego can be made smaller too.

use anyhow::Result;

use crate::case::{Case, Comparison, Difference, compare};
use crate::oracle::Oracle;
use crate::ours;
use crate::tokens;

/// Candidates that are asked at once.
const BATCH: usize = 24;

/// The most candidates for one difference: enough for some 2,000 tokens.
const CANDIDATES: usize = 6_000;

/// The smallest case found, with its difference.
pub(crate) fn minimise(
    oracle: &mut Oracle,
    case: Case,
    difference: Difference,
) -> Result<(Case, Difference)> {
    let mut best = Smallest {
        oracle,
        case,
        difference,
        left: CANDIDATES,
    };
    best.focus()?;
    loop {
        let before = best.size();
        best.once()?;
        if best.size() >= before || best.left == 0 {
            return Ok((best.case, best.difference));
        }
    }
}

struct Smallest<'o> {
    oracle: &'o mut Oracle,
    case: Case,
    difference: Difference,
    left: usize,
}

impl Smallest<'_> {
    fn size(&self) -> usize {
        let case = &self.case;
        let texts = case.modules.iter().chain(&case.inputs).chain(&case.queries);
        texts.map(String::len).sum::<usize>() + case.data.len()
    }

    /// Tries candidates; the first that shows the difference becomes the case.
    fn attempt(&mut self, mut candidates: Vec<Case>) -> Result<bool> {
        // Not every part of a document is a document.
        candidates.retain(|case| case.data.starts_with('{') && case.request(0).is_ok());
        for batch in candidates.chunks(BATCH) {
            self.left = self.left.saturating_sub(batch.len());
            if self.left == 0 {
                return Ok(false);
            }
            self.oracle.ask(batch)?;
            let ours: Vec<_> = batch.iter().map(ours::verdict).collect();
            let theirs = self.oracle.answers(batch)?;
            for ((case, ours), theirs) in batch.iter().zip(&ours).zip(&theirs) {
                let found = compare(case, ours, theirs)
                    .into_iter()
                    .find_map(|one| match one {
                        Comparison::Different(found) | Comparison::OtherCodes(found)
                            if found.kinds == self.difference.kinds =>
                        {
                            Some(found)
                        }
                        _ => None,
                    });
                if let Some(found) = found {
                    self.case = case.clone();
                    self.difference = found;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn changed(&self, change: impl FnOnce(&mut Case)) -> Case {
        let mut case = self.case.clone();
        change(&mut case);
        case
    }

    /// One query and one input are enough.
    fn focus(&mut self) -> Result<()> {
        let [query, input] = self.difference.place.unwrap_or_default();
        let candidate = self.changed(|case| {
            case.queries = case.queries.get(query).cloned().into_iter().collect();
            case.inputs = case.inputs.get(input).cloned().into_iter().collect();
        });
        self.attempt(vec![candidate]).map(|_| ())
    }

    fn once(&mut self) -> Result<()> {
        self.settings()?;
        let mut index = 0;
        while index < self.case.modules.len() {
            let dropped = self.changed(|case| drop(case.modules.remove(index)));
            if !self.attempt(vec![dropped])? {
                index += 1;
            }
        }
        for index in 0..self.case.modules.len() {
            self.lines(index)?;
            self.shrink(&|case| &mut case.modules[index])?;
        }
        for index in 0..self.case.queries.len() {
            self.shrink(&|case| &mut case.queries[index])?;
        }
        for index in 0..self.case.inputs.len() {
            self.shrink(&|case| &mut case.inputs[index])?;
        }
        self.shrink(&|case| &mut case.data)
    }

    fn settings(&mut self) -> Result<()> {
        let candidates = [
            self.changed(|case| case.strict = false),
            self.changed(|case| case.strict_errors = false),
            self.changed(|case| "{}".clone_into(&mut case.data)),
            self.changed(|case| case.inputs.truncate(1)),
            self.changed(|case| case.queries = vec!["true".to_owned()]),
            self.changed(|case| {
                for input in &mut case.inputs {
                    "{}".clone_into(input);
                }
            }),
        ];
        for candidate in candidates {
            self.attempt(vec![candidate])?;
        }
        let mut index = 0;
        while index < self.case.queries.len() {
            let dropped = self.changed(|case| drop(case.queries.remove(index)));
            if !self.attempt(vec![dropped])? {
                index += 1;
            }
        }
        Ok(())
    }

    fn lines(&mut self, index: usize) -> Result<()> {
        let mut span = self.case.modules[index].lines().count().max(1);
        while span > 0 {
            let mut start = 0;
            while start < self.case.modules[index].lines().count() {
                let candidate = self.changed(|case| {
                    let lines = case.modules[index].lines().enumerate();
                    let kept = lines.filter(|(at, _)| !(start..start + span).contains(at));
                    let kept: Vec<&str> = kept.map(|(_, line)| line).collect();
                    case.modules[index] = kept.join("\n");
                });
                if !self.attempt(vec![candidate])? {
                    start += span;
                }
            }
            span /= 2;
        }
        Ok(())
    }

    /// Makes one text smaller by its tokens.
    fn shrink(&mut self, text: &dyn Fn(&mut Case) -> &mut String) -> Result<()> {
        let mut at = 0;
        loop {
            let mut copy = self.case.clone();
            let source = text(&mut copy).clone();
            let tokens = tokens::split(&source);
            if at >= tokens.len() {
                return Ok(());
            }
            let candidates: Vec<Case> = smaller(&tokens, at)
                .into_iter()
                .filter(|candidate| candidate.len() < source.len())
                .map(|candidate| self.changed(|case| *text(case) = candidate))
                .collect();
            if candidates.is_empty() || !self.attempt(candidates)? {
                at += 1;
            }
        }
    }
}

/// Sources that are smaller at one token, the smallest first.
fn smaller(tokens: &[&str], at: usize) -> Vec<String> {
    let join = |parts: [&[&str]; 3]| parts.concat().concat();
    let mut found = Vec::new();
    for length in [16, 8, 6, 5, 4, 3, 2, 1] {
        let is_blank = length == 1 && tokens::is_blank(tokens[at]);
        if at + length <= tokens.len() && !is_blank {
            found.push(join([&tokens[..at], &[], &tokens[at + length..]]));
        }
    }
    if let Some(close) = tokens::closing(tokens, at) {
        let after = &tokens[close + 1..];
        found.push(join([&tokens[..at], &[], after]));
        found.push(join([&tokens[..at], &["1"], after]));
        found.push(join([&tokens[..at], &[tokens[at], tokens[close]], after]));
        found.push(join([&tokens[..at], &tokens[at + 1..close], after]));
        // The parts between commas, one by one.
        let commas = commas(tokens, at, close);
        for pair in commas.windows(2) {
            let kept = [&tokens[..=pair[0]], &tokens[pair[1]..]];
            found.push(kept.concat().concat());
            let start = if pair[0] == at { at + 1 } else { pair[0] };
            let end = if pair[0] == at && pair[1] != close {
                pair[1] + 1
            } else {
                pair[1]
            };
            found.push(join([&tokens[..start], &[], &tokens[end..]]));
        }
        // A call, with its name.
        if at > 0 {
            found.push(join([&tokens[..at - 1], &["1"], after]));
        }
    }
    let is_plain = |token: &str| token.len() > 1 && !tokens::is_blank(token);
    if is_plain(tokens[at]) {
        found.push(join([&tokens[..at], &["1"], &tokens[at + 1..]]));
    }
    found
}

/// The brackets, and what separates their parts.
fn commas(tokens: &[&str], open: usize, close: usize) -> Vec<usize> {
    let mut found = vec![open];
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().take(close).skip(open + 1) {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            "," | ";" | "\n" if depth == 0 => found.push(at),
            _ => {}
        }
    }
    found.push(close);
    found
}
