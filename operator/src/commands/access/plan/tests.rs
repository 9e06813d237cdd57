//! What is typed, and what becomes of it.

use clap::Parser as _;
use rstest::rstest;
use tempfile::TempDir;

use super::*;

#[derive(Debug, clap::Parser)]
struct Typed {
    #[command(flatten)]
    access: AccessArguments,
}

const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// What is planned with files `tokens`, `keys` and `ca` at hand.
fn plan(typed: &str, listen: &str, has_tls: bool, in_cluster: bool) -> String {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let authority = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap();
    let typed = typed
        .replace("TOKENS", &file("tokens", "web 0123456789abcdef"))
        .replace("KEYS", &file("keys", KEYS))
        .replace("CA", &file("ca", &authority.cert.pem()));
    let words = ["portcullis"].into_iter().chain(typed.split_whitespace());
    let typed = match Typed::try_parse_from(words) {
        Ok(typed) => typed,
        Err(error) => return error.to_string(),
    };
    let surroundings = Surroundings {
        listen: &[listen.parse().unwrap()],
        has_tls,
        in_cluster,
    };
    let plan = match typed.access.plan(&surroundings) {
        Ok(plan) => plan,
        Err(error) => return format!("{error:#}"),
    };
    let client = Client::new(
        tower::service_fn(async |_: hyper::Request<kube::client::Body>| {
            Err::<hyper::Response<kube::client::Body>, _>("nobody")
        }),
        "default",
    );
    let guards = plan.open(in_cluster.then_some(&client)).unwrap();
    format!("{:?} {}", guards.access, guards.followers.len())
}

const LOOPBACK: &str = "127.0.0.1:8181";
const EVERYWHERE: &str = "0.0.0.0:8181";

#[rstest]
#[case(
    "",
    "authenticators: 0, certificates: false, by_policy: false, rate: None } 0"
)]
#[case("--auth none", "authenticators: 0")]
#[case(
    "--auth token --auth-token-file TOKENS",
    "authenticators: 1, certificates: false, by_policy: false, rate: None } 1"
)]
#[case(
    "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a",
    "authenticators: 1"
)]
#[case(
    "--auth jwt --jwt-keys https://issuer.example/keys --jwt-issuer i --jwt-audiences a,b",
    "authenticators: 1"
)]
#[case(
    "--auth mtls --mtls-ca CA --mtls-names cn:web,dns:*.example",
    "authenticators: 0, certificates: true, by_policy: false, rate: None } 1"
)]
#[case(
    "--auth token,jwt,mtls --auth-token-file TOKENS --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --mtls-ca CA",
    "authenticators: 2, certificates: true, by_policy: false, rate: None } 3"
)]
#[case(
    "--authorization policy --rate-limit 10",
    "by_policy: true, rate: Some(Rate { interval: 100000, burst: 1000000 })"
)]
#[case("--rate-limit 10 --rate-burst 1", "burst: 100000 }")]
#[tokio::test]
async fn who_may_ask(#[case] typed: &str, #[case] expected: &str) {
    let planned = plan(typed, LOOPBACK, true, false);
    assert!(planned.contains(expected), "{planned}");
}

#[rstest]
#[case("--auth none,token --auth-token-file TOKENS", "stands alone")]
#[case("--auth basic", "invalid value 'basic'")]
#[case("--auth token", "needs `--auth-token-file`")]
#[case("--auth token --auth-token-file /absent", "failed to read `/absent`")]
#[case("--auth token --auth-token-file CA", "cannot use")]
#[case("--auth-token-file TOKENS", "belongs to `--auth token`")]
#[case(
    "--auth token --auth-token-file TOKENS --auth-token-audiences a",
    "in a cluster"
)]
#[case("--auth jwt", "needs `--jwt-keys`")]
#[case("--auth jwt --jwt-keys KEYS", "needs `--jwt-issuer`")]
#[case("--auth jwt --jwt-keys KEYS --jwt-issuer i", "needs `--jwt-audiences`")]
#[case(
    "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --jwt-algorithms none",
    "`none` is no algorithm"
)]
#[case(
    "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --jwt-algorithms HS256",
    "`HS256` is no algorithm"
)]
#[case(
    "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --jwt-keys-ca CA",
    "at a URL"
)]
#[case("--jwt-keys KEYS", "belongs to `--auth jwt`")]
#[case("--auth mtls", "needs `--mtls-ca`")]
#[case("--auth mtls --mtls-ca KEYS", "cannot use")]
#[case("--auth mtls --mtls-ca CA --mtls-names web", "no pattern of names")]
#[case("--mtls-ca CA", "belongs to `--auth mtls`")]
#[case("--rate-burst 1", "--rate-limit")]
#[case("--rate-limit 0", "--rate-limit")]
#[tokio::test]
async fn what_does_not_fit_together(#[case] typed: &str, #[case] says: &str) {
    let refused = plan(typed, LOOPBACK, true, false);
    assert!(refused.contains(says), "{refused}");
    assert!(!refused.contains("0123456789abcdef"), "{refused}");
}

#[rstest]
#[case("", EVERYWHERE, "`--auth none` asks nobody")]
#[case("--auth none", "[::]:8181", "`--auth none` asks nobody")]
#[case("--allow-anonymous", EVERYWHERE, "authenticators: 0")]
#[case("", "[::1]:8181", "authenticators: 0")]
#[case(
    "--auth token --auth-token-file TOKENS",
    EVERYWHERE,
    "authenticators: 1"
)]
#[tokio::test]
async fn nobody_is_asked_on_loopback_only(
    #[case] typed: &str,
    #[case] listen: &str,
    #[case] expected: &str,
) {
    let planned = plan(typed, listen, true, false);
    assert!(planned.contains(expected), "{planned}");
}

#[rstest]
#[case("--auth token", true, "authenticators: 1")]
#[case(
    "--auth token --auth-token-audiences portcullis",
    true,
    "authenticators: 1"
)]
#[case(
    "--auth token --auth-token-file TOKENS",
    true,
    "here the API server knows tokens"
)]
#[case("--auth mtls --mtls-ca CA", false, "needs TLS")]
#[tokio::test]
async fn in_a_cluster(#[case] typed: &str, #[case] has_tls: bool, #[case] expected: &str) {
    let planned = plan(typed, LOOPBACK, has_tls, true);
    assert!(planned.contains(expected), "{planned}");
}
