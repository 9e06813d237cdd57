//! Policies that use the packages of others, and the shared library.

use rstest::rstest;

use super::*;
use crate::lock::Effect;

/// A policy of the package `a.<name>` that imports others by name.
fn importing(name: &str, imports: &[&str], source: &str) -> Definition {
    let import = |name: &&str| Import {
        address: format!("a/{name}@1").parse().unwrap(),
        pin: None,
    };
    Definition {
        imports: imports.iter().map(import).collect(),
        ..Definition::new(
            format!("a/{name}@1").parse().unwrap(),
            &format!("package a.{name}\n{source}"),
        )
    }
}

/// A cache of these policies, each compiled with what it imports.
fn linked(definitions: impl IntoIterator<Item = Definition>) -> Cache {
    let objects = definitions.into_iter().map(|definition| {
        let name = definition.address.path();
        object(&name, 0, definition)
    });
    let cache = cache(objects, []);
    link(&cache);
    cache
}

/// Compiles again what is outdated, until nothing is. Gives the names in the order in which they
/// were compiled.
fn link(cache: &Cache) -> Vec<String> {
    let mut compiled = Vec::new();
    loop {
        let outdated = cache.outdated();
        if outdated.is_empty() {
            return compiled;
        }
        for before in outdated {
            let snapshot = cache.snapshot();
            let definition = before.policy.definition().clone();
            compiled.push(definition.address.name().to_owned());
            assert!(compiled.len() < 100, "it never ends: {compiled:?}");
            let policy =
                Policy::compile_within(definition, &*snapshot, crate::Allowance::default());
            let policy = Arc::new(policy);
            cache.update(|state| state.apply_policy(Object { policy, ..before }));
        }
    }
}

fn apply(cache: &Cache, definition: Definition) {
    let name = definition.address.path();
    cache.update(|state| state.apply_policy(object(&name, 0, definition)));
}

fn entry(cache: &Cache, name: &str) -> Arc<Entry> {
    let address = format!("a/{name}@1").parse().unwrap();
    cache.snapshot().find(&address).unwrap().clone()
}

fn answer(cache: &Cache, name: &str) -> Decision {
    let input = Input::Evaluation(Some(Document::from(&json!({"user": "ann"}))));
    entry(cache, name).decide(&input, &request())
}

fn faults(cache: &Cache, name: &str) -> String {
    let faults = entry(cache, name).policy.faults().cloned();
    faults.map_or_else(String::new, |faults| faults.to_string())
}

const ROLES: &str = "is_admin(user) if user in data.admins";
const GATE: &str = "allow if data.a.roles.is_admin(input.user)";

fn roles() -> Definition {
    let mut roles = importing("roles", &[], ROLES);
    roles.data.insert("admins".to_owned(), json!(["ann"]));
    roles
}

/// `gate`, which imports `team`, which imports `roles`.
fn chain() -> [Definition; 3] {
    [
        importing(
            "gate",
            &["team"],
            "allow if data.a.team.is_lead(input.user)",
        ),
        importing(
            "team",
            &["roles"],
            "is_lead(user) if data.a.roles.is_admin(user)",
        ),
        roles(),
    ]
}

#[test]
fn an_importer_uses_functions_and_data_of_what_it_imports() {
    let cache = linked([importing("gate", &["roles"], GATE), roles()]);
    assert_eq!(faults(&cache, "gate"), "");
    assert!(answer(&cache, "gate").allowed);
}

#[test]
fn imports_of_imports_are_there_too() {
    let cache = linked(chain());
    assert!(answer(&cache, "gate").allowed);
}

#[test]
fn each_module_is_read_in_the_version_of_its_policy() {
    let old = importing("roles", &[], "is_admin(user) { user == \"ann\" }");
    let cache = linked([importing("gate", &["roles"], GATE), old]);
    assert_eq!(faults(&cache, "gate"), "");
    assert!(answer(&cache, "gate").allowed);
}

#[test]
fn a_change_reaches_importers_of_importers_and_nobody_else() {
    let others = [
        importing("other", &[], "allow := true"),
        importing("another", &["other"], "allow if data.a.other.allow"),
    ];
    let cache = linked(chain().into_iter().chain(others));
    let digest = |name| entry(&cache, name).policy.digest();
    let before = ["gate", "team", "other", "another"].map(digest);
    let mut changed = roles();
    changed.data.insert("admins".to_owned(), json!([]));
    apply(&cache, changed);
    assert_eq!(link(&cache), ["team", "gate"]);
    assert!(!answer(&cache, "gate").allowed);
    let same: Vec<bool> = ["gate", "team", "other", "another"]
        .iter()
        .zip(before)
        .map(|(name, before)| digest(name) == before)
        .collect();
    assert_eq!(same, [false, false, true, true]);
}

#[test]
fn what_only_labels_change_is_not_compiled_again() {
    let cache = linked([importing("gate", &["roles"], GATE), roles()]);
    let mut labelled = roles();
    labelled.labels.insert("team".to_owned(), "web".to_owned());
    apply(&cache, labelled);
    assert_eq!(link(&cache), [] as [&str; 0]);
}

#[rstest]
#[case::missing(
    None,
    "import_missing: the policy imports a/roles@1, which is not there"
)]
#[case::broken(
    Some(importing("roles", &[], "is_admin(user) if {")),
    "import_broken: the policy imports a/roles@1, which is broken: policy.rego:2:"
)]
fn an_import_that_is_not_to_be_had_breaks_the_importer_until_it_is(
    #[case] instead: Option<Definition>,
    #[case] says: &str,
) {
    let cache = linked(
        [importing("gate", &["roles"], GATE)]
            .into_iter()
            .chain(instead),
    );
    assert!(
        faults(&cache, "gate").starts_with(says),
        "{}",
        faults(&cache, "gate")
    );
    let refused = answer(&cache, "gate");
    assert!(!refused.allowed);
    assert!(
        refused.messages[0].message.contains("a/roles@1"),
        "{refused:?}"
    );
    apply(&cache, roles());
    link(&cache);
    assert!(answer(&cache, "gate").allowed);
    cache.update(|state| {
        state.delete_policy(&ObjectKey::new("ClusterPolicy", None, "a/roles@1"));
    });
    link(&cache);
    assert!(faults(&cache, "gate").starts_with("import_missing"));
}

#[test]
fn an_author_hears_of_the_import_and_of_the_modules() {
    let cache = linked([importing("gate", &["roles"], "allow if {")]);
    let all = faults(&cache, "gate");
    assert!(
        all.contains("import_missing") && all.contains("policy.rego:2:"),
        "{all}"
    );
}

#[rstest]
#[case::itself(vec![importing("gate", &["gate"], GATE)])]
#[case::by_way_of_another(vec![
    importing("gate", &["team"], GATE),
    importing("team", &["gate"], "x := 1"),
])]
#[case::by_way_of_several(vec![
    importing("gate", &["team"], GATE),
    importing("team", &["roles"], "x := 1"),
    importing("roles", &["gate"], ROLES),
])]
fn circles_are_refused(#[case] definitions: Vec<Definition>) {
    let names: Vec<String> = definitions
        .iter()
        .map(|definition| definition.address.name().to_owned())
        .collect();
    let outside = importing("outside", &["gate"], "allow := true");
    let cache = linked(definitions.into_iter().chain([outside]));
    for name in names {
        assert!(faults(&cache, &name).starts_with("import_cycle"), "{name}");
        assert!(!answer(&cache, &name).allowed);
    }
    assert!(faults(&cache, "outside").starts_with("import_broken"));
    // It is open again as soon as one of them no longer imports.
    apply(&cache, importing("gate", &[], "allow := true"));
    link(&cache);
    assert!(answer(&cache, "gate").allowed && answer(&cache, "outside").allowed);
}

#[rstest]
#[case::same_package("package a.roles\nallow := true")]
#[case::below("package a.roles.more\nallow := true")]
#[case::rule("package a\nroles.is_admin(user) := true")]
#[case::deep_rule("package a\nroles.more.x := true")]
fn what_is_imported_cannot_be_added_to(#[case] module: &str) {
    let mut gate = importing("gate", &["roles"], GATE);
    gate.entrypoint = Some("data.a.gate".to_owned());
    gate.modules
        .insert("more.rego".to_owned(), module.to_owned());
    let cache = linked([gate, roles()]);
    let all = faults(&cache, "gate");
    assert!(all.contains("more.rego:"), "{all}");
    assert!(
        all.contains("package_reserved: the package `a.roles` is that of a/roles@1"),
        "{all}"
    );
}

#[rstest]
#[case::whole("package a\nroles := {}")]
#[case::partial("package a\nroles[name] := true if some name in [\"is_admin\"]")]
fn what_is_imported_cannot_be_hidden_by_a_rule(#[case] module: &str) {
    let mut gate = importing("gate", &["roles"], GATE);
    gate.entrypoint = Some("data.a.gate".to_owned());
    gate.modules
        .insert("more.rego".to_owned(), module.to_owned());
    let cache = linked([gate, roles()]);
    let all = faults(&cache, "gate");
    assert!(all.contains("more.rego:2:"), "{all}");
}

#[test]
fn what_is_imported_cannot_be_replaced_with_data() {
    let mut gate = importing("gate", &["roles"], GATE);
    gate.data.insert("admins".to_owned(), json!(["bob"]));
    let cache = linked([gate, roles()]);
    assert!(
        faults(&cache, "gate").starts_with("import_conflict: a/roles@1"),
        "{}",
        faults(&cache, "gate")
    );
    let mut gate = importing("gate", &["roles"], GATE);
    gate.data
        .insert("a".to_owned(), json!({"roles": {"is_admin": true}}));
    let cache = linked([gate, roles()]);
    assert_ne!(faults(&cache, "gate"), "");
}

#[test]
fn nothing_imported_adds_to_the_importer() {
    let mut roles = roles();
    roles.entrypoint = Some("data.a.roles".to_owned());
    roles.modules.insert(
        "more.rego".to_owned(),
        "package a\ngate.allow := true".to_owned(),
    );
    let cache = linked([importing("gate", &["roles"], GATE), roles]);
    assert!(
        faults(&cache, "gate").contains("is that of the policy"),
        "{}",
        faults(&cache, "gate")
    );
}

#[test]
fn an_import_can_be_pinned() {
    let digest = Policy::compile(roles()).digest();
    let mut gate = importing("gate", &["roles"], GATE);
    gate.imports[0].pin = Some(digest);
    let cache = linked([gate, roles()]);
    assert!(answer(&cache, "gate").allowed);
    let mut changed = roles();
    changed
        .data
        .insert("admins".to_owned(), json!(["ann", "bob"]));
    apply(&cache, changed);
    link(&cache);
    assert!(!answer(&cache, "gate").allowed);
    let all = faults(&cache, "gate");
    assert!(
        all.starts_with("import_changed: the policy imports a/roles@1 at sha256:"),
        "{all}"
    );
}

#[test]
fn a_policy_can_be_pinned() {
    let mut definition = roles();
    let digest = Policy::compile(definition.clone()).digest();
    definition.pin = Some(digest);
    let policy = Policy::compile(definition.clone());
    // The pin itself is no part of what is pinned.
    assert_eq!((policy.faults(), policy.digest()), (None, digest));
    definition.data.insert("admins".to_owned(), json!([]));
    let broken = Policy::compile(definition);
    let faults = broken.faults().unwrap().to_string();
    assert!(
        faults.starts_with("digest_mismatch: `sha256` is sha256:"),
        "{faults}"
    );
    assert!(faults.contains(&broken.digest().to_string()), "{faults}");
}

/// Who imports, whose policy it is, whether that may be, and what is said otherwise.
#[rstest]
#[case::cluster_from_cluster(None, None, false, "")]
#[case::namespace_from_cluster(
    Some("team"),
    None,
    false,
    "import_forbidden: a/roles@1 may not be imported"
)]
#[case::namespace_from_open_cluster(Some("team"), None, true, "")]
#[case::own_namespace(Some("team"), Some("team"), false, "")]
#[case::other_namespace(
    Some("team"),
    Some("other"),
    true,
    "import_forbidden: a/roles@1 in other is of another namespace"
)]
#[case::cluster_from_namespace(
    None,
    Some("team"),
    true,
    "import_forbidden: a/roles@1 in team is of another namespace"
)]
fn who_may_import_whom(
    #[case] importer: Option<&str>,
    #[case] imported: Option<&str>,
    #[case] importable: bool,
    #[case] says: &str,
) {
    let address = |owner: Option<&str>, name: &str| {
        let scope = owner.map_or(Scope::Cluster, |owner| Scope::Namespace(owner.to_owned()));
        Address::new(scope, "a", name, "1").unwrap()
    };
    let mut roles = Definition {
        importable,
        ..roles()
    };
    roles.address = address(imported, "roles");
    let mut gate = importing("gate", &["roles"], GATE);
    gate.imports[0].address = roles.address.clone();
    gate.address = address(importer, "gate");
    let roles = Arc::new(Policy::compile(roles));
    let gate = Policy::compile_within(
        gate,
        &Among {
            policies: |_: &Address| Some(roles.clone()),
            objects: &(),
        },
        crate::Allowance::default(),
    );
    let faults = gate.faults().map(ToString::to_string).unwrap_or_default();
    assert!(
        faults.starts_with(says) && faults.is_empty() == says.is_empty(),
        "{faults}"
    );
}

#[test]
fn a_policy_imports_another_once_and_a_bounded_number_of_them() {
    let cache = linked([importing("gate", &["roles", "roles"], GATE), roles()]);
    assert!(faults(&cache, "gate").starts_with("import_twice"));
    let names: Vec<String> = (0..=crate::imports::MAX_IMPORTS)
        .map(|n| format!("p{n}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cache = linked([importing("gate", &names, "allow := true")]);
    assert!(faults(&cache, "gate").starts_with("import_limit"));
}

#[rstest]
#[case::refuses(Effect::Refuse, Points::ALL, None, false)]
#[case::ended(Effect::Refuse, Points::ALL, Some(999), true)]
#[case::elsewhere(Effect::Refuse, Points { admission: true, evaluation: false }, None, true)]
#[case::bypasses(Effect::Bypass, Points::ALL, None, true)]
fn a_locked_import_breaks_the_importer(
    #[case] effect: Effect,
    #[case] points: Points,
    #[case] end: Option<i64>,
    #[case] allowed: bool,
) {
    let cache = linked(chain());
    let target = Target::Policy {
        group: "a".to_owned(),
        name: Some("roles".to_owned()),
        version: None,
    };
    let lock = Lock {
        target,
        effect,
        points,
        expires_at: end.map(at),
        ..lock("incident")
    };
    cache.update(|state| state.apply_lock(lock));
    let decision = answer(&cache, "gate");
    assert_eq!(decision.allowed, allowed, "{decision:?}");
    if !allowed {
        let says =
            "the policy imports a/roles@1, which is locked by ClusterLock incident: incident 4711";
        assert_eq!(decision.messages[0].message, says);
        assert_eq!(decision.messages[0].code, Code::CompileFailed);
    }
}

#[test]
fn a_lock_finds_what_is_imported_by_the_labels_that_it_has_now() {
    let cache = linked([importing("gate", &["roles"], GATE), roles()]);
    let selected = LabelSelector {
        match_labels: [("team".to_owned(), "web".to_owned())].into(),
        ..LabelSelector::default()
    };
    let lock = Lock {
        target: Target::Selector(selected),
        ..lock("incident")
    };
    cache.update(|state| state.apply_lock(lock));
    assert!(answer(&cache, "gate").allowed);
    // Labels are no part of a digest: the importer is not compiled again.
    let mut labelled = roles();
    labelled.labels.insert("team".to_owned(), "web".to_owned());
    apply(&cache, labelled);
    assert!(!answer(&cache, "gate").allowed);
}

const EXPIRED: &str = "import data.lib.expiry\nallow if not expiry.is_expired(\"2200-01-01\")";

#[test]
fn the_shared_library_is_there_for_who_names_it() {
    let cache = linked([importing("gate", &[], EXPIRED)]);
    assert_eq!(faults(&cache, "gate"), "");
    assert!(answer(&cache, "gate").allowed);
    let cache = linked([importing("gate", &[], "allow if count(data) > 1")]);
    assert!(
        !answer(&cache, "gate").allowed,
        "the library is no part of `data` otherwise"
    );
}

#[rstest]
#[case::package("package lib.expiry\nis_expired(_) := false")]
#[case::below("package lib.expiry.more\nx := 1")]
#[case::rule("package lib\nexpiry.is_expired(_) := false")]
fn the_shared_library_cannot_be_replaced(#[case] module: &str) {
    let mut gate = importing("gate", &[], EXPIRED);
    gate.entrypoint = Some("data.a.gate".to_owned());
    gate.modules
        .insert("more.rego".to_owned(), module.to_owned());
    let faults = Policy::compile(gate).faults().unwrap().to_string();
    let says = "package_reserved: the package `lib.expiry` is that of the shared library";
    assert!(faults.contains(says), "{faults}");
}

#[test]
fn other_packages_of_that_name_are_free() {
    let mut gate = importing("gate", &[], "allow if data.lib.mine.ok");
    gate.entrypoint = Some("data.a.gate".to_owned());
    gate.modules.insert(
        "more.rego".to_owned(),
        "package lib.mine\nok := true".to_owned(),
    );
    assert_eq!(Policy::compile(gate).faults(), None);
}

#[test]
fn importers_share_what_they_both_take_of_the_library() {
    let cache = linked([
        importing(
            "gate",
            &["roles"],
            &format!("{EXPIRED}\nallow if data.a.roles.ok"),
        ),
        importing(
            "roles",
            &[],
            "ok if not data.lib.expiry.is_expired(\"2200-01-01\")",
        ),
    ]);
    assert_eq!(faults(&cache, "gate"), "");
    assert!(answer(&cache, "gate").allowed);
}
