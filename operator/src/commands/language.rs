//! What commands that read Rego have in common.

use std::time::Duration;

use portcullis_policies::RegoVersion;

/// The language's version.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Language {
    /// Read modules as version 0, where they and bundles do not say otherwise.
    #[arg(long)]
    pub v0_compatible: bool,

    /// Read modules as version 1, which is the default.
    #[arg(long)]
    pub v1_compatible: bool,
}

impl Language {
    /// As OPA has it, version 0 wins where both are asked for.
    pub(super) fn version(self) -> RegoVersion {
        if self.v0_compatible {
            RegoVersion::V0
        } else {
            RegoVersion::V1
        }
    }
}

/// Reads a time as Go writes it: `1m30s`, `500ms`, `0`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write it like `5s`, `500ms` or `1m30s`");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = |c: char| !c.is_ascii_digit() && c != '.';
        let (number, after) = rest.split_at(rest.find(digits).ok_or_else(wrong)?);
        let letters = |c: char| c.is_ascii_digit() || c == '.';
        let (unit, after) = after.split_at(after.find(letters).unwrap_or(after.len()));
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        seconds += number * factor;
        rest = after;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("5s", Some(5_000))]
    #[case("1m30s", Some(90_000))]
    #[case("1.5s", Some(1_500))]
    #[case("250ms", Some(250))]
    #[case("2h", Some(7_200_000))]
    #[case("0", Some(0))]
    #[case("", None)]
    #[case("5", None)]
    #[case("s", None)]
    #[case("-5s", None)]
    #[case("5 s", None)]
    fn times(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        let expected = milliseconds.map(Duration::from_millis);
        assert_eq!(duration(text).ok(), expected, "{text}");
    }
}
