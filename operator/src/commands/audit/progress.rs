//! How far an audit is, for people who wait.

use std::io::{self, IsTerminal as _, Write as _};

/// Tells on a terminal, on one line that changes.
#[derive(Debug)]
pub(super) struct Progress {
    shown: bool,
    judged: usize,
    /// Columns of what stands there now.
    width: usize,
}

impl Progress {
    /// Nothing is told where nobody watches, or wants to.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            shown: !quiet && io::stderr().is_terminal(),
            judged: 0,
            width: 0,
        }
    }

    /// So many more objects of a resource were judged.
    pub(super) fn judged(&mut self, resource: &str, objects: usize) {
        self.judged += objects;
        self.show(&format!("{} objects judged, now {resource}", self.judged));
    }

    /// Clears the line.
    pub(super) fn end(&mut self) {
        self.show("");
    }

    fn show(&mut self, text: &str) {
        if self.shown {
            let width = self.width;
            // A terminal that is gone is nobody who waits.
            let _ = write!(io::stderr(), "\r{text:width$}\r{text}");
            self.width = text.chars().count();
        }
    }
}
