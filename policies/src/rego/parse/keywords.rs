//! Which words are keywords: the version's, and those that imports bring.

use super::super::ast::Version;
use super::super::lex::Word;

/// Which words are keywords.
#[derive(Clone, Copy)]
pub(super) struct Keywords(u32);

impl Keywords {
    /// The words that imports make keywords. `not` is one anyhow; its import gives it bodies.
    pub(super) const FUTURE: [Word; 7] = [
        Word::In,
        Word::Every,
        Word::Contains,
        Word::If,
        Word::Not,
        Word::And,
        Word::Or,
    ];

    /// The keywords of a version without imports.
    pub(super) fn of(version: Version) -> Self {
        let mut keywords = Self(0);
        for word in [
            Word::Package,
            Word::Import,
            Word::As,
            Word::Default,
            Word::Else,
            Word::Not,
            Word::Some,
            Word::With,
            Word::Null,
            Word::True,
            Word::False,
        ] {
            keywords.add(word);
        }
        if version > Version::V0 {
            [Word::In, Word::Every, Word::Contains, Word::If]
                .into_iter()
                .for_each(|word| keywords.add(word));
        }
        if version > Version::V1 {
            [Word::And, Word::Or]
                .into_iter()
                .for_each(|word| keywords.add(word));
        }
        keywords
    }

    pub(super) fn add(&mut self, word: Word) {
        self.0 |= 1 << word as u32;
        if word == Word::Every {
            self.add(Word::In); // `every x in xs` needs both.
        }
    }

    pub(super) fn contain(self, word: Word) -> bool {
        self.0 & 1 << word as u32 != 0
    }

    /// Without those that imports bring.
    pub(super) fn without_future(self) -> Self {
        Self(
            Self::FUTURE
                .iter()
                .fold(self.0, |bits, &word| bits & !(1 << word as u32)),
        )
    }
}
