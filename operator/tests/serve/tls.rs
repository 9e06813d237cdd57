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

#[test]
fn a_listener_with_a_certificate_speaks_tls_only() {
    let folder = TempDir::new().unwrap();
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        "a/b/1.0/policy.rego",
        "package a.b\n\nallow := true\n",
    );
    certify(&folder, "own");
    certify(&folder, "other");
    let file = |name: &str| folder.path().join(name).into_os_string();
    let (chain, key) = (file("own.crt"), file("own.key"));
    let arguments = [
        "serve".as_ref(),
        root.path().as_os_str(),
        "--tls-cert".as_ref(),
        &chain,
        "--tls-key".as_ref(),
        &key,
    ];
    let server = Server::start(&arguments, root.path());
    assert!(
        server.printed.contains("evaluation: https://127.0.0.1:"),
        "{}",
        server.printed
    );

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
