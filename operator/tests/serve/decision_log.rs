//! The decision log of a process: receivers that are slow, refuse, go away and come back; files; the end
//! of the process.

use std::{collections::BTreeSet, ffi::OsStr, fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{
    process::{Server, ask, write},
    receiver::{Mood, Receiver},
};

const POLICY: &str = "package services.authorization

default allow := false

allow if input.role == \"admin\"
";

/// A server of one policy, which logs decisions.
fn serve(folder: &Path, arguments: &[&str]) -> Server {
    let policies = folder.join("policies");
    write(&policies, "services/authorization/1.0/policy.rego", POLICY);
    let mut all = vec![OsStr::new("serve"), policies.as_os_str()];
    all.extend(arguments.iter().map(OsStr::new));
    Server::start(&all, folder)
}

/// A server that sends what it logs to a receiver within a second.
fn sending(folder: &Path, url: &str, arguments: &[&str]) -> Server {
    let own = ["--decision-log", url, "--decision-log-delay", "1"];
    serve(folder, &[&own, arguments].concat())
}

/// Asks for decisions, each of which has to be answered, and gives their ids.
fn decide(server: &Server, count: usize, body: &str) -> Vec<String> {
    let id = || {
        let path = "/policy/services/authorization/1.0/decision";
        let answer = server.ask("POST", path, body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let decision: Json = serde_json::from_str(&answer.body).unwrap();
        decision["id"].as_str().unwrap().to_owned()
    };
    std::iter::repeat_with(id).take(count).collect()
}

/// The value of a metric.
fn metric(server: &Server, name: &str) -> u64 {
    let text = ask(&server.admin, "GET", "/metrics", "").body;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("{name} in {text}"));
    value.parse().unwrap()
}

/// Waits for a metric.
fn await_metric(server: &Server, name: &str, holds: impl Fn(u64) -> bool) -> u64 {
    loop {
        let value = metric(server, name);
        if holds(value) {
            return value;
        }
        std::thread::yield_now();
    }
}

fn sorted(ids: Vec<String>) -> BTreeSet<String> {
    ids.into_iter().collect()
}

#[test]
fn entries_are_sent_once_in_gzipped_arrays() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::Takes);
    let server = sending(folder.path(), &receiver.url(), &[]);
    let ids = decide(&server, 20, r#"{"role":"admin"}"#);
    let upload = receiver.upload();
    for header in ["content-type: application/json", "content-encoding: gzip"] {
        assert!(upload.head.contains(header), "{}", upload.head);
    }
    assert!(upload.head.starts_with("post /logs http/1.1"));
    assert!(!upload.head.contains("authorization:"));
    let entry = &upload.entries[0];
    assert_eq!(entry["path"], "services/authorization");
    assert_eq!(entry["req_id"], 1);
    let peer = entry["requested_by"].as_str().unwrap();
    assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    let mut taken: Vec<String> = upload
        .entries
        .iter()
        .map(|entry| entry["decision_id"].as_str().unwrap().to_owned())
        .collect();
    taken.extend(receiver.taken(ids.len() - taken.len()));
    assert_eq!(taken, ids);
    assert!(server.stop().success());
}

/// What is refused for now is sent again, the same bytes under the same key, and taken once.
#[test]
fn what_fails_is_sent_again_and_arrives_once() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::Answers("503 Service Unavailable"));
    let server = sending(folder.path(), &receiver.url(), &[]);
    let ids = decide(&server, 5, "{}");
    let key = |head: &str| {
        let mut lines = head.lines();
        let key = lines.find_map(|line| line.strip_prefix("idempotency-key: "));
        key.unwrap().to_owned()
    };
    let first = receiver.upload();
    for _ in 0..2 {
        let again = receiver.upload();
        assert_eq!(key(&again.head), key(&first.head));
        assert_eq!(again.body, first.body);
    }
    server.await_log("cannot be sent the decision log");
    receiver.becomes(Mood::Takes);
    let mut taken = receiver.taken(ids.len());
    taken.sort_unstable();
    assert_eq!(sorted(taken.clone()), sorted(ids));
    assert_eq!(taken.len(), sorted(taken.clone()).len());
    server.await_log("takes the decision log again");
    let name = format!(
        "portcullis_decision_log_retries_total{{sink=\"{}\"}}",
        receiver.url()
    );
    assert!(metric(&server, &name) >= 3);
    assert!(server.stop().success());
}

/// Whoever asks is answered while the receiver is away; what waited arrives when it is back.
#[test]
fn a_receiver_that_goes_away_and_comes_back_gets_what_it_missed() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::Takes);
    let url = receiver.url();
    let server = sending(folder.path(), &url, &[]);
    let before = decide(&server, 3, "{}");
    assert_eq!(receiver.taken(3), before);
    let address = receiver.leave();
    let meanwhile = decide(&server, 50, "{}");
    server.await_log("cannot be sent the decision log");
    let receiver = Receiver::again_at(address);
    assert_eq!(sorted(receiver.taken(50)), sorted(meanwhile));
    let name = format!("portcullis_decision_log_entries_total{{sink=\"{url}\"}}");
    await_metric(&server, &name, |count| count == 53);
    assert!(server.stop().success());
}

/// A receiver that never answers holds up nobody. What finds no room in the buffer is counted, and the
/// rest arrives.
#[test]
fn a_silent_receiver_delays_nobody_and_what_is_lost_is_counted() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::IsSilent);
    let url = receiver.url();
    let arguments = [
        "--decision-log-buffer",
        "1Mi",
        "--decision-log-upload-size",
        "16Ki",
    ];
    let server = sending(folder.path(), &url, &arguments);
    decide(&server, 1, "{}");
    // It is held from here on.
    assert!(!receiver.upload().was_taken);
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(50 << 10));
    decide(&server, 40, &body);
    let lost =
        format!("portcullis_decision_log_lost_total{{sink=\"{url}\",reason=\"buffer_full\"}}");
    let lost = await_metric(&server, &lost, |count| count > 0);
    let waiting = format!("portcullis_decision_log_waiting_bytes{{sink=\"{url}\"}}");
    assert!(metric(&server, &waiting) <= 1 << 20);
    let waiting = format!("portcullis_decision_log_waiting_entries{{sink=\"{url}\"}}");
    assert!(lost < 40 && metric(&server, &waiting) > 0);
    // It ends all the same.
    assert!(server.stop().success());
}

#[test]
fn what_is_refused_for_good_is_lost_and_counted() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::Answers("400 Bad Request"));
    let url = receiver.url();
    let server = sending(folder.path(), &url, &[]);
    decide(&server, 1, "{}");
    server.await_log("does not take entries of the decision log");
    let lost = format!("portcullis_decision_log_lost_total{{sink=\"{url}\",reason=\"refused\"}}");
    await_metric(&server, &lost, |count| count == 1);
    receiver.becomes(Mood::Takes);
    let ids = decide(&server, 1, "{}");
    assert_eq!(receiver.taken(1), ids);
    assert!(server.stop().success());
}

/// A receiver that takes little gets each entry, and of those that are too long what there is room for.
#[test]
fn what_is_too_long_for_an_upload_goes_without_its_input() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::Takes);
    let arguments = ["--decision-log-upload-size", "16Ki"];
    let server = sending(folder.path(), &receiver.url(), &arguments);
    // What no compression makes much shorter.
    let mut state = 1_u32;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + u8::try_from(state >> 26).unwrap())
    })
    .filter(|c| *c != '\\')
    .take(60 << 10)
    .collect();
    let long = decide(&server, 1, &format!(r#"{{"text":"{noise}"}}"#));
    let usual = decide(
        &server,
        30,
        &format!(r#"{{"text":"{}"}}"#, &noise[..4 << 10]),
    );
    let mut seen = Vec::new();
    while seen.len() < 31 {
        let upload = receiver.upload();
        assert!(upload.body.len() <= 16 << 10);
        for entry in upload.entries {
            let is_long = entry["decision_id"] == long[0];
            assert_eq!(entry["input"].is_null(), is_long, "{entry}");
            let erased: &[&str] = if is_long { &["/input", "/result"] } else { &[] };
            let told = entry["erased"].as_array().cloned().unwrap_or_default();
            assert_eq!(told, erased);
            seen.push(entry["decision_id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen, [long, usual].concat());
    assert!(server.stop().success());
}

/// What waits is sent when the process is told to stop.
#[test]
fn the_rest_is_sent_at_the_end() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Mood::Takes);
    let url = receiver.url();
    let server = serve(
        folder.path(),
        &["--decision-log", &url, "--decision-log-delay", "600"],
    );
    let ids = decide(&server, 7, "{}");
    assert!(server.stop().success());
    assert_eq!(receiver.taken(7), ids);
}

/// The receiver's certificate is checked, and the token is read for each upload.
#[test]
fn tls_and_a_token_that_changes() {
    let folder = TempDir::new().unwrap();
    let (config, authority) = certificate();
    let receiver = Receiver::secure(config);
    let at = |name: &str| folder.path().join(name);
    fs::write(at("ca.crt"), authority).unwrap();
    fs::write(at("token"), "first-token\n").unwrap();
    let url = format!("https://localhost:{}/logs", receiver.address.port());
    let files = [at("token"), at("ca.crt")].map(|path| path.display().to_string());
    let arguments = [
        "--decision-log-token-file",
        &*files[0],
        "--decision-log-ca-file",
        &*files[1],
    ];
    let server = sending(folder.path(), &url, &arguments);
    let ids = decide(&server, 1, "{}");
    let upload = receiver.upload();
    assert!(
        upload
            .head
            .contains("authorization: bearer first-token\r\n")
    );
    assert_eq!(upload.entries[0]["decision_id"], ids[0]);
    fs::write(at("token"), "second-token").unwrap();
    decide(&server, 1, "{}");
    let upload = receiver.upload();
    assert!(
        upload
            .head
            .contains("authorization: bearer second-token\r\n")
    );
    // One of another authority is not spoken with.
    let (_, other) = certificate();
    fs::write(at("ca.crt"), other).unwrap();
    decide(&server, 1, "{}");
    server.await_log("cannot be sent the decision log");
    assert!(server.stop().success());
}

/// A server's configuration for `localhost`, and its authority in PEM.
fn certificate() -> (ServerConfig, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(parameters, authority_key);
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    (config, authority.pem())
}

/// Several destinations have the same entries.
#[test]
fn a_file_and_standard_output_have_a_line_for_each_entry() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("decisions.log");
    let destination = format!("file:{}", file.display());
    let server = serve(
        folder.path(),
        &["--decision-log", &destination, "--decision-log", "stdout"],
    );
    let ids = decide(&server, 3, r#"{"password":"s3cret"}"#);
    let printed: Vec<String> = (0..3).map(|_| server.next_line()).collect();
    let of = |lines: &[String]| -> Vec<String> {
        let entries = lines
            .iter()
            .map(|line| serde_json::from_str::<Json>(line).unwrap());
        let ids = entries.map(|entry| entry["decision_id"].as_str().unwrap().to_owned());
        ids.collect()
    };
    assert_eq!(of(&printed), ids);
    assert!(server.stop().success());
    let text = fs::read_to_string(file).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines, printed);
}

/// A file of a mebibyte is rotated, and no entry is lost or torn.
#[test]
fn a_file_is_rotated() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("decisions.log");
    let destination = format!("file:{}", file.display());
    let arguments = [
        "--decision-log",
        &destination,
        "--decision-log-file-size",
        "1Mi",
        "--decision-log-file-count",
        "3",
    ];
    let server = serve(folder.path(), &arguments);
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(200 << 10));
    let ids = decide(&server, 12, &body);
    assert!(server.stop().success());
    let mut seen = Vec::new();
    for name in ["decisions.log.2", "decisions.log.1", "decisions.log"] {
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.len() <= 1 << 20 && text.ends_with("}\n"));
        seen.extend(text.lines().map(|line| {
            let entry: Json = serde_json::from_str(line).unwrap();
            entry["decision_id"].as_str().unwrap().to_owned()
        }));
    }
    assert_eq!(seen, ids);
    assert!(!folder.path().join("decisions.log.3").exists());
}

/// Whichever door a request comes to, its entry says where it comes from and which it is.
#[test]
fn every_door_says_where_a_request_comes_from() {
    let folder = TempDir::new().unwrap();
    let policies = folder.path().join("policies");
    let schema = "outputSchema: {type: object}\n";
    write(&policies, "services/authorization/1.0/policy.yaml", schema);
    let server = serve(folder.path(), &["--decision-log", "stdout"]);
    let by_address = "/policy/services/authorization/1.0";
    let doors = [
        ("POST", format!("{by_address}/evaluation")),
        ("GET", format!("{by_address}/evaluation")),
        ("GET", format!("{by_address}/evaluation/did.json")),
        ("POST", format!("{by_address}/validation")),
        ("POST", format!("{by_address}/decision")),
        ("POST", "/v1/data/services/authorization/allow".to_owned()),
        ("GET", "/v1/data/services/authorization/allow".to_owned()),
        ("POST", "/v1/data/services".to_owned()),
        ("POST", "/v1/data".to_owned()),
        ("POST", "/v0/data/services/authorization/allow".to_owned()),
        ("POST", "/".to_owned()),
        (
            "GET",
            "/v1/query?q=data.services.authorization.allow".to_owned(),
        ),
    ];
    let mut last = 0;
    for (method, path) in doors {
        server.ask(method, &path, if method == "POST" { "{}" } else { "" });
        let entry: Json = serde_json::from_str(&server.next_line()).unwrap();
        let peer = entry["requested_by"].as_str().unwrap_or_default();
        assert!(peer.starts_with("127.0.0.1:"), "{path} {entry}");
        let number = entry["req_id"].as_u64().unwrap_or_default();
        assert!(number > last, "{path} {entry}");
        last = number;
    }
    let review = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}}"#,
        r#"{"uid":"1","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","object":{}}"#
    );
    // The policies that come with it judge Pods.
    let home = TempDir::new().unwrap();
    let arguments = ["serve", "--decision-log", "stdout"].map(OsStr::new);
    let server = Server::start(&arguments, home.path());
    for path in ["/admission/cluster/fail", "/admission/cluster/ignore"] {
        let answer = server.ask("POST", path, &review);
        assert_eq!(answer.status, 200, "{}", answer.body);
        if !answer.body.contains("auditAnnotations") {
            continue;
        }
        let entry: Json = serde_json::from_str(&server.next_line()).unwrap();
        assert_eq!(entry["path"], path.trim_start_matches('/'));
        assert!(entry["requested_by"].is_string() && entry["req_id"].is_u64());
        return;
    }
    panic!("no policy judges Pods");
}
