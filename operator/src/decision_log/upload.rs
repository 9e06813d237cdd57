//! Uploads: chunks that are sent until they are taken.
//!
//! Entries wait in the feed, whose oldest give way; what is packed is one chunk's worth. A chunk is sent
//! again, the same bytes under the same key, until the receiver takes it, refuses it for good, or the
//! process ends.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use portcullis_webhook::{DecisionSink, Feed, Loss, Waited};
use rustls::ClientConfig;
use tokio::runtime::Runtime;

use super::{
    backoff::Backoff,
    chunk::{Chunk, pack},
    receiver::{Delivery, Receiver},
};
use crate::network;

/// Longest wait until a chunk is sent again: a receiver that is back is found within a minute.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How much shorter entries become, at least, of what is taken for one chunk. JSON of entries that are
/// alike becomes a tenth and less; what does not fit is packed into several chunks.
const RATIO: usize = 4;

/// Sends entries to a receiver.
#[derive(Debug)]
pub struct Upload {
    receiver: Receiver,
    /// Most bytes of a chunk.
    limit: usize,
    /// How long entries wait for others.
    delay: Duration,
    system: Arc<ClientConfig>,
    backoff: Backoff,
    works: bool,
    /// Chunks that were packed.
    chunks: u64,
}

impl Upload {
    /// Sends chunks of at most `limit` bytes, which wait for `delay` for more entries.
    pub fn to(receiver: Receiver, limit: usize, delay: Duration) -> Self {
        Self {
            system: network::system(receiver.authority.is_some()),
            receiver,
            limit,
            delay,
            backoff: Backoff::up_to(LONGEST_WAIT),
            works: true,
            chunks: 0,
        }
    }

    /// Takes entries for one chunk, and sends it.
    fn upload(&mut self, feed: &Feed, runtime: &Runtime) {
        let mut entries = Vec::new();
        let mut bytes = 0;
        while bytes < self.limit * RATIO
            && let Some(entry) = feed.try_next()
        {
            bytes += entry.bytes();
            entries.push(entry);
        }
        let (chunks, too_long) = pack(&entries, self.limit);
        drop(entries);
        feed.lost(Loss::TooLong, too_long);
        for chunk in chunks {
            self.deliver(&chunk, feed, runtime);
        }
    }

    fn deliver(&mut self, chunk: &Chunk, feed: &Feed, runtime: &Runtime) {
        let key = self.next_key();
        loop {
            let sent = self.receiver.send(&chunk.bytes, &key, &self.system);
            let (why, wish) = match runtime.block_on(sent) {
                Delivery::Taken => {
                    feed.written(chunk.entries);
                    self.tell(None);
                    return;
                }
                Delivery::Refused(why) => {
                    feed.lost(Loss::Refused, chunk.entries);
                    self.tell(Some((&why, "does not take entries of the decision log")));
                    return;
                }
                Delivery::Failed(why, wish) => (why, wish),
            };
            feed.failed();
            self.tell(Some((
                &why,
                "cannot be sent the decision log, which is tried again",
            )));
            let wait = self.backoff.next();
            let wait = wish.map_or(wait, |wish| wish.clamp(wait, self.backoff.longest()));
            if !feed.pause(wait) {
                feed.lost(Loss::Ended, chunk.entries);
                return;
            }
        }
    }

    /// Tells once that it has ceased to work, and once that it works again.
    fn tell(&mut self, fault: Option<(&str, &str)>) {
        let receiver = self.receiver.name();
        match fault {
            None => {
                self.backoff.reset();
                if !std::mem::replace(&mut self.works, true) {
                    tracing::info!(%receiver, "the receiver takes the decision log again");
                }
            }
            Some((why, what)) => {
                if std::mem::take(&mut self.works) {
                    tracing::error!(%receiver, %why, "the receiver {what}");
                }
            }
        }
    }

    /// A name that no other chunk of any process has.
    fn next_key(&mut self) -> String {
        self.chunks += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanoseconds = now.map_or(0, |now| now.as_nanos());
        format!("{nanoseconds:x}-{:x}-{:x}", std::process::id(), self.chunks)
    }
}

impl DecisionSink for Upload {
    fn name(&self) -> String {
        self.receiver.name()
    }

    fn run(mut self: Box<Self>, feed: Feed) {
        // Of its own, so that nothing which waits here takes anything from who answers.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "the decision log cannot be sent");
                return;
            }
        };
        loop {
            match feed.wait(self.limit * RATIO, self.delay) {
                Waited::Ready => self.upload(&feed, &runtime),
                Waited::Quiet => {}
                Waited::Ended => return,
            }
            if feed
                .ends()
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                // What is left is counted with the feed's end.
                return;
            }
        }
    }
}
