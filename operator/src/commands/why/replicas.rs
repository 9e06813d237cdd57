//! All replicas of an installation are asked: each remembers what it was asked itself.

use anyhow::{Context as _, anyhow, bail};
use futures::stream::{self, StreamExt as _};

use super::{Found, PATIENCE, question, read};
use crate::client::{Installation, Own};

/// Replicas that are asked at a time.
const AT_ONCE: usize = 8;

/// Answers with what the first one says that knows the decision. That none knows it is only said when
/// all were asked.
pub(super) async fn ask(installation: Installation, own: Own, id: &str) -> anyhow::Result<Found> {
    let replicas = installation.open(own, PATIENCE).await;
    let replicas = replicas.map_err(|failure| anyhow!(failure.text()))?;
    let path = format!("/decisions/{id}");
    let ask = |name: String| {
        let (replicas, path) = (&replicas, &path);
        async move {
            let answer = replicas.exchange(&name, question(path)).await;
            let found = answer.map_err(anyhow::Error::from);
            let found = found.and_then(|answer| read(&answer));
            found.with_context(|| format!("failed to ask the Pod `{name}`"))
        }
    };
    let names = replicas.names().to_vec();
    let mut answers = stream::iter(names).map(ask).buffer_unordered(AT_ONCE);
    let (mut asked, mut failure) = (0_usize, None);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(Found::Answer(answer)) => return Ok(Found::Answer(answer)),
            Ok(Found::Nothing(_)) => asked += 1,
            Err(error) => failure = Some(error),
        }
    }
    match (failure, asked) {
        (Some(error), _) => Err(error),
        (None, 1..) => Ok(Found::Nothing(format!(
            "none of {asked} Pods of the webhook remembers decision `{id}`, or you may not read it: \
             only what denied, warned or failed is remembered, for a while, and to read it takes the \
             verb `get` on `decisions` of `portcullis.dev` in the object's namespace"
        ))),
        (None, 0) => bail!(replicas.nobody_runs().text()),
    }
}
