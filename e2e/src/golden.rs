//! Files of what is printed, word for word. `E2E_GOLDEN=write` writes them, for somebody to look at.

use anyhow::{Context, Result, ensure};

use crate::{Ran, programs};

/// The variable that has the files written.
const WRITE: &str = "E2E_GOLDEN";

/// Compares what a command printed, first its errors and warnings, with `e2e/golden/<name>.txt`. What is
/// another in each run is written as `<id>` and `<namespace>`.
pub fn compare(name: &str, ran: &Ran, namespace: &str) -> Result<()> {
    let path = programs::checkout().join(format!("e2e/golden/{name}.txt"));
    let printed = format!("{}{}", ran.stderr, ran.stdout).replace(namespace, "<namespace>");
    let printed = without_ids(&printed);
    if std::env::var_os(WRITE).is_some_and(|value| value == "write") {
        return Ok(std::fs::write(&path, printed)?);
    }
    let expected = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}; {WRITE}=write writes it", path.display()))?;
    ensure!(
        printed == expected,
        "{} has\n{expected}\nbut this is printed, which {WRITE}=write would write\n{printed}",
        path.display()
    );
    Ok(())
}

/// The text with `<id>` in the place of each decision's id.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("decision ");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("decision ");
        let is_of_id = |c: char| c.is_ascii_hexdigit() || c == '-';
        let rest = part.trim_start_matches(is_of_id);
        if part.len() - rest.len() == ID {
            masked.push_str("<id>");
            masked.push_str(rest);
        } else {
            masked.push_str(part);
        }
    }
    masked
}

/// Characters of an id, which is a UUID.
const ID: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_masked_and_nothing_else() {
        for (text, expected) in [
            ("", ""),
            ("no decision made", "no decision made"),
            (
                "a; decision 7d1c6a2e-0000-4000-8000-000000000003\nb",
                "a; decision <id>\nb",
            ),
        ] {
            assert_eq!(without_ids(text), expected);
        }
    }
}
