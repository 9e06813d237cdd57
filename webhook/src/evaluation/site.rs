//! Keeps pages of other sites, which a browser shows, from locking and unlocking, and from reading
//! decisions, on loopback, where nobody is asked for a token.
//!
//! Such a page names itself in `Origin`. If its site's name is made to lead to loopback meanwhile,
//! the browser takes this server for that site; then the name that it asked for gives it away.

use std::net::IpAddr;

use axum::http::{
    HeaderMap, StatusCode, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

use crate::problem::Problem;

/// Refuses a request from a page of another site. Where whoever comes may do it, it must have been
/// asked for by a name of loopback as well.
pub(crate) fn refuse_others(uri: &Uri, headers: &HeaderMap, is_open: bool) -> Result<(), Problem> {
    // HTTP/2 has the name in the URI.
    let host = uri.authority().cloned().or_else(|| {
        let host = headers.get(HOST)?.to_str().ok()?;
        host.parse().ok()
    });
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
        let origin = origin.as_ref().and_then(Uri::authority);
        if origin.is_none() || origin != host.as_ref() {
            return Err(forbidden("the request comes from a page of another site"));
        }
    }
    if is_open && !host.is_some_and(|host| is_loopback(&host)) {
        let problem =
            forbidden("this is open on loopback only, and was asked for by another host's name");
        return Err(problem.with_remedy(
            "ask `localhost` or `127.0.0.1`, or start the server with `--lock-token-file`",
        ));
    }
    Ok(())
}

fn is_loopback(host: &Authority) -> bool {
    let name = host.host();
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || literal
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "REQUEST.FORBIDDEN", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn is_allowed(uri: &str, headers: &[(&str, &str)], is_open: bool) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        refuse_others(&uri.parse().unwrap(), &headers.collect(), is_open).is_ok()
    }

    #[rstest]
    #[case("localhost:8181", true)]
    #[case("LocalHost", true)]
    #[case("127.0.0.1:8181", true)]
    #[case("127.1.2.3", true)]
    #[case("[::1]:8181", true)]
    #[case("evil.example:8181", false)]
    #[case("localhost.evil.example", false)]
    #[case("127.0.0.1.evil.example", false)]
    #[case("localhost@evil.example", false)]
    #[case("192.0.2.1:8181", false)]
    #[case("[::2]", false)]
    #[case("a b", false)]
    fn who_may_lock_without_a_token_asks_loopback(#[case] host: &str, #[case] allowed: bool) {
        assert_eq!(is_allowed("/", &[("host", host)], true), allowed);
        let origin = format!("http://{host}");
        let of_page = [("host", host), ("origin", origin.as_str())];
        assert_eq!(
            is_allowed("/", &of_page, true),
            allowed,
            "a page of its own"
        );
        assert!(
            is_allowed("/", &[("host", host)], false),
            "a token is needed"
        );
    }

    #[test]
    fn the_name_is_needed_where_no_token_is() {
        assert!(!is_allowed("/", &[], true));
        assert!(is_allowed("/", &[], false));
    }

    #[test]
    fn http_2_has_it_in_the_uri() {
        let page = [("origin", "https://localhost:1")];
        assert!(is_allowed("https://localhost:1/", &page, true));
        assert!(!is_allowed("https://evil.example:1/", &page, true));
        let evil = [("origin", "https://evil.example:1")];
        assert!(!is_allowed("https://evil.example:1/", &evil, true));
    }
}
