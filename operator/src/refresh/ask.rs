//! One question to one server, and whether its answer is a document.

use portcullis_policies::{
    HeaderValue, HttpSource, check_document, outside::HttpRequest, text::clean,
};

use super::{Keeper, MAX_DOCUMENT};
use crate::{
    deep::on_a_deep_stack,
    network::{Network, Polled, is_header},
};

/// Longest account of a failure, in characters: it stands in conditions and in a table.
const MAX_FAILURE: usize = 400;

/// What is taken, where the policy does not say.
const ACCEPT: &str = "application/json, application/yaml";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A document, and what the server calls it.
    Document(String, Option<String>),
    /// What is there already.
    Same,
}

/// Asks for a document, unless the server still has the one that it called `tag`. An error is a sentence
/// that shows nothing that is secret.
pub(super) async fn ask(
    network: &Network,
    keeper: &impl Keeper,
    source: &HttpSource,
    tag: Option<&str>,
) -> Result<Answer, String> {
    let asked = async {
        let request = HttpRequest {
            method: source.method.as_str().to_owned(),
            url: source.url.clone(),
            headers: headers(keeper, source).await?,
            body: source.body.clone().into_bytes(),
            // What is secret is for the server that the policy names, whatever the header is called.
            follows_redirects: !source.is_secret(),
            authorities: source.authorities.clone(),
            trusts_system: source.authorities.is_none(),
            time: source.timeout,
        };
        match network.poll(request, tag, MAX_DOCUMENT).await? {
            Polled::Same => Ok(Answer::Same),
            Polled::New { body, tag } => Ok(Answer::Document(document(body).await?, tag)),
        }
    };
    asked.await.map_err(|why: String| account(&why))
}

async fn headers(
    keeper: &impl Keeper,
    source: &HttpSource,
) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::with_capacity(source.headers.len() + 2);
    for (name, value) in &source.headers {
        let value = match value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Secret {
                namespace,
                name: object,
                key,
            } => {
                let text = keeper.secret(namespace, object, key).await?;
                // Editors end a file with a line break, and so do many Secrets.
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                if !is_header(name, &text) {
                    return Err(format!(
                        "`{key}` of Secret {namespace}/{object} is no value of a header"
                    ));
                }
                text
            }
        };
        headers.push((name.clone(), value));
    }
    let mut default = |name: &str, value: &str| {
        if !headers.iter().any(|(own, _)| own == name) {
            headers.push((name.to_owned(), value.to_owned()));
        }
    };
    default("accept", ACCEPT);
    if !source.body.is_empty() {
        default("content-type", "application/json");
    }
    Ok(headers)
}

/// A document may be as deep and as dear to read as whoever answers likes.
async fn document(body: Vec<u8>) -> Result<String, String> {
    let read = move || {
        let text = String::from_utf8(body).map_err(|_| "it is not UTF-8")?;
        check_document(&text).map(|()| text)
    };
    let read = on_a_deep_stack("document", read).await?;
    read.map_err(|why| format!("the answer is not taken: {why}"))
}

/// What is said of a failure: one line of a bounded length, without the queries of URLs.
pub(super) fn account(why: &str) -> String {
    let mut said = String::new();
    let mut hides = false;
    for letter in clean(why).chars() {
        match letter {
            '?' => hides = true,
            '"' | '`' | ' ' => hides = false,
            _ => {}
        }
        if !hides {
            said.push(letter);
        }
    }
    said.chars().take(MAX_FAILURE).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "GET \"https://a.b/c?token=x&y=z\": refused",
        "GET \"https://a.b/c\": refused"
    )]
    #[case(
        "https://a.b/c?token=x: request timed out",
        "https://a.b/c request timed out"
    )]
    #[case("`http://a?x` is no URL", "`http://a` is no URL")]
    #[case("two\nlines", "two lines")]
    fn a_failure_shows_no_query(#[case] why: &str, #[case] expected: &str) {
        assert_eq!(account(why), expected);
    }

    #[test]
    fn a_failure_is_short() {
        assert_eq!(account(&"é".repeat(1_000)).chars().count(), MAX_FAILURE);
    }
}
