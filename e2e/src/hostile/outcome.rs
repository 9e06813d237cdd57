//! What became of an entry, in the words in which the corpus expects it.

use serde_json::Value;

use super::connection::Answer;

/// The code of a policy that was refused when it was applied.
pub const COMPILE_FAILED: &str = "POLICY.COMPILE_FAILED";

/// `allowed`, `denied`, or the code of what went wrong.
pub fn of_answer(answer: &Answer) -> String {
    let Ok(document) = serde_json::from_slice::<Value>(&answer.body) else {
        return format!("status {} without a document", answer.status);
    };
    if answer.status != 200 {
        return text(&document["code"])
            .unwrap_or_else(|| format!("status {} without a code", answer.status));
    }
    match text(&document["outcome"]).as_deref() {
        Some("error") => {
            text(&document["messages"][0]["code"]).unwrap_or_else(|| "error".to_owned())
        }
        Some(outcome) => outcome.to_owned(),
        None => "a decision without an outcome".to_owned(),
    }
}

/// `refused at apply: rego_parse_error`, of what `portcullis eval` prints about a module that it
/// cannot compile.
pub fn of_compilation(printed: &str) -> String {
    let code = serde_json::from_str::<Value>(printed)
        .ok()
        .and_then(|document| text(&document["errors"][0]["code"]));
    match code {
        Some(code) => format!("refused at apply: {code}"),
        None => "applied".to_owned(),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_an_outcome() {
        for (status, body, expected) in [
            (200, r#"{"outcome": "allowed"}"#, "allowed"),
            (200, r#"{"outcome": "denied", "messages": []}"#, "denied"),
            (
                200,
                r#"{"outcome": "error", "messages": [{"code": "POLICY.TIMEOUT"}]}"#,
                "POLICY.TIMEOUT",
            ),
            (
                413,
                r#"{"code": "POLICY.INPUT_INVALID"}"#,
                "POLICY.INPUT_INVALID",
            ),
            (502, "bad gateway", "status 502 without a document"),
            (500, "{}", "status 500 without a code"),
        ] {
            let body = body.as_bytes().to_vec();
            assert_eq!(of_answer(&Answer { status, body }), expected);
        }
    }

    #[test]
    fn what_does_not_compile_is_refused() {
        let errors = r#"{"errors": [{"code": "rego_type_error"}]}"#;
        assert_eq!(of_compilation(errors), "refused at apply: rego_type_error");
        assert_eq!(of_compilation(r#"{"result": []}"#), "applied");
    }
}
