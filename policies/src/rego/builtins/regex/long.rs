//! Searching long texts, with an eye on the clock.
//!
//! A search takes time in proportion to the text, but for some expressions thousands of steps for
//! each character: minutes for a text of a megabyte, which nobody can interrupt. So a long text is
//! searched here, with the same library's automata, which are asked byte by byte: forwards for the
//! end of the first match, and backwards from there for its beginning.

use regex_automata::{
    Anchored, HalfMatch, Input, MatchKind,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson,
    util::syntax,
};

use super::{Context, LARGEST, LARGEST_MEMORY, Result, refused};

/// Bytes between two looks at the clock. At worst each of them makes a new state of the largest
/// expression, which takes some fifty microseconds.
const INTERVAL: usize = 256;

/// Both automata of an expression, with what they have learnt.
#[derive(Debug)]
pub(super) struct Automata {
    forwards: Automaton,
    backwards: Automaton,
    /// Whether it may match nothing at all.
    has_empty: bool,
}

#[derive(Debug)]
struct Automaton {
    dfa: DFA,
    cache: Cache,
}

/// Where a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Automata {
    /// Of an expression in Rust's syntax, which is compiled already.
    pub(super) fn new(expression: &str) -> Result<Self> {
        let forwards = Automaton::new(expression, MatchKind::LeftmostFirst, false)?;
        let backwards = Automaton::new(expression, MatchKind::All, true)?;
        let has_empty = forwards.dfa.get_nfa().has_empty();
        Ok(Self {
            forwards,
            backwards,
            has_empty,
        })
    }

    /// States that a match may be in at once, at most.
    pub(super) fn states(&self) -> usize {
        self.forwards.dfa.get_nfa().states().len()
    }

    /// Whether the expression matches somewhere.
    pub(super) fn is_match(&mut self, context: &mut Context<'_, '_>, text: &str) -> Result<bool> {
        if self.has_empty {
            return Ok(self.find(context, text, 0)?.is_some());
        }
        let input = Input::new(text).earliest(true);
        Ok(self.forwards.search(context, &input, false)?.is_some())
    }

    /// The first match from a place on. One of nothing is between two characters.
    pub(super) fn find(
        &mut self,
        context: &mut Context<'_, '_>,
        text: &str,
        mut from: usize,
    ) -> Result<Option<Place>> {
        while from <= text.len() {
            let input = Input::new(text).range(from..);
            let Some(end) = self.forwards.search(context, &input, false)? else {
                return Ok(None);
            };
            let end = end.offset();
            let input = Input::new(text).range(from..end).anchored(Anchored::Yes);
            let start = self.backwards.search(context, &input, true)?;
            let start = start.map_or(end, |start| start.offset());
            if start < end || text.is_char_boundary(start) {
                return Ok(Some(Place { start, end }));
            }
            from = start + 1;
        }
        Ok(None)
    }
}

impl Automaton {
    fn new(expression: &str, kind: MatchKind, reverse: bool) -> Result<Self> {
        let nfa = thompson::Config::new()
            .reverse(reverse)
            .which_captures(thompson::WhichCaptures::None)
            // Characters of several bytes have more states backwards.
            .nfa_size_limit(Some(if reverse { 4 * LARGEST } else { LARGEST }));
        let config = DFA::config()
            .match_kind(kind)
            .cache_capacity(LARGEST_MEMORY)
            // A single state may be larger than that.
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder()
            .syntax(syntax::Config::new())
            .thompson(nfa)
            .configure(config)
            .build(expression)
            .map_err(|_| refused("regex", "the expression is too large for so long a text"))?;
        let cache = dfa.create_cache();
        Ok(Self { dfa, cache })
    }

    /// The end of the first match, or, backwards, the beginning of the longest one.
    fn search(
        &mut self,
        context: &mut Context<'_, '_>,
        input: &Input<'_>,
        backwards: bool,
    ) -> Result<Option<HalfMatch>> {
        let Self { dfa, cache } = self;
        let (start, end) = (input.start(), input.end());
        let text = input.haystack();
        let failed = || refused("regex", "the automaton of the expression has no room");
        let mut state = if backwards {
            dfa.start_state_reverse(cache, input)
        } else {
            dfa.start_state_forward(cache, input)
        }
        .map_err(|_| failed())?;
        let mut found = None;
        for count in 0..=end - start {
            if count % INTERVAL == 0 {
                let steps = if count == 0 { 1 } else { INTERVAL / 8 };
                context.budget.steps(steps as u64)?;
            }
            // A state tells one byte later that there is a match. Behind the last byte comes what
            // stands around the range, or nothing.
            let (next, place) = if backwards {
                let place = end - count;
                (place.checked_sub(1).map(|at| text[at]), place)
            } else {
                let place = start + count;
                (text.get(place).copied(), place)
            };
            state = match next {
                Some(byte) => dfa.next_state(cache, state, byte),
                None => dfa.next_eoi_state(cache, state),
            }
            .map_err(|_| failed())?;
            if is_match(state) {
                found = Some(HalfMatch::new(dfa.match_pattern(cache, state, 0), place));
                if input.get_earliest() {
                    break;
                }
            } else if state.is_dead() {
                break;
            } else if state.is_quit() {
                return Err(failed());
            }
        }
        Ok(found)
    }
}

fn is_match(state: LazyStateID) -> bool {
    state.is_tagged() && state.is_match()
}

/// All matches of an expression in a text, one after the other, as the library goes through them: one
/// of nothing is none where the last match ended.
#[derive(Debug)]
pub(super) struct Matches<'a> {
    automata: &'a mut Automata,
    text: &'a str,
    from: usize,
    last_end: Option<usize>,
}

impl<'a> Matches<'a> {
    pub(super) fn new(automata: &'a mut Automata, text: &'a str) -> Self {
        Self {
            automata,
            text,
            from: 0,
            last_end: None,
        }
    }

    pub(super) fn next(&mut self, context: &mut Context<'_, '_>) -> Result<Option<Place>> {
        while self.from <= self.text.len() {
            let Some(place) = self.automata.find(context, self.text, self.from)? else {
                break;
            };
            if place.start == place.end && self.last_end == Some(place.end) {
                self.from = place.end + 1;
                continue;
            }
            self.from = place.end;
            self.last_end = Some(place.end);
            return Ok(Some(place));
        }
        self.from = self.text.len() + 1;
        Ok(None)
    }
}
