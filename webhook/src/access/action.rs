//! What a request is about to do, as the API server's authorizer names actions: a verb on a resource.
//!
//! | request | verb | resource | name |
//! |---|---|---|---|
//! | `…/evaluation`, `…/decision`, `…/validation` | `create` | `clusterpolicies/evaluation` | `<group>.<name>` |
//! | the same below `/namespaces/{namespace}` | `create` | `policies/evaluation` in it | `<group>.<name>` |
//! | `/v1/data/{group}/{name}/…`, `?namespace=` | `create` | as above | `<group>.<name>` |
//! | any other question that may ask every policy | `create` | `clusterpolicies/evaluation` | |
//! | another action of a policy, such as `…/export` | `get`, `create`, `update`, `delete` | `…/<action>` | `<group>.<name>` |
//! | results that are kept, with `GET` | `get` | `clusterpolicies/evaluation` | |
//! | lists and states, with `GET` | `list` | `clusterpolicies/evaluation` | |
//!
//! The name is the policy's package and not its object: what a service may ask stays the same when a
//! newer version takes an older one's place.

use axum::http::Method as Verb;

/// What a caller is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// `create`, `list`, `get`, `update` or `delete`.
    pub verb: &'static str,
    /// What follows the resource: `evaluation`.
    pub subresource: String,
    /// The namespace that owns the policy; without it, the resource is the cluster's.
    pub namespace: Option<String>,
    /// The policy's package, `<group>.<name>`; empty where it may be any.
    pub name: String,
}

/// Who says whether a request may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Nobody: probes and the API's own description.
    Open,
    /// The installation itself asks, the operator or another replica, and shows its pass; or else
    /// whoever knows the caller's rights.
    OfInstallation(Action),
    /// The route itself, which asks with the caller's own bearer token.
    Own,
    /// Whoever knows the caller's rights.
    Asked(Action),
}

/// What evaluates a policy.
const EVALUATION: &str = "evaluation";

impl Action {
    /// `policies` or `clusterpolicies`.
    pub fn resource(&self) -> &'static str {
        if self.namespace.is_some() {
            "policies"
        } else {
            "clusterpolicies"
        }
    }

    fn of_any(verb: &'static str) -> Self {
        Self {
            verb,
            subresource: EVALUATION.to_owned(),
            namespace: None,
            name: String::new(),
        }
    }
}

/// What a request is about: its method, the route that takes it (none where no route does), the
/// parameters of its path, and the namespace of its query.
pub(super) fn route<'p>(
    method: &Verb,
    route: Option<&str>,
    parameter: impl Fn(&str) -> Option<&'p str>,
    namespace: Option<&str>,
) -> Route {
    let Some(route) = route else {
        return Route::Asked(Action::of_any(verb_of(method)));
    };
    match route {
        "/liveness" | "/readiness" | "/openapi.json" => return Route::Open,
        "/v1/enforcement" | "/v1/shadows" => return Route::OfInstallation(Action::of_any("list")),
        _ if is_within(route, "/swagger-ui") || is_within(route, "/health") => return Route::Open,
        _ if is_within(route, "/decisions") || is_within(route, "/v1/policy/import") => {
            return Route::Own;
        }
        _ if is_within(route, "/v1/results") => {
            return Route::OfInstallation(Action::of_any("get"));
        }
        _ => {}
    }
    if let (Some(group), Some(name)) = (parameter("group"), parameter("name")) {
        let tail = route.rsplit_once("{version}").map_or("", |(_, tail)| tail);
        let action = tail.trim_start_matches('/').split('/').next();
        return match action.unwrap_or_default() {
            "lock" | "notifychange" => Route::Own,
            action => Route::Asked(of_policy(
                method,
                action,
                parameter("namespace"),
                package(group, name),
            )),
        };
    }
    if is_within(route, "/v1/data") || is_within(route, "/v0/data") {
        let path = parameter("path").unwrap_or_default();
        let mut parts = path.split('/');
        let named = parts.next().zip(parts.next());
        let name = named.map_or_else(String::new, |(group, name)| package(group, name));
        let namespace = namespace.map(str::to_owned);
        let any = Action::of_any("create");
        return Route::Asked(Action {
            namespace,
            name,
            ..any
        });
    }
    // These ask whatever they are told to.
    if matches!(route, "/" | "/v1/query" | "/v1/compile") {
        return Route::Asked(Action::of_any("create"));
    }
    Route::Asked(Action::of_any(verb_of(method)))
}

/// An action of one policy.
fn of_policy(method: &Verb, action: &str, namespace: Option<&str>, name: String) -> Action {
    let evaluates = matches!(action, EVALUATION | "decision" | "validation");
    let (verb, subresource) = if evaluates {
        ("create", EVALUATION)
    } else if verb_of(method) == "list" {
        ("get", action)
    } else {
        (verb_of(method), action)
    };
    Action {
        verb,
        subresource: subresource.to_owned(),
        namespace: namespace.map(str::to_owned),
        name,
    }
}

/// The package of a policy; empty, and so any, where these are no group and name.
fn package(group: &str, name: &str) -> String {
    let is_segment = |part: &str| {
        let mut bytes = part.bytes();
        let starts = bytes.next().is_some_and(|first| first.is_ascii_lowercase());
        starts && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    if is_segment(group) && is_segment(name) {
        format!("{group}.{name}")
    } else {
        String::new()
    }
}

fn verb_of(method: &Verb) -> &'static str {
    match *method {
        Verb::GET | Verb::HEAD | Verb::OPTIONS => "list",
        Verb::PUT | Verb::PATCH => "update",
        Verb::DELETE => "delete",
        _ => "create",
    }
}

/// Whether a route is this one, or below it.
fn is_within(route: &str, folder: &str) -> bool {
    route
        .strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const BY_ADDRESS: [(&str, &str); 3] = [("group", "a"), ("name", "b"), ("version", "1.0")];
    const IN_TEAM: [(&str, &str); 4] = [
        ("namespace", "team"),
        ("group", "a"),
        ("name", "b"),
        ("version", "1.0"),
    ];

    /// `verb resource/subresource namespace/name`, or what the route is.
    fn told(method: &str, path: &str, parameters: &[(&str, &str)], query: Option<&str>) -> String {
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| *value)
        };
        let path = (path != "404").then_some(path);
        match route(&method.parse().unwrap(), path, parameter, query) {
            Route::Open => "open".to_owned(),
            Route::Own => "own".to_owned(),
            Route::OfInstallation(action) => format!("own or {}", shown(&action)),
            Route::Asked(action) => shown(&action),
        }
    }

    fn shown(action: &Action) -> String {
        format!(
            "{} {}/{} {}/{}",
            action.verb,
            action.resource(),
            action.subresource,
            action.namespace.as_deref().unwrap_or_default(),
            action.name
        )
    }

    #[rstest]
    #[case("/health", "open")]
    #[case("/health/{rule}", "open")]
    #[case("/v1/policy/import", "own")]
    #[case("/v1/policy/import/config", "own")]
    #[case("/v1/policy", "list clusterpolicies/evaluation /")]
    #[case("/v1/results/{id}", "own or get clusterpolicies/evaluation /")]
    #[case("/liveness", "open")]
    #[case("/readiness", "open")]
    #[case("/openapi.json", "open")]
    #[case("/swagger-ui/{*rest}", "open")]
    #[case("/swagger-ui", "open")]
    #[case("/swagger-ui-not", "list clusterpolicies/evaluation /")]
    #[case("/decisions/{id}", "own")]
    #[case("/v1/enforcement", "own or list clusterpolicies/evaluation /")]
    #[case("/v1/shadows", "own or list clusterpolicies/evaluation /")]
    #[case("/v1/policies", "list clusterpolicies/evaluation /")]
    #[case("/v1/status", "list clusterpolicies/evaluation /")]
    #[case("/v1/query", "create clusterpolicies/evaluation /")]
    #[case("/", "create clusterpolicies/evaluation /")]
    #[case("/v1/data", "create clusterpolicies/evaluation /")]
    #[case("404", "list clusterpolicies/evaluation /")]
    fn routes_of_no_policy(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(told("GET", path, &[], None), expected);
    }

    #[rstest]
    #[case("GET", "evaluation", "create clusterpolicies/evaluation /a.b")]
    #[case("POST", "evaluation", "create clusterpolicies/evaluation /a.b")]
    #[case(
        "POST",
        "evaluation/did.json",
        "create clusterpolicies/evaluation /a.b"
    )]
    #[case("POST", "decision", "create clusterpolicies/evaluation /a.b")]
    #[case("POST", "validation", "create clusterpolicies/evaluation /a.b")]
    #[case("GET", "export", "get clusterpolicies/export /a.b")]
    #[case("POST", "other", "create clusterpolicies/other /a.b")]
    #[case("DELETE", "other", "delete clusterpolicies/other /a.b")]
    #[case("POST", "notifychange", "own")]
    #[case("DELETE", "notifychange", "own")]
    #[case("POST", "lock", "own")]
    #[case("DELETE", "lock", "own")]
    fn routes_of_a_policy(#[case] method: &str, #[case] tail: &str, #[case] expected: &str) {
        let three = format!("/policy/{{group}}/{{name}}/{{version}}/{tail}");
        assert_eq!(told(method, &three, &BY_ADDRESS, None), expected);
        let four = format!("/policy/{{repository}}/{{group}}/{{name}}/{{version}}/{tail}");
        assert_eq!(told(method, &four, &BY_ADDRESS, None), expected);
        let owned =
            format!("/namespaces/{{namespace}}/policy/{{group}}/{{name}}/{{version}}/{tail}");
        let expected = expected.replace("clusterpolicies", "policies");
        let expected = expected.replace(" /a.b", " team/a.b");
        assert_eq!(told(method, &owned, &IN_TEAM, None), expected);
    }

    /// A query that says a namespace says it to OPA's routes alone.
    #[rstest]
    #[case("a/b/allow", None, "create clusterpolicies/evaluation /a.b")]
    #[case("a/b", None, "create clusterpolicies/evaluation /a.b")]
    #[case("a", None, "create clusterpolicies/evaluation /")]
    #[case("", None, "create clusterpolicies/evaluation /")]
    #[case("a/B", None, "create clusterpolicies/evaluation /")]
    #[case("a.b/c", None, "create clusterpolicies/evaluation /")]
    #[case("a/b/c", Some("team"), "create policies/evaluation team/a.b")]
    fn documents_of_opa(
        #[case] path: &str,
        #[case] namespace: Option<&str>,
        #[case] expected: &str,
    ) {
        let parameters = [("path", path)];
        for route in ["/v1/data/{*path}", "/v0/data/{*path}"] {
            assert_eq!(told("POST", route, &parameters, namespace), expected);
            assert_eq!(told("GET", route, &parameters, namespace), expected);
        }
        let three = "/policy/{group}/{name}/{version}/evaluation";
        let told = told("GET", three, &BY_ADDRESS, namespace);
        assert_eq!(told, "create clusterpolicies/evaluation /a.b");
    }

    #[rstest]
    #[case("..", "b")]
    #[case("a/b", "c")]
    #[case("", "")]
    fn a_name_that_is_none_may_be_any(#[case] group: &str, #[case] name: &str) {
        let parameters = [("group", group), ("name", name)];
        let told = told(
            "POST",
            "/policy/{group}/{name}/{version}/evaluation",
            &parameters,
            None,
        );
        assert_eq!(told, "create clusterpolicies/evaluation /");
    }
}
