//! Changes, and what each does to a cache and to the model.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::{
    plain::{Draft, Made, Nature, Standing},
    *,
};

/// Objects that may hold policies.
const OBJECTS: u8 = 8;

/// Names of policies of the cluster, and of namespaces. They differ, because a package has one owner.
const NAMES: [[&str; 3]; 2] = [["x", "y", "z"], ["p", "q", "r"]];

#[derive(Clone, Debug)]
pub(super) enum Change {
    ApplyPolicy(u8, i64, Draft),
    /// The same policy with other labels.
    Relabel(u8),
    /// The same policy with another level, which its importers read.
    Relevel(u8),
    DeletePolicy(u8),
    /// An object takes the place of a version, or of none any more.
    TakePlace(u8, Option<&'static str>),
    /// Keeps the objects of these bits.
    RetainPolicies(u8),
    ApplyLock(Lock),
    DeleteLock(u8),
    RetainLocks(u8),
    ApplyNamespace(&'static str, bool),
    DeleteNamespace(&'static str),
    RetainNamespaces(bool),
}

/// A change that is ready: what has to be compiled is.
pub(super) enum Ready {
    Policy(Object, i64, Arc<Made>),
    Other(Box<Change>),
}

fn policy_key(object: u8) -> ObjectKey {
    ObjectKey::new("ClusterPolicy", None, &format!("o{object}"))
}

fn lock_key(lock: u8) -> ObjectKey {
    ObjectKey::new("ClusterLock", None, &format!("l{lock}"))
}

/// The number in the name of an object.
fn number(key: &ObjectKey) -> u8 {
    key.name[1..].parse().expect("the name ends in its number")
}

fn namespace() -> impl Strategy<Value = &'static str> {
    select(vec!["team-a", "team-b"])
}

fn address() -> impl Strategy<Value = Address> {
    let scope = prop_oneof![
        3 => Just(Scope::Cluster),
        1 => namespace().prop_map(|name| Scope::Namespace(name.to_owned())),
    ];
    let version = select(vec!["1", "1", "1", "2", "3"]);
    (scope, 0..3_usize, version).prop_map(|(scope, name, version)| {
        let names = NAMES[usize::from(scope != Scope::Cluster)];
        Address::new(scope, "a", names[name], version).unwrap()
    })
}

fn admission() -> impl Strategy<Value = Admission> {
    let actions = vec![Action::Deny, Action::Deny, Action::Warn, Action::Audit];
    let resources = vec!["pods", "services", "namespaces", "pods/exec", "*", "*/*"];
    (
        select(actions),
        select(vec![FailurePolicy::Fail, FailurePolicy::Ignore]),
        proptest::collection::vec(select(resources), 1..3),
    )
        .prop_map(|(action, failure_policy, resources)| Admission {
            matches: Match::of([rule(&[""], &resources, &[Operation::Create])]),
            action,
            failure_policy,
            action_at: ActionAt::default(),
            require_allow: false,
        })
}

fn draft() -> impl Strategy<Value = Draft> {
    let nature = prop_oneof![
        4 => (0..4_u8).prop_map(Nature::Allows),
        1 => Just(Nature::Denies),
        1 => Just(Nature::Broken),
    ];
    (
        (
            address(),
            nature,
            proptest::option::weighted(0.6, address()),
        ),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        proptest::option::weighted(0.7, admission()),
        (any::<bool>(), proptest::bool::weighted(0.2)),
    )
        .prop_map(
            |((address, nature, import), settings, admission, (supersedes, shadow))| Draft {
                standing: if shadow && admission.is_some() {
                    Standing::Shadow
                } else {
                    Standing::Acts
                },
                supersedes: match address.version().as_str() {
                    "2" if supersedes => Some("1"),
                    "3" if supersedes => Some("2"),
                    _ => None,
                },
                // Two policies of one package cannot be compiled together.
                import: import
                    .filter(|import| import.name() != address.name() || *import == address),
                address,
                nature,
                importable: settings.0,
                guardrail: settings.1,
                is_gold: settings.2,
                admission,
            },
        )
}

fn any_lock() -> impl Strategy<Value = Lock> {
    let prod = LabelSelector {
        match_labels: [("env".to_owned(), "prod".to_owned())].into(),
        ..LabelSelector::default()
    };
    let gold = LabelSelector {
        match_labels: [("tier".to_owned(), "gold".to_owned())].into(),
        ..LabelSelector::default()
    };
    let reach = prop_oneof![
        namespace().prop_map(|name| Reach::Namespace(name.to_owned())),
        Just(Reach::Cluster { namespaces: None }),
        Just(Reach::Cluster {
            namespaces: Some(prod),
        }),
    ];
    let target = prop_oneof![
        2 => Just(Target::All),
        2 => Just(Target::Selector(gold)),
        1 => address().prop_map(|address| Target::Policy {
            group: "a".to_owned(),
            name: Some(address.name().to_owned()),
            version: None,
        }),
    ];
    (
        (0..4_u8, reach, target),
        select(vec![Effect::Refuse, Effect::Bypass]),
        (any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |((name, reach, target), effect, (admission, evaluation, ends))| Lock {
                key: lock_key(name),
                reach,
                target,
                effect,
                points: Points {
                    admission,
                    evaluation,
                },
                reason: "incident 4711".to_owned(),
                expires_at: ends.then(|| at(EXPIRY)),
            },
        )
}

/// Policies that import each other, of which hardly any come about by chance: the first two objects
/// import the one behind them, and all allow.
pub(super) fn family() -> Vec<Change> {
    let address = |name: &str| Address::new(Scope::Cluster, "a", name, "1").unwrap();
    let [first, second, third] = NAMES[0].map(address);
    let member = |object: u8, address: &Address, import: Option<&Address>| {
        let draft = Draft {
            address: address.clone(),
            nature: Nature::Allows(2),
            import: import.cloned(),
            importable: true,
            guardrail: false,
            is_gold: false,
            admission: None,
            supersedes: None,
            standing: Standing::Acts,
        };
        Change::ApplyPolicy(object, 0, draft)
    };
    vec![
        member(2, &third, None),
        member(1, &second, Some(&third)),
        member(0, &first, Some(&second)),
    ]
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        8 => (0..OBJECTS, 0..3_i64, draft())
            .prop_map(|(object, created, draft)| Change::ApplyPolicy(object, created, draft)),
        3 => (0..OBJECTS).prop_map(Change::Relabel),
        2 => (0..OBJECTS).prop_map(Change::Relevel),
        2 => (0..OBJECTS).prop_map(Change::DeletePolicy),
        3 => (0..OBJECTS, select(vec![Some("1"), Some("2"), None]))
            .prop_map(|(object, version)| Change::TakePlace(object, version)),
        1 => any::<u8>().prop_map(Change::RetainPolicies),
        4 => any_lock().prop_map(Change::ApplyLock),
        2 => (0..4_u8).prop_map(Change::DeleteLock),
        1 => any::<u8>().prop_map(Change::RetainLocks),
        2 => (namespace(), any::<bool>())
            .prop_map(|(name, is_prod)| Change::ApplyNamespace(name, is_prod)),
        1 => namespace().prop_map(Change::DeleteNamespace),
        1 => any::<bool>().prop_map(Change::RetainNamespaces),
    ]
}

/// Compiles a draft with what a snapshot holds.
pub(super) fn compile(draft: &Draft, snapshot: &Snapshot) -> Arc<Policy> {
    let package = draft.address.package();
    let body = match (&draft.import, draft.nature) {
        (_, Nature::Broken) => "allow if {".to_owned(),
        (_, Nature::Denies) => "level := 0\ndeny contains \"no\" if true".to_owned(),
        (Some(import), _) => {
            let level = format!("data.{}.level", import.package());
            format!("level := {level}\nallow if {level} > 1")
        }
        (None, Nature::Allows(level)) => format!("level := {level}\nallow := true"),
    };
    let import = draft.import.iter().map(|address| Import {
        address: address.clone(),
        pin: None,
    });
    let tier = if draft.is_gold { "gold" } else { "none" };
    let definition = Definition {
        labels: [("tier".to_owned(), tier.to_owned())].into(),
        admission: draft.admission.clone(),
        imports: import.collect(),
        importable: draft.importable,
        guardrail: draft.guardrail,
        shadow: draft.standing == Standing::Shadow,
        supersedes: draft.supersedes.map(|older| older.parse().unwrap()),
        // However busy the machine is.
        limits: Limits {
            timeout: Duration::from_mins(1),
            ..Limits::MAX
        },
        ..Definition::new(draft.address.clone(), &format!("package {package}\n{body}"))
    };
    Arc::new(Policy::compile_within(
        definition,
        snapshot,
        Allowance::default(),
    ))
}

impl Change {
    /// Compiles with the state that is published now, as whoever watches does before it takes the
    /// cache's lock.
    pub(super) fn ready(self, snapshot: &Snapshot, plain: &Plain) -> Ready {
        match self {
            Self::Relabel(object) | Self::Relevel(object) => {
                let mut held = plain.policies.iter();
                match held.find(|held| held.key == policy_key(object)) {
                    None => Ready::Other(Box::new(Self::DeletePolicy(object))),
                    Some(held) => {
                        let mut draft = held.made.draft.clone();
                        match (&self, &mut draft.nature) {
                            (Self::Relabel(_), _) => draft.is_gold = !draft.is_gold,
                            // One of both lets importers allow.
                            (_, Nature::Allows(level)) => *level = 3 - *level,
                            _ => {}
                        }
                        Self::ApplyPolicy(object, held.created, draft).ready(snapshot, plain)
                    }
                }
            }
            Self::ApplyPolicy(object, created, draft) => {
                let applied = Object {
                    key: policy_key(object),
                    created: at(created),
                    updated: at(created),
                    policy: compile(&draft, snapshot),
                };
                Ready::Policy(applied, created, Arc::new(Made::new(draft, plain)))
            }
            other => Ready::Other(Box::new(other)),
        }
    }
}

impl Ready {
    /// Changes the cache's state and the model.
    pub(super) fn apply(self, state: &mut State, plain: &mut Plain) {
        let has = |bits: u8, key: &ObjectKey| bits & (1 << number(key)) != 0;
        let change = match self {
            Self::Policy(object, created, made) => {
                plain.apply_policy(object.key.clone(), created, made);
                state.apply_policy(object);
                return;
            }
            Self::Other(change) => *change,
        };
        match change {
            Change::ApplyPolicy(..) | Change::Relabel(_) | Change::Relevel(_) => {
                unreachable!("a policy is compiled first")
            }
            Change::DeletePolicy(object) => {
                plain.policies.retain(|held| held.key != policy_key(object));
                plain.places.remove(&policy_key(object));
                state.delete_policy(&policy_key(object));
            }
            Change::RetainPolicies(bits) => {
                plain.policies.retain(|held| has(bits, &held.key));
                let held: BTreeSet<_> = plain.policies.iter().map(|held| &held.key).collect();
                plain.places.retain(|key, _| held.contains(key));
                state.retain_policies(|key| has(bits, key));
            }
            Change::TakePlace(object, version) => {
                let key = policy_key(object);
                let in_place_of = version.map(|version| InPlaceOf {
                    version: version.parse().unwrap(),
                    since: at(0),
                });
                state.set_in_place_of(&key, in_place_of);
                plain.places.remove(&key);
                plain.places.extend(version.map(|version| (key, version)));
            }
            Change::ApplyLock(lock) => {
                plain.locks.retain(|other| other.key != lock.key);
                plain.locks.push(lock.clone());
                plain.locks.sort_by(|left, right| left.key.cmp(&right.key));
                state.apply_lock(lock);
            }
            Change::DeleteLock(lock) => {
                plain.locks.retain(|other| other.key != lock_key(lock));
                state.delete_lock(&lock_key(lock));
            }
            Change::RetainLocks(bits) => {
                plain.locks.retain(|lock| has(bits, &lock.key));
                state.retain_locks(|key| has(bits, key));
            }
            Change::ApplyNamespace(name, is_prod) => {
                let env = if is_prod { "prod" } else { "test" };
                let labels = Labels::from([("env".to_owned(), env.to_owned())]);
                plain.namespaces.retain(|(other, _)| other != name);
                plain.namespaces.push((name.to_owned(), labels.clone()));
                state.apply_namespace(name, labels);
            }
            Change::DeleteNamespace(name) => {
                plain.namespaces.retain(|(other, _)| other != name);
                state.delete_namespace(name);
            }
            Change::RetainNamespaces(keep_a) => {
                let keep = |name: &str| (name == "team-a") == keep_a;
                plain.namespaces.retain(|(name, _)| keep(name));
                state.retain_namespaces(keep);
            }
        }
    }
}
