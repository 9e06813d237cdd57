//! The CEL rules of the schemas (`x-kubernetes-validations`).
//!
//! The API server runs them on every write, before anything of ours sees the object. Each message
//! says what to write instead, because it is all that a user sees. Where a plain `pattern` or
//! `minItems` would do, a rule stands in its place for the sake of that message.
//!
//! The cost of a rule is estimated from the `maxLength`, `maxItems` and `maxProperties` beside it;
//! a definition whose estimate is over the API server's limit is refused as a whole. So what a rule
//! iterates over is bounded in the schema, and no rule looks into free-form JSON or into a module.

mod data;

use serde_json::{Value, json};

pub use data::HEADERS_OF_THE_CLIENT;
pub(crate) use data::{
    authorities, data_from, data_path, header_name, http_header, http_source, http_timeout, period,
};

/// A segment of a Rego package, the way `group` and `name` are written.
const SEGMENT: &str = "^[a-z][a-z0-9_]*$";

/// RFC 3339 with seconds and an offset. CEL's `timestamp()` then refuses what is not a day, such as
/// the 31st of February. Leap seconds are left out: neither Go nor Rust's clock has them.
const RFC_3339: &str = "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
    T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// Rules of `PolicySpec` as a whole.
pub(crate) fn policy_spec() -> Value {
    // A time that does not parse has its own message at its own field, so this rule passes it.
    let both = format!(
        "has(self.notBefore) && has(self.notAfter) \
         && self.notBefore.matches('{RFC_3339}') && self.notAfter.matches('{RFC_3339}')"
    );
    json!([
        rule(
            &format!("!({both}) || timestamp(self.notBefore) < timestamp(self.notAfter)"),
            "notBefore must be earlier than notAfter: swap them, or remove one of them",
        ),
        rule(
            "!has(self.network) || !has(self.admission)",
            "a policy that judges at admission reaches no network: remove network, or admission",
        ),
        rule(
            "!has(self.shadow) || !self.shadow || has(self.admission)",
            "a shadow is compared at admission: add admission, or remove shadow",
        ),
        rule(
            "!has(self.lockOnFailure) || !self.lockOnFailure || has(self.outputSchema)",
            "lockOnFailure is about results that break a schema: add outputSchema, or remove \
             lockOnFailure",
        ),
        rule(
            "!has(self.supersedes) || self.supersedes != self.version",
            "a policy supersedes an older version of itself: write another version, or remove \
             supersedes",
        ),
        rule(
            "!has(self.supersedes) || !has(self.notAfter)",
            "a policy that supersedes another has no end, after which neither would judge: remove \
             notAfter, and delete the policy when its time is over",
        ),
    ])
}

/// The hosts that a policy may ask: one or more.
pub(crate) fn hosts() -> Value {
    let label = "[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?";
    let name = format!("([*][.])?{label}([.]{label})*");
    let pattern = format!("^({name}|[[][0-9a-fA-F:.]+[]])(:[1-9][0-9]{{0,4}})?$");
    json!([
        rule(
            "size(self) > 0",
            "network names hosts: write one, such as api.example.com, or remove network",
        ),
        rule(
            &format!("self.all(host, host.matches('{pattern}'))"),
            "hosts are names with a port or without: write them like api.example.com, \
             *.example.com or api.example.com:8443",
        ),
    ])
}

/// `group` and `name` of a policy: a segment that never changes.
pub(crate) fn package_segment(field: &str) -> Value {
    json!([segment_rule(field), immutable()])
}

/// `group` and `name` where a lock or an import refers to a policy.
pub(crate) fn segment(field: &str) -> Value {
    json!([segment_rule(field)])
}

/// The version of a policy: dotted numbers that never change.
pub(crate) fn version() -> Value {
    json!([dotted_numbers_rule(), immutable()])
}

/// The version where a lock or an import refers to a policy.
pub(crate) fn dotted_numbers() -> Value {
    json!([dotted_numbers_rule()])
}

/// The path of a rule or package below `data`.
pub(crate) fn entrypoint() -> Value {
    json!([rule(
        "self.matches('^data([.][a-zA-Z_][a-zA-Z0-9_]*)+$')",
        "entrypoint is the path of a rule or package, such as data.platform.required_labels: \
         start it with data. and join names with dots",
    )])
}

/// A moment.
pub(crate) fn time(field: &str) -> Value {
    json!([rule(
        &format!(
            "self.matches('{RFC_3339}') && timestamp(self) > timestamp('0001-01-01T00:00:00Z')"
        ),
        &format!(
            "{field} must be an RFC 3339 time: write it like 2026-12-01T00:00:00Z or \
             2026-12-01T09:30:00+02:00, and quote it"
        ),
    )])
}

/// The time limit of one evaluation. Four digits at the most keep the sum far from overflow.
pub(crate) fn timeout() -> Value {
    json!([rule(
        "self.matches('^[1-9][0-9]{0,3}(ms|s)$') && duration(self) <= duration('5s')",
        "timeout must be whole milliseconds or seconds from 1ms to 5s: write it like 250ms or 2s",
    )])
}

/// The memory limit of one evaluation.
pub(crate) fn memory() -> Value {
    json!([rule(
        "self.matches('^([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-6])Mi$')",
        "memory must be whole mebibytes from 1Mi to 256Mi: write it like 64Mi",
    )])
}

/// The digest of a policy.
pub(crate) fn digest() -> Value {
    json!([rule(
        "self.matches('^sha256:[0-9a-f]{64}$')",
        "sha256 is a digest: write sha256: and 64 hexadecimal digits, as status.digest shows them",
    )])
}

/// The modules of a policy: one or more, whose names end in `.rego`.
pub(crate) fn modules() -> Value {
    json!([
        rule(
            "size(self) > 0",
            "a policy needs Rego: add a file under modules, such as policy.rego",
        ),
        rule(
            "self.all(file, file.endsWith('.rego'))",
            "modules holds Rego files: let each file name end in .rego, and put JSON under data",
        ),
    ])
}

/// The rules of a match: one or more.
pub(crate) fn resource_rules() -> Value {
    json!([rule(
        "size(self) > 0",
        "a policy with admission matches something: add a rule with apiGroups, apiVersions, \
         resources and operations, or remove admission",
    )])
}

/// Names of objects.
pub(crate) fn resource_names() -> Value {
    json!([rule(
        "self.all(name, size(name) > 0)",
        "no object has an empty name: write a name, or remove it",
    )])
}

/// Kinds with Pod templates: one or more.
pub(crate) fn workloads() -> Value {
    json!([rule(
        "has(self.kinds) || has(self.custom) && size(self.custom) > 0",
        "workloads names kinds: write kinds, such as [\"*\"], or add custom, or remove workloads",
    )])
}

/// A resource without a subresource.
pub(crate) fn plural() -> Value {
    json!([rule(
        "self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "resource is a plural in lower case: write it like rollouts",
    )])
}

/// The path of a Pod template in an object.
pub(crate) fn template_path() -> Value {
    let field = "[a-zA-Z_][-a-zA-Z0-9_]*([[][*][]])?";
    json!([rule(
        &format!("self.matches('^{field}([.]{field}){{0,15}}$')"),
        "path is made of field names: write it like spec.template or spec.tasks[*].template",
    )])
}

/// The name of a condition.
pub(crate) fn condition_name() -> Value {
    json!([rule(
        "self.matches('^([a-zA-Z0-9][-a-zA-Z0-9.]*/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$')",
        "a condition has a name of letters, digits, - _ and .: write it like not-a-node",
    )])
}

/// The expression of a condition.
pub(crate) fn expression() -> Value {
    json!([rule(
        "self.trim().size() > 0",
        "a condition has an expression: write one, such as request.operation != 'DELETE'",
    )])
}

/// A list that is not empty, and where `*` stands alone. `example` is what to write in it.
pub(crate) fn wildcard_alone(field: &str, example: &str) -> Value {
    json!([
        rule(
            "size(self) > 0",
            &format!("{field} must not be empty: write {example}, or * for all")
        ),
        rule(
            "size(self) < 2 || !('*' in self)",
            &format!("* in {field} stands for all: remove the others, or remove the *"),
        ),
    ])
}

/// The same as [`wildcard_alone`], each entry matching `pattern` or being `*`.
pub(crate) fn wildcard_or(field: &str, pattern: &str, example: &str) -> Value {
    let mut rules = wildcard_alone(field, example);
    if let Some(rules) = rules.as_array_mut() {
        rules.push(rule(
            &format!("self.all(entry, entry == '*' || entry.matches('{pattern}'))"),
            &format!("{field} has an entry that no API has: write {example}, or * for all"),
        ));
    }
    rules
}

/// Rules of `LockSpec` as a whole.
pub(crate) fn lock_spec() -> Value {
    let named = "(has(self.policy) ? 1 : 0) + (has(self.selector) ? 1 : 0) \
                 + (has(self.all) && self.all ? 1 : 0)";
    json!([
        rule(
            &format!("{named} > 0"),
            "a lock names what it locks: add policy, or a selector that is not empty, or all: true",
        ),
        rule(
            &format!("{named} < 2"),
            "a lock names what it locks in one way: keep one of policy, selector and all: true, \
             and make further locks for the others",
        ),
    ])
}

/// The selector of a lock. An empty one would match every policy by accident.
pub(crate) fn lock_selector() -> Value {
    json!([rule(
        "has(self.matchLabels) && size(self.matchLabels) > 0 \
         || has(self.matchExpressions) && size(self.matchExpressions) > 0",
        "an empty selector would lock everything: add matchLabels or matchExpressions, or say \
         all: true instead of selector",
    )])
}

/// One expression of a label selector.
pub(crate) fn label_expression() -> Value {
    json!([rule(
        "self.operator in ['In', 'NotIn'] == (has(self.values) && size(self.values) > 0)",
        "In and NotIn compare with values, Exists and DoesNotExist with none: add values, or \
         remove them",
    )])
}

/// The address that a lock names.
pub(crate) fn policy_reference() -> Value {
    json!([rule(
        "!has(self.version) || has(self.name)",
        "a version belongs to a name: add name, or remove version",
    )])
}

/// Where a binding of a namespace takes parameters of.
pub(crate) fn namespaced_binding() -> Value {
    json!([rule(
        "!has(self.parametersFrom) || !has(self.parametersFrom.namespace)",
        "a PolicyBinding takes parameters of its own namespace: remove parametersFrom.namespace, or \
         use a ClusterPolicyBinding",
    )])
}

/// Objects that parameters are taken of.
pub(crate) fn parameters_from() -> Value {
    json!([
        rule(
            "has(self.name) != has(self.selector)",
            "parametersFrom names objects in one way: write name, or selector",
        ),
        rule(
            "!has(self.key) || self.kind == 'ConfigMap' && self.apiVersion == 'v1'",
            "key is a key of a ConfigMap: remove it",
        ),
        rule(
            "self.kind != 'Secret' || self.apiVersion != 'v1'",
            "what a Secret holds would be shown by messages and decisions: write it into a ConfigMap, \
             or a kind of your own",
        ),
    ])
}

/// The API version of an object.
pub(crate) fn api_version() -> Value {
    json!([rule(
        "self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+$')",
        "apiVersion is a version, with its group where it has one: write it like v1 or \
         example.com/v1",
    )])
}

/// The kind of an object.
pub(crate) fn kind() -> Value {
    json!([rule(
        "self.matches('^[A-Z][A-Za-z0-9]*$')",
        "kind begins with an upper-case letter: write it like ConfigMap",
    )])
}

/// The points of a lock.
pub(crate) fn points() -> Value {
    json!([rule(
        "size(self) > 0",
        "a lock without points locks nothing: write admission, evaluation or both, or remove \
         points for both",
    )])
}

/// The reason of a lock.
pub(crate) fn reason() -> Value {
    json!([rule(
        "self.trim().size() > 0",
        "a lock says why, to those whom it stops: write a reason, such as incident 4711",
    )])
}

/// A subscription is about one policy and one subscriber for as long as it exists.
pub(crate) fn subscription_spec() -> Value {
    json!([rule(
        "self == oldSelf",
        "a subscription cannot change: create another one, then delete this one",
    )])
}

/// The name of a subscriber.
pub(crate) fn subscriber() -> Value {
    json!([rule(
        "self.size() >= 3",
        "a subscriber has a name of 3 to 100 characters: write one, such as shop",
    )])
}

/// Whom the operator asks.
pub(crate) fn url(field: &str) -> Value {
    json!([rule(
        "self.matches('^https?://[^@/?#]+([/?].*)?$')",
        &format!(
            "{field} is asked by http or https, without a user: write it like \
             https://example.com/path"
        ),
    )])
}

/// How often an archive is fetched. Three digits of each keep the sum far from overflow.
pub(crate) fn import_interval() -> Value {
    json!([rule(
        "self.matches('^([0-9]{1,3}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$') && self.size() > 0 \
         && duration(self) >= duration('1m') && duration(self) <= duration('720h')",
        "interval is from 1m to 720h: write it like 1h or 1h30m",
    )])
}

/// Rules of `ExemptionSpec` as a whole.
pub(crate) fn exemption_spec() -> Value {
    json!([exempts_something()])
}

/// Rules of `ClusterExemptionSpec` as a whole.
pub(crate) fn cluster_exemption_spec() -> Value {
    json!([
        exempts_something(),
        rule(
            "!self.policies.exists(policy, policy.kind == 'Policy') \
             || (has(self.namespaces) && size(self.namespaces) > 0) || has(self.namespaceSelector)",
            "Policies are of namespaces: add namespaces or a namespaceSelector, which may be {} for \
             all, or write kind: ClusterPolicy",
        ),
    ])
}

fn exempts_something() -> Value {
    rule(
        "has(self.objects) != (has(self.allObjects) && self.allObjects)",
        "an exemption says in one way which objects it is for: write objects, or allObjects: true",
    )
}

/// The policies of an exemption: one or more.
pub(crate) fn exempted_policies() -> Value {
    json!([rule(
        "size(self) > 0",
        "an exemption names policies: add one by kind and group, and by name and version",
    )])
}

/// The objects of an exemption. Without any restriction they would be all by accident.
pub(crate) fn exempted_objects() -> Value {
    let lists = [
        "resourceRules",
        "images",
        "users",
        "groups",
        "matchConditions",
    ];
    let lists = lists.map(|field| format!("(has(self.{field}) && size(self.{field}) > 0)"));
    let says_something = format!(
        "{} || (has(self.objectSelector) && ( \
         (has(self.objectSelector.matchLabels) && size(self.objectSelector.matchLabels) > 0) \
         || (has(self.objectSelector.matchExpressions) \
         && size(self.objectSelector.matchExpressions) > 0)))",
        lists.join(" || ")
    );
    json!([rule(
        &says_something,
        "objects that are not told apart are all objects: add resourceRules, images, users or \
         another restriction, or write allObjects: true instead of objects",
    )])
}

/// Names of namespaces and patterns of them.
pub(crate) fn exempted_namespaces() -> Value {
    json!([rule(
        "self.all(name, size(name) > 0)",
        "no namespace has an empty name: write a name or a pattern, or remove it",
    )])
}

/// Patterns of images.
pub(crate) fn image_patterns() -> Value {
    json!([
        rule(
            "self.all(pattern, size(pattern) > 0)",
            "no image has an empty name: write a pattern, such as registry.example.com/legacy/**, \
             or remove it",
        ),
        rule(
            "self.all(pattern, !pattern.contains('**') \
             || (pattern.endsWith('/**') && pattern.indexOf('**') == size(pattern) - 2))",
            "** in a pattern of images is everything below, and stands at its end: write it like \
             registry.example.com/legacy/**",
        ),
    ])
}

/// Names of users or groups and patterns of them.
pub(crate) fn requesters() -> Value {
    json!([rule(
        "self.all(name, size(name) > 0)",
        "nobody has an empty name: write a name or a pattern, or remove it",
    )])
}

/// The reason of an exemption.
pub(crate) fn exemption_reason() -> Value {
    json!([rule(
        "self.trim().size() > 0",
        "an exemption says why, to those who look at it later: write a reason, such as TICKET-4711",
    )])
}

/// Who approved an exemption.
pub(crate) fn approver() -> Value {
    json!([rule(
        "self.trim().size() > 0",
        "an exemption is approved by somebody: write a name, such as jane.doe@example.com",
    )])
}

fn segment_rule(field: &str) -> Value {
    rule(
        &format!("self.matches('{SEGMENT}')"),
        &format!(
            "{field} is a segment of a Rego package: write lower-case letters, digits and \
             underscores, starting with a letter, such as required_labels"
        ),
    )
}

fn dotted_numbers_rule() -> Value {
    rule(
        "self.matches('^[0-9]+([.][0-9]+)*$')",
        "version is made of numbers joined by dots: write it like 1.0 or 2.11.3, in quotes and \
         without a v",
    )
}

fn immutable() -> Value {
    rule(
        "self == oldSelf",
        "the address of a policy cannot change: create another policy with the new address, then \
         delete this one",
    )
}

fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}
