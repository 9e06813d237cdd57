//! Arguments of `portcullis lock` and `portcullis unlock`.

use std::time::Duration;

use anyhow::Context as _;
use portcullis_policies::{Address, Timestamp};

use crate::{
    client::{parse_address, parse_namespace, patience},
    commands::door::DoorArguments,
};

/// Which policy is meant.
#[derive(Clone, Debug, clap::Args)]
pub struct PolicyArguments {
    /// The policy: `services/authorization@1.0`.
    #[arg(value_name = "ADDRESS", value_parser = parse_address)]
    pub address: Address,

    /// The namespace that owns the policy; without it, the cluster.
    #[arg(short, long, value_parser = parse_namespace)]
    pub namespace: Option<String>,
}

/// Arguments of `portcullis lock`.
#[derive(Debug, clap::Args)]
#[command(after_help = LOCK_EXAMPLES)]
pub struct LockArguments {
    /// Which policy is meant.
    #[command(flatten)]
    pub policy: PolicyArguments,

    /// Why: those whom the lock stops will read it.
    #[arg(short, long, value_name = "TEXT")]
    pub reason: String,

    /// How long the lock lasts: `30m`, `2h`. Without an end, until it is unlocked.
    #[arg(long = "for", value_name = "TIME", value_parser = patience, conflicts_with = "until")]
    pub lasts: Option<Duration>,

    /// When the lock ends, in RFC 3339: `2030-12-01T08:00:00Z`.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub until: Option<Timestamp>,

    /// Where the lock is made.
    #[command(flatten)]
    pub door: DoorArguments,
}

/// Arguments of `portcullis unlock`.
#[derive(Debug, clap::Args)]
#[command(after_help = UNLOCK_EXAMPLES)]
pub struct UnlockArguments {
    /// Which policy is meant.
    #[command(flatten)]
    pub policy: PolicyArguments,

    /// Where the lock is removed.
    #[command(flatten)]
    pub door: DoorArguments,
}

impl LockArguments {
    /// When the lock ends, if it does; to the second, as people read it.
    pub(super) fn end(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        let Some(lasts) = self.lasts else {
            return Ok(self.until);
        };
        let far = || "`--for` leads beyond all calendars".to_owned();
        let end = now.checked_add(lasts).with_context(far)?;
        let whole = Timestamp::from_second(end.as_second()).with_context(far)?;
        Ok(Some(if whole > now { whole } else { end }))
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "a moment is written like 2030-12-01T08:00:00Z".to_owned())
}

const LOCK_EXAMPLES: &str = "\
Examples:
  portcullis lock services/authorization@1.0 --reason 'incident 4711' --for 2h
  portcullis lock services/authorization@1.0 --reason 'incident 4711' --url http://127.0.0.1:8181
  portcullis lock shop/discount@1.0 --namespace team-a --reason 'prices are wrong' \\
      --url https://policies.example.com:8181 --ca ca.crt --token-file token

A policy that is locked here is not evaluated: evaluations are answered with 403 and POLICY.LOCKED. At
admission it judges as before; a Lock or ClusterLock that `kubectl apply` makes holds there as well.
Without --url, the lock is the object that the server would make in the cluster that `kubectl` uses, with
your rights there.

Exit status: 0 when the policy is locked now, 1 when that is refused (it is locked already, there is no
such policy, you may not), 2 when it cannot be told.";

const UNLOCK_EXAMPLES: &str = "\
Examples:
  portcullis unlock services/authorization@1.0
  portcullis unlock services/authorization@1.0 --url http://127.0.0.1:8181
  portcullis unlock shop/discount@1.0 --namespace team-a

Removes the lock that `portcullis lock` or `POST …/lock` made. Locks that were made otherwise stay; where
one of them holds the policy all the same, it is named.

Exit status: 0 when the policy is not locked at evaluation any more, 1 when that is refused (it is not
locked, other locks hold it, there is no such policy, you may not), 2 when it cannot be told.";

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        lock: LockArguments,
    }

    fn read(options: &[&str]) -> Result<LockArguments, String> {
        let line = ["lock", "a/b@1.0", "--reason", "why"];
        let line = line.iter().chain(options);
        let read = Line::try_parse_from(line).map(|line| line.lock);
        read.map_err(|error| error.to_string())
    }

    #[rstest]
    #[case(&[], None)]
    #[case(&["--for", "2h"], Some("1970-01-01T02:00:05Z"))]
    #[case(&["--for", "1m30s"], Some("1970-01-01T00:01:35Z"))]
    #[case(&["--for", "100ms"], Some("1970-01-01T00:00:05.6Z"))]
    #[case(&["--until", "2030-12-01T08:00:00Z"], Some("2030-12-01T08:00:00Z"))]
    #[case(&["--until", "2030-12-01T08:00:00+01:00"], Some("2030-12-01T07:00:00Z"))]
    fn a_lock_ends(#[case] options: &[&str], #[case] expected: Option<&str>) {
        let now = Timestamp::from_millisecond(5_500).unwrap();
        let end = read(options).unwrap().end(now).unwrap();
        assert_eq!(end.map(|end| end.to_string()).as_deref(), expected);
    }

    #[rstest]
    #[case(&["--for", "0"], "nothing is answered in no time")]
    #[case(&["--for", "soon"], "write it like `5s`")]
    #[case(&["--until", "tomorrow"], "a moment is written like")]
    #[case(&["--for", "1h", "--until", "2030-12-01T08:00:00Z"], "cannot be used with")]
    #[case(&["--url", "http://127.0.0.1", "--context", "x"], "cannot be used with")]
    #[case(&["--ca", "x"], "--url")]
    #[case(&["--url", "https://a", "--client-key", "x"], "--client-certificate")]
    #[case(&["--timeout", "0"], "nothing is answered in no time")]
    #[case(&["--namespace", "a/b"], "a namespace is written like")]
    fn what_cannot_be_is_told(#[case] options: &[&str], #[case] why: &str) {
        let told = read(options).unwrap_err();
        assert!(told.contains(why), "{told}");
    }

    #[test]
    fn an_end_beyond_all_calendars_is_told() {
        let far = read(&["--for", "900000000h"]).unwrap();
        assert!(far.end(Timestamp::UNIX_EPOCH).is_err());
    }
}
