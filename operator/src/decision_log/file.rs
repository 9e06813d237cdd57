//! A file: one line an entry, as OPA's console has it.

use std::{io, path::PathBuf, time::Duration};

use portcullis_webhook::{DecisionSink, Feed, LogEntry, Loss};

use super::{backoff::Backoff, rotation::Rotation};

/// Longest wait until a file that cannot be written is tried again: a disk that has room again should
/// have the log again soon.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Writes to a file that is rotated.
#[derive(Debug)]
pub struct FileSink {
    rotation: Rotation,
    backoff: Backoff,
    works: bool,
}

impl FileSink {
    /// Writes to the file at `path`, of `size` bytes at most, and keeps `count` files in all. The file is
    /// opened, so that a wrong path is told at once.
    pub fn open(path: PathBuf, size: u64, count: u32) -> io::Result<Self> {
        let mut rotation = Rotation::new(path, size, count);
        rotation.check()?;
        Ok(Self {
            rotation,
            backoff: Backoff::up_to(LONGEST_WAIT),
            works: true,
        })
    }

    /// Writes an entry, however often it has to be tried, until the feed has ended.
    fn write(&mut self, entry: &LogEntry, feed: &Feed) {
        let line = entry.line();
        loop {
            let error = match self.rotation.append(line.as_bytes()) {
                Ok(()) => {
                    feed.written(1);
                    self.backoff.reset();
                    if !std::mem::replace(&mut self.works, true) {
                        let path = self.rotation.path().display();
                        tracing::info!(%path, "the decision log is written again");
                    }
                    return;
                }
                Err(error) => error,
            };
            feed.failed();
            if std::mem::take(&mut self.works) {
                let path = self.rotation.path().display();
                tracing::error!(%path, %error, "the decision log cannot be written, and is tried again");
            }
            if !feed.pause(self.backoff.next()) {
                feed.lost(Loss::Failed, 1);
                return;
            }
        }
    }
}

impl DecisionSink for FileSink {
    fn name(&self) -> String {
        format!("file:{}", self.rotation.path().display())
    }

    fn run(mut self: Box<Self>, feed: Feed) {
        while let Some(entry) = feed.next() {
            self.write(&entry, &feed);
        }
    }
}
