//! Texts in XML.

use crate::directory::printable;

/// An element with the first line of a text as its message, and all of it inside.
pub(crate) fn element(name: &str, content: &str) -> String {
    let content = printable(content);
    let message = content.lines().next().unwrap_or_default();
    format!(
        "      <{name} message=\"{}\">{}</{name}>\n",
        text(message),
        text(&content)
    )
}

/// Text in XML. What no document can have was taken out before, but for tabs.
pub(crate) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
