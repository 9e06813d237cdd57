//! TLS on the listener, and the probe that checks it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::process::{Server, run, write};

/// Writes an authority `<name>-ca.crt`, and a certificate of it for 127.0.0.1.
fn certify(folder: &TempDir, name: &str) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    write(folder.path(), &format!("{name}-ca.crt"), &authority.pem());
    write(folder.path(), &format!("{name}.crt"), &server.pem());
    write(folder.path(), &format!("{name}.key"), &key.serialize_pem());
}

/// A server with the certificate `own`, and its folder.
fn served() -> (TempDir, Server) {
    let folder = TempDir::new().unwrap();
    let policies = folder.path().join("policies");
    let policy = "package a.b\n\nallow := true\n";
    write(&policies, "a/b/1.0/policy.rego", policy);
    certify(&folder, "own");
    certify(&folder, "other");
    let file = |name: &str| folder.path().join(name).into_os_string();
    let (chain, key) = (file("own.crt"), file("own.key"));
    let arguments = [
        "serve".as_ref(),
        policies.as_os_str(),
        "--tls-cert".as_ref(),
        &chain,
        "--tls-key".as_ref(),
        &key,
    ];
    let server = Server::start(&arguments, folder.path());
    assert!(
        server.printed.contains("evaluation: https://127.0.0.1:"),
        "{}",
        server.printed
    );
    (folder, server)
}

#[test]
fn a_listener_with_a_certificate_speaks_tls_only() {
    let (folder, server) = served();
    let url = format!("https://{}/policy/a/b/1.0/evaluation", server.evaluation);
    let plain = url.replace("https:", "http:");
    let authority = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (own, other) = (authority("own-ca.crt"), authority("other-ca.crt"));
    for (arguments, succeeds, says) in [
        (&["probe", &url, "--ca", &own][..], true, "answers 200"),
        (
            &["probe", &url, "--ca", &other],
            false,
            "failed to establish TLS 1.3",
        ),
        (&["probe", &plain], false, "failed to read the answer"),
    ] {
        let ended = run(arguments);
        let text = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        assert_eq!(ended.status.success(), succeeds, "{text}");
        assert!(text.contains(says), "{says:?} is not in {text:?}");
    }
}

#[test]
fn a_certificate_that_changes_is_taken_over() {
    let (folder, server) = served();
    let url = format!("https://{}/policy/a/b/1.0/evaluation", server.evaluation);
    let other = folder.path().join("other-ca.crt");
    let probe = || run(&["probe", &url, "--ca", other.to_str().unwrap()]);
    server.await_log("a certificate is installed");
    assert!(!probe().status.success());
    for file in ["crt", "key"] {
        let at = |name: &str| folder.path().join(format!("{name}.{file}"));
        std::fs::rename(at("other"), at("own")).unwrap();
    }
    server.await_log("a certificate is installed");
    let ended = probe();
    assert!(ended.status.success(), "{ended:?}");
}
