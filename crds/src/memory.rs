//! The sizes that a spec holds as text.

/// The most memory that a policy may ask for: a quarter of what the chart lets a webhook take.
pub const MAXIMUM_MEMORY: u64 = 256 << 20;

/// A size that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size from 1Mi to 256Mi: write it like 64Mi")]
pub struct MemoryError(String);

/// Reads the memory limit of an evaluation: whole mebibytes, from 1 to [`MAXIMUM_MEMORY`]. Gives
/// bytes.
pub fn memory(text: &str) -> Result<u64, MemoryError> {
    let refused = || MemoryError(text.to_owned());
    let digits = text.strip_suffix("Mi").ok_or_else(refused)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let number: u64 = digits.parse().ok().filter(|_| plain).ok_or_else(refused)?;
    number
        .checked_mul(1 << 20)
        .filter(|bytes| *bytes <= MAXIMUM_MEMORY)
        .ok_or_else(refused)
}

/// The memory limit of a policy that sets none.
pub(crate) fn default_memory() -> String {
    "64Mi".to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1Mi", Some(1))]
    #[case("64Mi", Some(64))]
    #[case("256Mi", Some(256))]
    #[case("257Mi", None)]
    #[case("0Mi", None)]
    #[case("07Mi", None)]
    #[case("+7Mi", None)]
    #[case("1.5Mi", None)]
    #[case("64", None)]
    #[case("64M", None)]
    #[case("64Ki", None)]
    #[case("Mi", None)]
    #[case("", None)]
    #[case("99999999999999999999Mi", None)]
    fn sizes(#[case] text: &str, #[case] mebibytes: Option<u64>) {
        assert_eq!(memory(text).ok(), mebibytes.map(|count| count << 20));
    }
}
