//! Periodic imports of `serve`, in a file beside the locks.

use std::{path::Path, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use portcullis_webhook::{
    ArchiveFault, Caller, ImportScheduler, Imported, OutboundFault, ScheduledImport,
};

use super::{
    Access, DirectoryArchives,
    kept::{KeptList, KeptListFault},
};
use crate::archive::{Fetcher, MAX_SCHEDULES, Outcome, Schedule, Shelf};

/// The file.
const FILE: &str = ".imports.json";

/// The way of the endpoints, and of whoever fetches. Clones have the same schedules.
#[derive(Clone, Debug)]
pub struct DirectorySchedules {
    list: KeptList<Schedule>,
    access: Access,
    fetcher: Arc<Fetcher>,
    archives: Arc<DirectoryArchives>,
}

impl DirectorySchedules {
    /// Reads the schedules of a folder, which need not exist yet.
    pub(crate) fn open(
        folder: &Path,
        access: Access,
        fetcher: Arc<Fetcher>,
        archives: Arc<DirectoryArchives>,
    ) -> Result<Self, KeptListFault> {
        Ok(Self {
            list: KeptList::open(folder, FILE, MAX_SCHEDULES)?,
            access,
            fetcher,
            archives,
        })
    }
}

impl ImportScheduler for DirectorySchedules {
    fn is_open(&self) -> bool {
        self.access == Access::Open
    }

    fn set(
        &self,
        caller: Caller,
        url: String,
        interval: Duration,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        async move {
            self.access.admit_outbound(&caller)?;
            self.fetcher.check(&url)?;
            let set = move |held: &mut Vec<Schedule>| {
                let interval_seconds = interval.as_secs();
                if let Some(own) = held.iter_mut().find(|own| own.url == url) {
                    own.interval_seconds = interval_seconds;
                    return Ok(());
                }
                if held.len() >= MAX_SCHEDULES {
                    return Err(OutboundFault::Full(MAX_SCHEDULES));
                }
                held.push(Schedule {
                    object: String::new(),
                    url,
                    interval_seconds,
                    outcome: Outcome::default(),
                });
                held.sort_by(|left, right| left.url.cmp(&right.url));
                Ok(())
            };
            self.list.change(set).await
        }
        .boxed()
    }

    fn list(&self, caller: Caller) -> BoxFuture<'_, Result<Vec<ScheduledImport>, OutboundFault>> {
        let found = self.access.admit_outbound(&caller).map(|()| {
            let all = self.list.all().into_iter();
            all.map(ScheduledImport::from).collect()
        });
        async { found }.boxed()
    }

    fn remove(
        &self,
        caller: Caller,
        url: String,
    ) -> BoxFuture<'_, Result<Duration, OutboundFault>> {
        async move {
            self.access.admit_outbound(&caller)?;
            let remove = move |held: &mut Vec<Schedule>| {
                let at = held.iter().position(|own| own.url == url);
                let at = at.ok_or(OutboundFault::NotFound("periodic import"))?;
                Ok(held.remove(at).interval())
            };
            self.list.change(remove).await
        }
        .boxed()
    }
}

impl Shelf for DirectorySchedules {
    fn schedules(&self) -> BoxFuture<'_, Result<Vec<Schedule>, String>> {
        let all = self.list.all();
        async { Ok(all) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        schedule: &'a Schedule,
        outcome: Outcome,
    ) -> BoxFuture<'a, Result<(), String>> {
        let url = schedule.url.clone();
        async move {
            let keep = move |held: &mut Vec<Schedule>| {
                if let Some(own) = held.iter_mut().find(|own| own.url == url) {
                    own.outcome = outcome;
                }
                Ok(())
            };
            let kept = self.list.change(keep).await;
            kept.map_err(|fault| fault.to_string())
        }
        .boxed()
    }

    fn take_in(&self, archive: Vec<u8>) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        self.archives.take_fetched(archive).boxed()
    }
}
