//! Standard output: one line an entry, as OPA's console has it.

use std::io::{self, Write as _};

use portcullis_webhook::{DecisionSink, Feed, Loss};

/// Writes to standard output.
#[derive(Debug)]
pub struct Console;

impl DecisionSink for Console {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    fn run(self: Box<Self>, feed: Feed) {
        let mut works = true;
        while let Some(entry) = feed.next() {
            let mut out = io::stdout().lock();
            let written = out
                .write_all(entry.line().as_bytes())
                .and_then(|()| out.flush());
            drop(out);
            match written {
                Ok(()) => feed.written(1),
                Err(error) => {
                    // Who read it is gone, and nobody comes in the place of it.
                    feed.lost(Loss::Failed, 1);
                    if std::mem::take(&mut works) {
                        tracing::error!(%error, "the decision log cannot be written to standard output");
                    }
                }
            }
        }
    }
}
