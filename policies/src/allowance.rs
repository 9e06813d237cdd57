//! What an administrator allows policies: hosts to ask, how much one evaluation may use up, and how
//! much is compiled.
//!
//! A policy that names other hosts or has more to compile is broken. One that wants more time or
//! memory gets what is allowed.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Outside, exemption::DEFAULT_LONGEST, outside::Nothing};

/// What one evaluation may use up before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time, from its start to its end.
    pub timeout: Duration,
    /// Bytes of everything that it builds, whether it still holds them or not. What it is given,
    /// its input and its data, is not counted.
    pub memory: u64,
}

impl Limits {
    /// Where the policy does not say. Small policies take well under a millisecond and some ten
    /// kilobytes; the API server waits ten seconds by default for all policies together.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_millis(250),
        memory: 64 << 20,
    };

    /// The most that a policy may ask for where the administrator does not say: half of the time
    /// that the API server waits by default, and a quarter of what the chart lets a webhook take.
    pub const MAX: Self = Self {
        timeout: Duration::from_secs(5),
        memory: 256 << 20,
    };
}

impl Limits {
    /// The smaller one of each.
    #[must_use]
    pub fn within(self, most: Self) -> Self {
        Self {
            timeout: self.timeout.min(most.timeout),
            memory: self.memory.min(most.memory),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How much is compiled together: of a policy and all that it imports. Compiling takes time and memory
/// in proportion to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the modules.
    pub source: usize,
    /// Rules and functions, each definition of one counted.
    pub rules: usize,
    /// Bytes of the texts and keys in `data`.
    pub data: usize,
}

impl Extent {
    /// The most that an administrator may allow, and what policies have where none says.
    ///
    /// Of the source: every pass of the compiler takes two hundred bytes of memory for a byte of it at
    /// worst (`examples/growth` measures it), so four hundred megabytes, and there are two compilers at
    /// a time. The largest frameworks of policies have ten thousand lines and a quarter of it, and some
    /// thousand rules.
    pub const MAX: Self = Self {
        source: 2 << 20,
        rules: 20_000,
        data: 32 << 20,
    };
}

/// What an administrator allows. Nothing outside, and the most of everything else, by default.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Hosts, and the way to them.
    pub outside: Arc<dyn Outside>,
    /// The most that policies may set for themselves.
    pub limits: Limits,
    /// How much of one policy is compiled.
    pub extent: Extent,
    /// How far away the end of an exemption may be.
    pub longest_exemption: Duration,
    /// What each namespace may have.
    pub tenant: TenantLimits,
    /// Whether documents are fetched for policies of a namespace, too.
    pub namespaced_http_data: bool,
}

/// What one namespace may have that judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    /// Policies and bindings.
    pub judges: usize,
    /// Bytes of Rego and of `data`, of all policies together.
    pub bytes: u64,
}

impl TenantLimits {
    /// Where the administrator does not say. A hundred policies of the usual four kilobytes are a tenth
    /// of the bytes; four mebibytes take some hundred megabytes of memory to compile, one policy at a
    /// time, and some ten to hold.
    pub const DEFAULT: Self = Self {
        judges: 100,
        bytes: 4 << 20,
    };
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            outside: Arc::new(Nothing),
            limits: Limits::MAX,
            extent: Extent::MAX,
            longest_exemption: DEFAULT_LONGEST,
            tenant: TenantLimits::DEFAULT,
            namespaced_http_data: false,
        }
    }
}

/// A number of bytes for people: `64 MiB`, `1025 bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => {
                write!(formatter, "{} MiB", bytes >> 20)
            }
            bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => {
                write!(formatter, "{} KiB", bytes >> 10)
            }
            bytes => write!(formatter, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_the_smaller_one() {
        let limits = |timeout, memory| Limits {
            timeout: Duration::from_secs(timeout),
            memory,
        };
        assert_eq!(limits(1, 20).within(limits(2, 10)), limits(1, 10));
        assert_eq!(limits(2, 10).within(limits(1, 20)), limits(1, 10));
    }

    #[test]
    fn bytes_are_shown_in_the_largest_whole_unit() {
        let shown = |bytes| Bytes(bytes).to_string();
        assert_eq!(shown(64 << 20), "64 MiB");
        assert_eq!(shown(1536 << 10), "1536 KiB");
        assert_eq!(shown(1025), "1025 bytes");
    }
}
