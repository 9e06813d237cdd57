//! What Go takes for letters and digits.

use std::sync::LazyLock;

use regex::Regex;

/// A digit of any script, as `unicode.IsDigit` knows them.
pub(super) fn is_digit(character: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}$").ok());
    if character.is_ascii() {
        return character.is_ascii_digit();
    }
    is_of(DIGIT.as_ref(), character)
}

/// A letter, as `unicode.IsLetter` knows them.
pub(super) fn is_letter(character: char) -> bool {
    static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}$").ok());
    if character.is_ascii() {
        return character.is_ascii_alphabetic();
    }
    is_of(LETTER.as_ref(), character)
}

fn is_of(class: Option<&Regex>, character: char) -> bool {
    let mut bytes = [0; 4];
    let text = &*character.encode_utf8(&mut bytes);
    class.is_some_and(|class| class.is_match(text))
}
