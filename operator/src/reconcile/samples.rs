//! Policies and worlds for tests, which read as a sentence: `Sample::new("a").within("shop")
//! .on("", "pods").warning()`.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use portcullis_policies::{
    Action, ActionAt, Address, Admission, Cache, Definition, Effect, ExemptedObjects,
    ExemptedPolicies, ExemptionDefinition, ExemptionReach, FailurePolicy, Lock, Match, Object,
    ObjectKey, Operation, Owner, Points, Policy, Reach, ResourceRule, ResourceScope, Scope,
    Snapshot, Target, Workload,
};

use crate::convert::kind;

/// A policy at `test/<name>@1`.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) object: String,
    pub(crate) age: i64,
    pub(crate) definition: Definition,
}

/// A second of the tests' clock.
pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

impl Sample {
    pub(crate) fn new(name: &str) -> Self {
        let address = Address::new(Scope::Cluster, "test", name, "1").unwrap();
        let source = format!("package test.{name}\nallow := true");
        Self {
            object: name.to_owned(),
            age: 0,
            definition: Definition::new(address, &source),
        }
    }

    pub(crate) fn within(mut self, namespace: &str) -> Self {
        let scope = Scope::Namespace(namespace.to_owned());
        let address = &self.definition.address;
        self.definition.address = Address::new(scope, "test", address.name(), "1").unwrap();
        self
    }

    /// Judges the creation of a resource of version `v1`.
    pub(crate) fn on(mut self, group: &str, resource: &str) -> Self {
        let admission = self.definition.admission.get_or_insert(Admission {
            matches: Match::default(),
            action: Action::Deny,
            failure_policy: FailurePolicy::Fail,
            action_at: ActionAt::default(),
            require_allow: false,
        });
        admission.matches.rules.push(ResourceRule {
            groups: vec![group.to_owned()],
            versions: vec!["v1".to_owned()],
            resources: vec![resource.to_owned()],
            operations: vec![Operation::Create],
            ..ResourceRule::default()
        });
        self
    }

    /// The same, but for these resources of every group and version.
    pub(crate) fn but_for(self, resource: &str, scope: ResourceScope) -> Self {
        self.admission(|admission| {
            admission.matches.excluded.push(ResourceRule {
                groups: vec!["*".to_owned()],
                versions: vec!["*".to_owned()],
                resources: vec![resource.to_owned()],
                operations: vec![Operation::Create],
                scope,
                ..ResourceRule::default()
            });
        })
    }

    /// The same, which judges the templates of all workloads.
    pub(crate) fn and_workloads(self) -> Self {
        self.admission(|admission| {
            admission.matches.workloads = Workload::of_kubernetes().collect();
        })
    }

    /// The same, with this scope of its rules.
    pub(crate) fn scoped(self, scope: ResourceScope) -> Self {
        self.admission(|admission| {
            for rule in &mut admission.matches.rules {
                rule.scope = scope;
            }
        })
    }

    pub(crate) fn ignoring(self) -> Self {
        self.admission(|admission| admission.failure_policy = FailurePolicy::Ignore)
    }

    pub(crate) fn warning(self) -> Self {
        self.admission(|admission| admission.action = Action::Warn)
    }

    pub(crate) fn auditing(self) -> Self {
        self.admission(|admission| admission.action = Action::Audit)
    }

    pub(crate) fn broken(mut self) -> Self {
        self.definition
            .modules
            .values_mut()
            .for_each(|source| source.push_str("\ndeny if {"));
        self
    }

    /// Compiles, and is refused for a setting.
    pub(crate) fn invalid(mut self) -> Self {
        self.definition.window.not_before = Some(second(2));
        self.definition.window.not_after = Some(second(1));
        self
    }

    /// Another version of it, in an object of its own.
    pub(crate) fn at(mut self, version: &str) -> Self {
        let version = version.parse().unwrap();
        self.definition.address = self.definition.address.at_version(&version);
        self.object = format!("{}-{version}", self.object);
        self
    }

    pub(crate) fn superseding(mut self, older: &str) -> Self {
        self.definition.supersedes = Some(older.parse().unwrap());
        self
    }

    pub(crate) fn shadow(mut self) -> Self {
        self.definition.shadow = true;
        self
    }

    pub(crate) fn guardrail(mut self) -> Self {
        self.definition.guardrail = true;
        self
    }

    /// Accepts exemptions of namespaces.
    pub(crate) fn exemptible(mut self) -> Self {
        self.definition.exemptible_by = Owner::Namespace;
        self
    }

    /// In force from a second on.
    pub(crate) fn from(mut self, from: i64) -> Self {
        self.definition.window.not_before = Some(second(from));
        self
    }

    /// The same address in another object, which is younger by some seconds.
    pub(crate) fn in_object(mut self, name: &str, age: i64) -> Self {
        name.clone_into(&mut self.object);
        self.age = age;
        self
    }

    pub(crate) fn key(&self) -> ObjectKey {
        match self.definition.address.namespace() {
            Some(namespace) => ObjectKey::new(kind::POLICY, Some(namespace), &self.object),
            None => ObjectKey::new(kind::CLUSTER_POLICY, None, &self.object),
        }
    }

    pub(crate) fn compiled(&self) -> Object {
        Object {
            key: self.key(),
            created: Timestamp::UNIX_EPOCH + Duration::from_secs(self.age.unsigned_abs()),
            updated: Timestamp::UNIX_EPOCH + Duration::from_secs(self.age.unsigned_abs()),
            policy: Arc::new(Policy::compile(self.definition.clone())),
        }
    }

    fn admission(mut self, change: impl FnOnce(&mut Admission)) -> Self {
        self.definition
            .admission
            .as_mut()
            .map(change)
            .expect("the sample judges something");
        self
    }
}

/// A ClusterLock on `test/<policy>`.
pub(crate) fn lock(name: &str, policy: &str, effect: Effect, until: Option<i64>) -> Lock {
    Lock {
        key: ObjectKey::new(kind::CLUSTER_LOCK, None, name),
        reach: Reach::Cluster { namespaces: None },
        target: Target::Policy {
            group: "test".to_owned(),
            name: Some(policy.to_owned()),
            version: None,
        },
        points: Points::ALL,
        effect,
        reason: "a test".to_owned(),
        expires_at: until.map(second),
    }
}

/// Of `test/<policy>`, for every object: of the cluster for the namespace `shop`, or where one is
/// said, of that.
pub(crate) fn exemption(namespace: Option<&str>, policy: &str, until: i64) -> ExemptionDefinition {
    let shop = ExemptionReach::Cluster {
        namespaces: vec!["shop".to_owned()],
        selector: None,
    };
    let own = |name: &str| {
        let reach = ExemptionReach::Namespace(name.to_owned());
        (kind::EXEMPTION, reach)
    };
    let (kind, reach) = namespace.map_or((kind::CLUSTER_EXEMPTION, shop), own);
    let policies = [Owner::Cluster, Owner::Namespace].map(|owner| ExemptedPolicies {
        owner,
        group: "test".to_owned(),
        name: Some(policy.to_owned()),
        version: None,
    });
    ExemptionDefinition {
        key: ObjectKey::new(kind, namespace, "legacy"),
        reach,
        policies: policies.to_vec(),
        objects: ExemptedObjects::default(),
        reason: "a test".to_owned(),
        approver: "jane".to_owned(),
        expires_at: second(until),
    }
}

/// What is in force of these policies.
pub(crate) fn snapshot(samples: &[Sample]) -> Arc<Snapshot> {
    let cache = Cache::new();
    cache.update(|state| {
        for sample in samples {
            state.apply_policy(sample.compiled());
        }
    });
    cache.snapshot()
}
