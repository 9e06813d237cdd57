//! Mailboxes, as RFC 2821 has them.

/// The parts of a mailbox, without quotes and escapes.
pub(super) fn read(text: &str) -> Option<(String, &str)> {
    let (local, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_local(quoted)?,
        None => plain_local(text)?,
    };
    let domain = rest.strip_prefix('@')?;
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| (33..=126).contains(&byte));
    (domain.is_empty() || domain.split('.').all(is_label)).then_some((local, domain))
}

fn quoted_local(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut letters = text.chars();
    loop {
        let letter = match letters.next()? {
            '"' => return Some((local, letters.as_str())),
            '\\' => letters
                .next()
                .filter(|letter| letter.is_ascii() && !"\0\n\r".contains(*letter))?,
            letter => {
                Some(letter).filter(|letter| letter.is_ascii() && !"\0\t\n\r".contains(*letter))?
            }
        };
        local.push(letter);
    }
}

fn plain_local(text: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let escaped = rest.strip_prefix('\\');
        if escaped.is_none()
            && !letter.is_ascii_alphanumeric()
            && !"!#$%&'*+-/=?^_`{|}~.".contains(letter)
        {
            break;
        }
        rest = escaped.unwrap_or(rest);
        let letter = rest.chars().next()?;
        local.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    let is_valid = !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    is_valid.then_some((local, rest))
}
