//! What policies say, of what a server answered.

use portcullis_policies::{Address, Code, Document, Message, Severity};
use serde_json::Value as Json;

/// A message of a decision, as a refusal has it.
pub(crate) fn message(message: &Json, policy: &str) -> String {
    let said = |name: &str| message[name].as_str();
    let text = |name: &str| said(name).map(str::to_owned);
    let document = |name: &str| message.get(name).map(Document::from);
    let code = Code::Custom(said("code").unwrap_or_default().to_owned());
    let message = Message {
        remedy: text("remedy"),
        severity: said("severity").and_then(Severity::parse),
        rule: text("rule"),
        path: text("path"),
        found: document("found"),
        wanted: document("wanted"),
        ..Message::new(code, said("message").unwrap_or_default())
    };
    match policy.parse::<Address>() {
        Ok(policy) => message.text(&policy),
        Err(_) => message.message,
    }
}
