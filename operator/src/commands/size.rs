//! Sizes in arguments.

/// Reads a size in whole kibibytes or mebibytes, within bounds.
pub(super) fn size<const LEAST: usize, const MOST: usize>(text: &str) -> Result<usize, String> {
    let units = [("Ki", 1_usize << 10), ("Mi", 1 << 20)];
    let read = units.into_iter().find_map(|(unit, bytes)| {
        let digits = text.strip_suffix(unit)?;
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: usize = digits.parse().ok().filter(|_| is_plain)?;
        number.checked_mul(bytes)
    });
    read.filter(|bytes| (LEAST..=MOST).contains(bytes))
        .ok_or_else(|| {
            let (least, most) = (LEAST >> 10, MOST >> 10);
            format!("it is not a size from {least}Ki to {most}Ki: write it like 512Ki or 1Mi")
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::size;

    #[rstest]
    #[case("16Ki", Some(16 << 10))]
    #[case("1Mi", Some(1 << 20))]
    #[case("15Ki", None)]
    #[case("2Mi", None)]
    #[case("1", None)]
    #[case("Mi", None)]
    #[case("99999999999999999999Mi", None)]
    fn sizes(#[case] text: &str, #[case] expected: Option<usize>) {
        assert_eq!(size::<{ 16 << 10 }, { 1 << 20 }>(text).ok(), expected);
    }
}
