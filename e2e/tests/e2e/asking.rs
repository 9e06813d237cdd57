//! `kubectl portcullis eval --cluster` asks a replica with the caller's own rights, and a token in a file
//! takes the place of the kubeconfig's.

use anyhow::{Context, Result, ensure};
use portcullis_e2e::{
    MINUTE, Stage, accounts, installation, on_stage, plugin::User, programs::Ran, samples, toolbox,
    until,
};
use serde_json::{Value, json};

/// The policy of `docs/examples/first-policy.yaml`.
const ADDRESS: &str = "platform/required_labels@1.0";

#[tokio::test]
async fn a_replica_is_asked_with_the_callers_rights() -> Result<()> {
    on_stage(async |stage| {
        stage.first_policy().await?;
        let asker = user(stage, "asker", &["portcullis-evaluator"]).await?;
        // The API server hears of new roles a moment later.
        let denied = until("the asker is told", MINUTE, async || {
            let ran = eval(&asker, "--cluster", "unlabelled", &["-f", "json"]).await?;
            ensure!(ran.status.code() == Some(1), "{}", ran.account());
            Ok(ran)
        })
        .await?;
        let denied: Value = denied.json()?;
        let message = &denied["decision"]["messages"][0];
        ensure!(message["code"] == "LABELS.MISSING", "{denied}");
        let named = format!("--cluster={}/portcullis", installation::NAMESPACE);
        let ca = asker.file("ca.crt", &toolbox::authority(stage).await?)?;
        let options = ["-f", "raw", "--ca", &ca];
        let allowed = eval(&asker, &named, "labelled", &options).await?;
        let allowed = allowed.succeeded()?;
        ensure!(
            allowed.stdout.contains("\"deny\":[]"),
            "{}",
            allowed.account()
        );

        let stranger = accounts::token(stage, "stranger", &[]).await?;
        let stranger = User::with_token(stage.cluster(), &stranger)?;
        let words = [
            "REQUEST.FORBIDDEN",
            "→ the ClusterRole `portcullis-decisions-client` allows it",
        ];
        fails(&stranger, "--cluster", &[], &words).await?;
        let elsewhere = ["SERVER.UNREACHABLE", "→ name another installation"];
        let other = format!("--cluster={}/other", installation::NAMESPACE);
        fails(&asker, &other, &["--ca", &ca], &elsewhere).await
    })
    .await
}

#[tokio::test]
async fn a_token_in_a_file_takes_the_place_of_the_kubeconfigs() -> Result<()> {
    on_stage(async |stage| {
        stage.first_policy().await?;
        // The kubeconfig leads to the replicas, and the token says who asks there.
        let courier = user(stage, "courier", &[]).await?;
        let asker = accounts::token(stage, "asker", &["portcullis-evaluator"]).await?;
        let asker = courier.file("asker", &asker)?;
        let reader = accounts::token(stage, "reader", &["portcullis-decisions-reader"]).await?;
        let reader = courier.file("reader", &reader)?;

        until("the courier is refused by a replica", MINUTE, async || {
            let words = ["REQUEST.FORBIDDEN", "portcullis-evaluator"];
            fails(&courier, "--cluster", &[], &words).await
        })
        .await?;
        let denied = until("the asker is told", MINUTE, async || {
            let options = ["--token-file", &asker];
            let ran = eval(&courier, "--cluster", "unlabelled", &options).await?;
            ensure!(ran.status.code() == Some(1), "{}", ran.account());
            Ok(ran)
        })
        .await?;
        let denied: Value = denied.json()?;
        let id = denied["decision"]["id"].as_str();
        let id = id.context("there is no id")?;

        let hidden = courier.portcullis(&["why", id]).await?;
        ensure!(hidden.status.code() == Some(1), "{}", hidden.account());
        until("the reader is told", MINUTE, async || {
            let line = ["why", id, "--token-file", &reader];
            let told = courier.portcullis(&line).await?.succeeded()?;
            ensure!(told.stdout.contains("LABELS.MISSING"), "{}", told.account());
            Ok(())
        })
        .await?;

        let nobody = User::without_token(stage.cluster())?;
        let words = ["the kubeconfig has no token", "→ `--token-file <("];
        fails(&nobody, "--cluster", &[], &words).await?;
        let ran = nobody.portcullis(&["why", id]).await?;
        ran.failed_with(&words)?;
        Ok(())
    })
    .await
}

/// A user who may reach the replicas, and do what these ClusterRoles say.
async fn user(stage: &Stage, name: &str, roles: &[&str]) -> Result<User> {
    let token = accounts::token(stage, name, roles).await?;
    accounts::may_reach_replicas(stage, name).await?;
    User::with_token(stage.cluster(), &token)
}

/// Asks whether this Pod may be.
async fn eval(user: &User, cluster: &str, pod: &str, options: &[&str]) -> Result<Ran> {
    let pod = match pod {
        "labelled" => samples::with_label(samples::good(pod), "team"),
        pod => samples::good(pod),
    };
    let input = json!({"request": {"object": pod}}).to_string();
    let input = user.file("input.json", &input)?;
    let line = ["eval", ADDRESS, cluster, "-i", &input];
    user.portcullis(&[&line[..], options].concat()).await
}

/// It cannot be told, and why.
async fn fails(user: &User, cluster: &str, options: &[&str], words: &[&str]) -> Result<()> {
    let options = [options, &["-f", "pretty"]].concat();
    let ran = eval(user, cluster, "unlabelled", &options).await?;
    ensure!(ran.status.code() == Some(2), "{}", ran.account());
    ran.said(words)?;
    Ok(())
}
