//! Functions of OPA that are not here, each with the reason and what to do instead.

/// Why a function cannot be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The end of a sentence that begins with the function.
    pub reason: &'static str,
    /// What to do instead.
    pub remedy: &'static str,
}

/// Functions by what their names begin with: the reason, and the remedy.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "graphql.",
        "queries of GraphQL are not read here",
        "read the query where it comes in, and give the policy its fields as input",
    ),
    (
        "internal.test_case",
        "OPA's test runner puts it into tests, and nobody else",
        "leave it out",
    ),
    (
        "providers.aws.",
        "policies make no network calls, so that there is no request to sign",
        "sign a request where it is sent",
    ),
    (
        "rego.parse_module",
        "a policy does not read the source of policies",
        "give the policy what it needs to know of the module as input",
    ),
];

/// What the compiler puts something else in the place of. Only where one of these would stand in for
/// another function is there something to call.
pub(super) const COMPILED: [&str; 5] = [
    "assign",
    "print",
    "rego.metadata.chain",
    "rego.metadata.rule",
    "walk",
];

/// Why a function cannot be called that is in no table.
pub(super) fn of(name: &str) -> Refusal {
    if COMPILED.contains(&name) {
        return Refusal {
            reason: "it stands in for no other function",
            remedy: "call it directly",
        };
    }
    let known = REFUSED.iter().find(|(prefix, ..)| name.starts_with(prefix));
    let (reason, remedy) = known.map_or(
        (
            "it is not there yet",
            "evaluate this policy with OPA, or do without the function",
        ),
        |(_, reason, remedy)| (*reason, *remedy),
    );
    Refusal { reason, remedy }
}
