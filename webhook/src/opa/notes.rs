//! What policies note by `trace`, as OPA's `explain=notes` shows it to people.
//!
//! ```text
//! query:1             Enter data.tasks.authz.allow = _
//! policy.rego:33     | Enter data.tasks.authz.allow
//! policy.rego:34     | | Note "looked"
//! ```

use portcullis_policies::{
    Location, Step,
    workbench::{Explanation, Note, Tried},
};

use super::path::DataPath;

/// Columns between the longest place and what happened there.
const GAP: usize = 5;

/// The lines; as of OPA, an empty one where nothing is noted.
pub(super) fn lines(path: &DataPath, seen: &[Explanation]) -> Vec<String> {
    let mut rows = Vec::new();
    for tried in seen.iter().flat_map(|explanation| &explanation.rules) {
        find(path, tried, &mut rows);
    }
    if rows.is_empty() {
        return vec![String::new()];
    }
    let asked = format!("Enter {} = _", path.reference());
    rows.insert(0, ("query:1".to_owned(), asked));
    let widest = rows.iter().map(|(place, _)| place.len()).max();
    let width = widest.unwrap_or_default() + GAP;
    let line = |(place, event)| format!("{place:width$}{event}");
    rows.into_iter().map(line).collect()
}

/// A rule that others ask for, too, stands below the one that asked first.
fn find(path: &DataPath, tried: &Tried, rows: &mut Vec<(String, String)>) {
    if is_asked(path, &tried.rule) {
        return enter(tried, 1, rows);
    }
    for asked in &tried.asked {
        find(path, asked, rows);
    }
}

fn enter(tried: &Tried, depth: usize, rows: &mut Vec<(String, String)>) {
    if tried.notes.is_empty() && tried.asked.is_empty() {
        return;
    }
    let event = format!("{}Enter {}", "| ".repeat(depth), tried.rule);
    rows.push((place(&tried.location), event));
    for Note { location, text } in &tried.notes.notes {
        let event = format!("{}Note {text:?}", "| ".repeat(depth + 1));
        rows.push((place(location), event));
    }
    for asked in &tried.asked {
        enter(asked, depth + 1, rows);
    }
}

fn place(location: &Location) -> String {
    format!("{}:{}", location.file, location.line)
}

/// Whether a rule is at the path, above or below it: the whole document is evaluated. Of a policy whose
/// entrypoint is elsewhere, every rule is.
fn is_asked(path: &DataPath, rule: &str) -> bool {
    let of_policy = DataPath(path.0.iter().take(2).cloned().collect());
    let [asked, policy] = [path, &of_policy].map(DataPath::reference);
    let is_below = |text: &str, above: &str| {
        text.strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let has_rest = matches!(&path.0[..], [Step::Name(_), Step::Name(_), _, ..]);
    !has_rest || !is_below(rule, &policy) || is_below(rule, &asked) || is_below(&asked, rule)
}
