//! Runs the tests again whenever a file changes.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use super::Plan;
use crate::files::MAX_ENTRIES;

/// How often it is looked whether a file has changed: soon enough for somebody who waits, and seldom
/// enough to be no load.
const PERIOD: Duration = Duration::from_millis(500);

/// What is known of each file: when it was modified, and its size.
type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Follows the files of a run until the process is ended.
#[expect(
    clippy::disallowed_methods,
    reason = "a file does not say that it has changed: it has to be looked at"
)]
pub(super) fn forever(plan: &Plan) -> io::Result<()> {
    let mut known = stamps(&plan.paths);
    announce()?;
    loop {
        thread::sleep(PERIOD);
        let now = stamps(&plan.paths);
        if now != known {
            known = now;
            plan.run()?;
            announce()?;
        }
    }
}

fn announce() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}\nWatching for changes ...", "*".repeat(80))?;
    out.flush()
}

fn stamps(paths: &[String]) -> Stamps {
    let mut stamps = Stamps::new();
    for path in paths {
        let file = path.strip_prefix("file://").unwrap_or(path);
        // A place may stand before the path.
        let exists = Path::new(file).exists();
        let file = match file.split_once(':') {
            Some((_, after)) if !exists => after,
            _ => file,
        };
        look(Path::new(file), &mut stamps);
    }
    stamps
}

/// Notes a file, or all in a folder. What cannot be read is not there; that changes too.
fn look(path: &Path, stamps: &mut Stamps) {
    if stamps.len() >= MAX_ENTRIES {
        return;
    }
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    let stamp = (metadata.modified().ok(), metadata.len());
    if stamps.insert(path.to_owned(), stamp).is_some() || !metadata.is_dir() {
        return;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries {
        look(&entry.path(), stamps);
    }
}
