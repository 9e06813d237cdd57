//! Asking for what may be there already.

use hyper::StatusCode;
use portcullis_policies::outside::HttpRequest;

use super::Network;

/// Longest name that a server may give what it has.
const MAX_TAG: usize = 256;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Polled {
    /// What the server has.
    New {
        body: Vec<u8>,
        /// What the server calls it.
        tag: Option<String>,
    },
    /// The server still has what was called so.
    Same,
}

impl Network {
    /// Asks for at most `limit` bytes, unless the server still has what it called `tag`. An error is a
    /// sentence.
    pub(crate) async fn poll(
        &self,
        mut request: HttpRequest,
        tag: Option<&str>,
        limit: usize,
    ) -> Result<Polled, String> {
        let condition = tag.map(|tag| ("if-none-match".to_owned(), tag.to_owned()));
        request.headers.extend(condition);
        let answer = self.ask(&request, limit).await;
        let answer = answer.map_err(|fault| fault.to_string())?;
        match answer.status_code {
            200 => {
                let mut headers = answer.headers.into_iter();
                let tag = headers.find(|(name, _)| name == "etag");
                let tag = tag.map(|(_, tag)| tag).filter(|tag| tag.len() <= MAX_TAG);
                Ok(Polled::New {
                    body: answer.body,
                    tag,
                })
            }
            304 if tag.is_some() => Ok(Polled::Same),
            code => {
                // In the words of the standard, and not of the server.
                let reason = StatusCode::from_u16(code).ok();
                let reason = reason.and_then(|code| code.canonical_reason());
                let text = format!("the server answered {code} {}", reason.unwrap_or_default());
                Err(text.trim_end().to_owned())
            }
        }
    }
}
