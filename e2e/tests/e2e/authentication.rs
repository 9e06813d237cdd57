//! Who may ask policies over HTTP: tokens of the cluster, and the rights of their holders.

use anyhow::{Context, Result, ensure};
use portcullis_e2e::{
    MINUTE, Stage, accounts, installation, manifests, on_stage, samples, sidecar,
    toolbox::{Answer, Ask, Toolbox},
    until,
};
use serde_json::{Value, json};

/// The policy of `docs/examples/first-policy.yaml`.
const POLICY: &str = "/policy/platform/required_labels/1.0/evaluation";

/// Another policy.
const OTHER: &str = "/policy/tests/other/1.0/evaluation";

/// A policy of the test's namespace, by its version's path.
const OWNED: &str = "policy/tests/owned/1.0/evaluation";

#[tokio::test]
async fn a_service_account_asks_what_it_has_the_right_to() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = policies(stage).await?;
        let namespace = stage.namespace();
        let owned = format!("/namespaces/{namespace}/{OWNED}");
        let service = accounts::token(stage, "service", &["portcullis-evaluator"]).await?;
        let stranger = accounts::token(stage, "stranger", &[]).await?;
        let limited = accounts::token(stage, "limited", &[]).await?;
        let tenant = accounts::token(stage, "tenant", &[]).await?;
        grant(stage).await?;

        let data = "/v1/data/platform/required_labels";
        for (who, token, path, status) in [
            ("nobody", None, POLICY, 401),
            ("nobody", None, "/v1/policies", 401),
            ("nobody", None, "/unknown", 401),
            ("nobody", None, "/readiness", 200),
            ("nobody", None, "/openapi.json", 200),
            ("no token at all", Some("no-token"), POLICY, 401),
            ("a stranger", Some(&*stranger), POLICY, 403),
            ("a stranger", Some(&*stranger), "/v1/policies", 403),
            ("a stranger", Some(&*stranger), &*owned, 403),
            ("a service", Some(&*service), POLICY, 200),
            ("a service", Some(&*service), OTHER, 200),
            ("a service", Some(&*service), &*owned, 200),
            ("a service", Some(&*service), data, 200),
            ("a service", Some(&*service), "/v1/policies", 200),
            ("who may ask one", Some(&*limited), POLICY, 200),
            ("who may ask one", Some(&*limited), data, 200),
            ("who may ask one", Some(&*limited), OTHER, 403),
            (
                "who may ask one",
                Some(&*limited),
                "/v1/data/tests/other",
                403,
            ),
            ("who may ask one", Some(&*limited), "/v1/policies", 403),
            ("a tenant", Some(&*tenant), &*owned, 200),
            ("a tenant", Some(&*tenant), POLICY, 403),
        ] {
            let answer = ask(&toolbox, token, path).await?;
            ensure!(
                answer.status == status,
                "{who}, {path}: not {status}: {answer:?}"
            );
        }
        let refused = ask(&toolbox, Some(&stranger), POLICY).await?.json(403)?;
        ensure!(refused["code"] == "REQUEST.FORBIDDEN", "{refused}");
        let detail = refused["detail"].as_str().context("no detail")?;
        let account = accounts::user(stage, "stranger");
        ensure!(detail.contains(&account), "{detail}");
        ensure!(detail.contains("platform.required_labels"), "{detail}");

        // A token for somebody else is none here.
        let other = accounts::token_of(stage, "service", &["--audience", "other"]).await?;
        let problem = ask(&toolbox, Some(&other), POLICY).await?.json(401)?;
        ensure!(problem["code"] == "REQUEST.UNAUTHENTICATED", "{problem}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_is_given_and_taken_away_counts_within_a_minute() -> Result<()> {
    on_stage(async |stage| {
        let toolbox = policies(stage).await?;
        let service = accounts::token(stage, "service", &[]).await?;
        let refused = ask(&toolbox, Some(&service), POLICY).await?;
        ensure!(refused.status == 403, "{refused:?}");
        stage
            .may(&accounts::user(stage, "service"), &["portcullis-evaluator"])
            .await?;
        until("the right counts", MINUTE, async || {
            let answer = ask(&toolbox, Some(&service), POLICY).await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(())
        })
        .await?;

        // A token ends with its account; until then it is remembered, and no longer than a minute.
        let account = ["delete", "serviceaccount", "service", "--namespace"];
        let account = [&account[..], &[stage.namespace()]].concat();
        stage.cluster().kubectl(&account).await?.succeeded()?;
        let remembered = ask(&toolbox, Some(&service), POLICY).await?;
        ensure!(remembered.status == 200, "{remembered:?}");
        until("the token has ended", 2 * MINUTE, async || {
            let problem = ask(&toolbox, Some(&service), POLICY).await?.json(401)?;
            ensure!(problem["code"] == "REQUEST.UNAUTHENTICATED", "{problem}");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_sidecar_asks_the_api_server_about_its_callers_where_it_is_told_to() -> Result<()> {
    on_stage(async |stage| {
        let arguments = ["sidecar", "--auth", "token"];
        let workload = sidecar::start(stage, "guarded", &arguments, None).await?;
        stage.first_policy().await?;
        let service = accounts::token(stage, "service", &["portcullis-evaluator"]).await?;
        let stranger = accounts::token(stage, "stranger", &[]).await?;
        let url = format!("http://127.0.0.1:8181{POLICY}");
        let body = json!({"request": {"object": samples::good("unlabelled")}});
        let ask = Ask::post(&url, &body);

        // Its own account has to be allowed to ask who calls.
        let problem = workload.ask(&ask.clone().with_token(&service)).await?;
        let problem = problem.json(503)?;
        ensure!(problem["code"] == "ACCESS.UNAVAILABLE", "{problem}");
        let delegate = accounts::user(stage, "guarded");
        stage.may(&delegate, &["system:auth-delegator"]).await?;
        until("the service is answered", MINUTE, async || {
            let asked = ask.clone().with_token(&service);
            workload.ask(&asked).await?.json(200)
        })
        .await?;
        let refused = workload.ask(&ask.clone().with_token(&stranger)).await?;
        ensure!(
            refused.json(403)?["code"] == "REQUEST.FORBIDDEN",
            "{refused:?}"
        );
        let nobody = workload.ask(&ask).await?;
        ensure!(
            nobody.json(401)?["code"] == "REQUEST.UNAUTHENTICATED",
            "{nobody:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_webhook_may_ask_about_callers_where_that_is_switched_on() -> Result<()> {
    on_stage(async |stage| {
        let account = "system:serviceaccount:portcullis-system:portcullis-webhook";
        for resource in [
            "tokenreviews.authentication.k8s.io",
            "subjectaccessreviews.authorization.k8s.io",
        ] {
            let can = ["auth", "can-i", "create", resource, "--as", account];
            stage.cluster().kubectl(&can).await?.succeeded()?;
        }
        for (values, has, has_not) in [
            (
                r#"evaluation={"auth":["none"],"allowAnonymous":true}"#,
                &["PORTCULLIS_ALLOW_ANONYMOUS"][..],
                &["tokenreviews", "subjectaccessreviews"][..],
            ),
            (
                r#"evaluation={"auth":["jwt"],"jwt":{"issuer":"https://issuer","audiences":["a"],"keysUrl":"https://issuer:8443/keys","caSecret":"issuer"},"rateLimit":5}"#,
                &["PORTCULLIS_JWT_KEYS", "https://issuer:8443/keys", "secretName: issuer", "port: 8443", "PORTCULLIS_RATE_LIMIT"],
                &["tokenreviews", "PORTCULLIS_MTLS_CA"],
            ),
            (
                r#"evaluation={"auth":["token","mtls"],"tokenAudiences":["portcullis"],"mtls":{"caSecret":"clients","names":["cn:web"]},"authorization":"policy"}"#,
                &["tokenreviews", "PORTCULLIS_AUTH_TOKEN_AUDIENCES", "secretName: clients", "cn:web", "PORTCULLIS_AUTHORIZATION"],
                &["PORTCULLIS_JWT_KEYS"],
            ),
        ] {
            let rendered = render(stage, values).await?;
            for part in has {
                ensure!(rendered.contains(part), "{values}: no {part}");
            }
            for part in has_not {
                ensure!(!rendered.contains(part), "{values}: {part}");
            }
        }
        for (values, says) in [
            (r#"evaluation={"auth":["none"]}"#, "allowAnonymous"),
            (r#"evaluation={"auth":["none","token"]}"#, "stands alone"),
            (r#"evaluation={"auth":["jwt"]}"#, "evaluation.jwt.issuer"),
            (r#"evaluation={"auth":["mtls"]}"#, "evaluation.mtls.caSecret"),
            (r#"evaluation={"auth":["basic"]}"#, "one of"),
        ] {
            let fault = render(stage, values).await.err().context("it was rendered")?;
            ensure!(format!("{fault:#}").contains(says), "{fault:#}");
        }
        Ok(())
    })
    .await
}

/// The chart with some values, as `helm template` writes it.
async fn render(stage: &Stage, values: &str) -> Result<String> {
    let template = [
        "template",
        installation::RELEASE,
        "charts/portcullis",
        "--namespace",
        installation::NAMESPACE,
        "--set-json",
        values,
    ];
    Ok(stage.cluster().helm(&template).await?.succeeded()?.stdout)
}

/// Three policies, and a toolbox to ask them from.
async fn policies(stage: &Stage) -> Result<Toolbox<'_>> {
    let toolbox = Toolbox::start(stage, "toolbox").await?;
    let policy = |kind: &str, name: &str| {
        json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": format!("{name}-1.0")},
            "spec": {
                "group": "tests", "name": name, "version": "1.0",
                "modules": {"policy.rego": format!("package tests.{name}\n\nallow := true\n")},
            },
        })
    };
    let mut objects = manifests::read("docs/examples/first-policy.yaml")?;
    objects.extend([policy("ClusterPolicy", "other"), policy("Policy", "owned")]);
    stage.apply(&objects).await?;
    let body = json!({"request": {"object": samples::good("unlabelled")}});
    for path in [
        POLICY,
        OTHER,
        &format!("/namespaces/{}/{OWNED}", stage.namespace()),
    ] {
        until("every policy is in force", MINUTE, async || {
            let ask = Ask::post(&url(path), &body).over_tls();
            toolbox.ask(&ask).await?.json(200)
        })
        .await?;
    }
    Ok(toolbox)
}

/// Gives `limited` one policy of the cluster, and `tenant` those of the namespace.
async fn grant(stage: &Stage) -> Result<()> {
    let namespace = stage.namespace();
    let group = "rbac.authorization.k8s.io";
    let name = format!("{namespace}-limited");
    let subject =
        |name: &str| json!([{"kind": "ServiceAccount", "name": name, "namespace": namespace}]);
    let objects: [Value; 3] = [
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{
                "apiGroups": ["portcullis.dev"],
                "resources": ["clusterpolicies/evaluation"],
                "resourceNames": ["platform.required_labels"],
                "verbs": ["create"],
            }],
        }),
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": subject("limited"),
        }),
        json!({
            "apiVersion": format!("{group}/v1"),
            "kind": "RoleBinding",
            "metadata": {"name": "tenant", "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "portcullis-evaluator"},
            "subjects": subject("tenant"),
        }),
    ];
    stage.apply(&objects).await?;
    Ok(())
}

async fn ask(toolbox: &Toolbox<'_>, token: Option<&str>, path: &str) -> Result<Answer> {
    let ask = Ask::get(&url(path)).over_tls();
    let ask = match token {
        Some(token) => ask.with_token(token),
        None => ask.anonymously(),
    };
    toolbox.ask(&ask).await
}

fn url(path: &str) -> String {
    format!("https://{}:8181{path}", installation::SERVICE)
}
