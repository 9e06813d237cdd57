//! Which policy is meant, and its path.

use portcullis_policies::{Address, Scope};

/// Longest name of a namespace.
const MAX_NAMESPACE: usize = 63;

/// Reads `group/name@version`. As in the API's paths, the version has to be said.
pub(crate) fn parse_address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|error| {
        let versionless = !text.contains('@') && format!("{text}@0").parse::<Address>().is_ok();
        match text.rsplit_once('/') {
            Some((_, name)) if versionless => format!(
                "it has no version: write it like {text}@1.0, `portcullis list --name {name}` shows \
                 which there are"
            ),
            _ => format!("{error}"),
        }
    })
}

/// Reads the name of a namespace, which becomes a part of a path.
pub(crate) fn parse_namespace(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=MAX_NAMESPACE).contains(&text.len()) && text.bytes().all(is_plain);
    if is_name && !text.starts_with('-') && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err("a namespace is written like `team-a`".to_owned())
    }
}

/// The policy of this address within a namespace, or in the cluster.
pub(crate) fn within(address: &Address, namespace: Option<&str>) -> Address {
    let Some(namespace) = namespace else {
        return address.clone();
    };
    let scope = Scope::Namespace(namespace.to_owned());
    let version = address.version().as_str();
    Address::new(scope, address.group(), address.name(), version)
        .expect("the parts of an address are those of another one")
}

/// What leads to a policy's actions: `/policy/group/name/1.0`.
pub(crate) fn path(address: &Address) -> String {
    let owner = address.namespace();
    let owner = owner.map_or_else(String::new, |name| format!("/namespaces/{name}"));
    let (group, name, version) = (address.group(), address.name(), address.version());
    format!("{owner}/policy/{group}/{name}/{version}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "services/authorization@1.0",
        None,
        "/policy/services/authorization/1.0"
    )]
    #[case("a/b@1", Some("team-a"), "/namespaces/team-a/policy/a/b/1")]
    fn an_address_is_a_path(
        #[case] address: &str,
        #[case] namespace: Option<&str>,
        #[case] expected: &str,
    ) {
        let address = parse_address(address).unwrap();
        assert_eq!(path(&within(&address, namespace)), expected);
    }

    #[rstest]
    #[case(
        "services/authorization",
        "it has no version: write it like services/authorization@1.0"
    )]
    #[case("authorization", "expected group/name@version")]
    #[case("a/../b@1.0", "`../b` is not a valid name")]
    #[case("a/b@v1", "`v1` is not a valid version")]
    #[case("", "expected group/name@version")]
    fn what_is_no_address_is_told(#[case] text: &str, #[case] why: &str) {
        let told = parse_address(text).unwrap_err();
        assert!(told.contains(why), "{told}");
    }

    #[rstest]
    #[case("team-a", true)]
    #[case("0", true)]
    #[case("", false)]
    #[case("..", false)]
    #[case("a/b", false)]
    #[case("Team", false)]
    #[case("-a", false)]
    #[case("a-", false)]
    #[case("a%2fb", false)]
    fn namespaces(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(parse_namespace(text).is_ok(), expected);
        assert!(parse_namespace(&"a".repeat(MAX_NAMESPACE + 1)).is_err());
    }
}
