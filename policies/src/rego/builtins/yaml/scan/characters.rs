//! Characters, ends of lines, and comments.

use super::Scanner;

/// Bytes in which a comment is looked for.
const FARTHEST_COMMENT: usize = 512;

impl Scanner<'_> {
    /// The comment behind a token, if there is one.
    pub(super) fn skip_comment_of_line(&mut self) {
        if self.newlines > 0 {
            return;
        }
        let before = (0..FARTHEST_COMMENT).find(|ahead| !self.is_blank(*ahead));
        if let Some(ahead) = before
            && self.byte(ahead) == b'#'
        {
            self.skip(ahead);
            self.skip_to_break();
        }
    }

    /// A comment, and those that follow with nothing but blanks and empty lines between.
    pub(super) fn skip_comments(&mut self) {
        let mut ahead = 0;
        while ahead < FARTHEST_COMMENT {
            if self.byte(ahead) == b'#' {
                while ahead > 0 {
                    let before = self.at;
                    if self.is_break(0) {
                        self.skip_line();
                    } else {
                        self.skip(1);
                    }
                    ahead -= self.at - before;
                }
                self.skip_to_break();
                // The end of the line is not looked at again.
                ahead = 1;
            } else if self.is_blank(ahead) || self.is_break(ahead) {
                ahead += 1;
            } else {
                return;
            }
        }
    }

    pub(super) fn skip_to_break(&mut self) {
        while !self.is_break_or_end(0) {
            self.skip(1);
        }
    }

    /// A byte from here on; behind the end, nought, which is in no text.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.at + ahead)
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        let next = |further: usize| self.byte(ahead + further);
        match next(0) {
            b'\r' | b'\n' => true,
            0xc2 => next(1) == 0x85,
            0xe2 => next(1) == 0x80 && matches!(next(2), 0xa8 | 0xa9),
            _ => false,
        }
    }

    pub(super) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || self.is_break(ahead)
    }

    pub(super) fn is_blank_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// `---` or `...` at the left margin.
    pub(super) fn is_document_indicator(&self) -> bool {
        let next = (self.byte(0), self.byte(1), self.byte(2));
        self.mark.column == 0
            && matches!(next, (b'-', b'-', b'-') | (b'.', b'.', b'.'))
            && self.is_blank_or_end(3)
    }

    /// The character here; at the end there is none.
    pub(super) fn character(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    pub(super) fn skip(&mut self, count: usize) {
        (0..count).for_each(|_| {
            self.read();
        });
    }

    /// Takes a character.
    pub(super) fn read(&mut self) -> Option<char> {
        if !self.is_blank(0) {
            self.newlines = 0;
        }
        let character = self.character()?;
        self.at += character.len_utf8();
        self.mark.index += 1;
        self.mark.column += 1;
        Some(character)
    }

    /// Takes the end of a line.
    pub(super) fn skip_line(&mut self) {
        self.read_line();
    }

    /// Takes the end of a line, if there is one here: all but two are the same.
    pub(super) fn read_line(&mut self) -> Option<char> {
        if !self.is_break(0) {
            return None;
        }
        let is_pair = self.byte(0) == b'\r' && self.byte(1) == b'\n';
        let character = self.character()?;
        self.at += if is_pair { 2 } else { character.len_utf8() };
        self.mark.index += 1 + usize::from(is_pair);
        self.mark.column = 0;
        self.mark.line += 1;
        self.newlines += 1;
        Some(match character {
            '\u{2028}' | '\u{2029}' => character,
            _ => '\n',
        })
    }
}
