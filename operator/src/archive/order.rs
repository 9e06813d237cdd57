//! Whether an archive takes the place of what holds its address.
//!
//! | in force | the archive | what happens |
//! |---|---|---|
//! | nothing | | it is created |
//! | the same digest | | nothing |
//! | made otherwise, or changed since it was imported | another content | refused |
//! | imported of another signer | another content | refused |
//! | imported of the same signer | changed later there | it is replaced |
//! | imported of the same signer | not changed later: a replay | refused |
//!
//! Whoever names the digest that is to be replaced has it replaced, if it is the one in force: that is
//! somebody's decision, and no accident.

use portcullis_policies::{Digest, Timestamp};
use portcullis_webhook::ArchiveFault;
use serde::{Deserialize, Serialize};

/// When a policy was changed last where it comes from, as its signer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moment {
    /// The time; in a cluster, when its object was made.
    pub(crate) last_update: Timestamp,
    /// Which state of that object it is.
    pub(crate) generation: i64,
}

impl Moment {
    /// Nothing is known of a policy's age.
    pub(crate) const UNKNOWN: Self = Self {
        last_update: Timestamp::UNIX_EPOCH,
        generation: 0,
    };
}

/// What is kept with a policy that was imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    /// The key that signed it, by its thumbprint.
    pub(crate) signer: String,
    /// Its age.
    #[serde(flatten)]
    pub(crate) moment: Moment,
    /// SHA-256 of the signed part of its archive.
    pub(crate) archive: String,
}

/// What holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incumbent {
    pub(crate) digest: Digest,
    /// What was kept, if it was imported and nobody has changed it since.
    pub(crate) mark: Option<Mark>,
}

/// What an import does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Create,
    Replace,
    Nothing,
}

/// Decides about an archive whose policy has this digest here.
pub(crate) fn decide(
    incumbent: Option<&Incumbent>,
    digest: Digest,
    mark: &Mark,
    replaces: Option<Digest>,
) -> Result<Verdict, ArchiveFault> {
    let Some(incumbent) = incumbent else {
        return match replaces {
            None => Ok(Verdict::Create),
            Some(named) => Err(conflict(
                format!("{named} is to be replaced, and no policy holds the address"),
                "import it without `replaces`".to_owned(),
            )),
        };
    };
    let in_force = incumbent.digest;
    if in_force == digest {
        return Ok(Verdict::Nothing);
    }
    let explicit = format!(
        "raise the version where the policy comes from, or say `replaces={in_force}` if this one is to \
         go"
    );
    if let Some(named) = replaces {
        return if named == in_force {
            Ok(Verdict::Replace)
        } else {
            let reason = format!("{named} is to be replaced, and {in_force} is in force");
            Err(conflict(
                reason,
                "look at what is in force, and decide anew".to_owned(),
            ))
        };
    }
    let reason = match &incumbent.mark {
        None => {
            "a policy that was not imported, or was changed since, holds the address".to_owned()
        }
        Some(known) if known.signer != mark.signer => format!(
            "the policy in force was signed by the key {}, and the archive by {}",
            known.signer, mark.signer
        ),
        Some(known) if mark.moment <= known.moment => format!(
            "the archive is not newer than the policy in force, which was changed at {} ({})",
            known.moment.last_update, known.moment.generation
        ),
        Some(_) => return Ok(Verdict::Replace),
    };
    Err(conflict(reason, explicit))
}

fn conflict(reason: String, remedy: String) -> ArchiveFault {
    ArchiveFault::Conflict { reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn digest(digit: char) -> Digest {
        let text = format!("sha256:{}", digit.to_string().repeat(64));
        text.parse().unwrap()
    }

    /// Marks as `signer second generation`.
    fn mark(text: &str) -> Mark {
        let mut parts = text.split(' ');
        let mut part = || parts.next().unwrap();
        Mark {
            signer: part().to_owned(),
            moment: Moment {
                last_update: Timestamp::from_second(part().parse().unwrap()).unwrap(),
                generation: part().parse().unwrap(),
            },
            archive: String::new(),
        }
    }

    #[rstest]
    #[case::an_address_that_is_free(None, "k 1 0", None, Ok(Verdict::Create))]
    #[case::nothing_to_replace(None, "k 1 0", Some('a'), Err("no policy holds the address"))]
    #[case::the_same_twice(Some(('b', Some("k 1 0"))), "k 1 0", None, Ok(Verdict::Nothing))]
    #[case::the_same_made_by_hand(Some(('b', None)), "k 1 0", None, Ok(Verdict::Nothing))]
    #[case::the_same_of_another(Some(('b', Some("x 9 0"))), "k 1 0", None, Ok(Verdict::Nothing))]
    #[case::made_by_hand(Some(('a', None)), "k 9 0", None, Err("was not imported"))]
    #[case::another_signer(Some(('a', Some("x 1 0"))), "k 9 0", None, Err("signed by the key x"))]
    #[case::newer(Some(('a', Some("k 1 7"))), "k 2 0", None, Ok(Verdict::Replace))]
    #[case::newer_state(Some(('a', Some("k 1 7"))), "k 1 8", None, Ok(Verdict::Replace))]
    #[case::a_replay(Some(('a', Some("k 2 0"))), "k 1 9", None, Err("not newer"))]
    #[case::of_the_same_time(Some(('a', Some("k 2 1"))), "k 2 1", None, Err("not newer"))]
    #[case::named(Some(('a', None)), "k 1 0", Some('a'), Ok(Verdict::Replace))]
    #[case::an_older_one_named(Some(('a', Some("x 9 9"))), "k 1 0", Some('a'), Ok(Verdict::Replace))]
    #[case::another_named(Some(('a', Some("k 1 0"))), "k 9 0", Some('c'), Err("is in force"))]
    fn who_takes_an_address(
        #[case] incumbent: Option<(char, Option<&str>)>,
        #[case] incoming: &str,
        #[case] replaces: Option<char>,
        #[case] expected: Result<Verdict, &str>,
    ) {
        let incumbent = incumbent.map(|(own, known)| Incumbent {
            digest: digest(own),
            mark: known.map(mark),
        });
        let replaces = replaces.map(digest);
        let decided = decide(incumbent.as_ref(), digest('b'), &mark(incoming), replaces);
        match expected {
            Ok(verdict) => assert_eq!(decided, Ok(verdict)),
            Err(reason) => {
                let fault = decided.unwrap_err();
                assert!(fault.to_string().contains(reason), "{fault}");
                assert!(fault.remedy().is_some());
            }
        }
    }
}
