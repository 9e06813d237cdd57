//! Objects that bindings take parameters of, and policies data: each selection is followed for as long
//! as one of them has it, and nothing else of the kind is read.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::{
    Api, Client,
    core::{DynamicObject, GroupVersionKind},
    discovery::{Scope, oneshot::pinned_kind},
};
use kube_runtime::watcher::DefaultBackoff;
use portcullis_policies::{
    LabelSelector, Parameter, ParameterKey, ParameterKind, Requirement, Selected, Selection, State,
    Which,
};
use serde_json::{Map, Value as Json};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::{Mirror, News, WAITING_NEWS, Watch, chain, selections::Selections, watch::Selectors};
use crate::convert;

/// The name in the log of all of these watches.
const SOURCE: &str = "parameters";

/// Time for asking which resource a kind is.
const READ: Duration = Duration::from_secs(10);

/// Longest wait before that is asked again: a kind that is installed is noticed within it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Follows what the bindings and policies of `mirror` select until it is dropped; it never ends by itself.
pub(super) async fn follow(client: Client, mirror: Arc<Mirror>) {
    let mut changes = mirror.changes();
    // What is dropped with this set ends.
    let mut tasks = JoinSet::new();
    let mut followed: BTreeMap<Selection, AbortHandle> = BTreeMap::new();
    let mut refused: BTreeMap<Selection, String> = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let snapshot = mirror.cache().snapshot();
        let is_followed = |selection: &Selection| followed.contains_key(selection);
        let Selections {
            followed: wanted,
            beyond,
        } = Selections::of(snapshot.selections(), is_followed);
        let gone: Vec<Selection> = followed
            .extract_if(.., |selection, _| !wanted.contains(selection))
            .map(|(selection, task)| {
                task.abort();
                selection
            })
            .collect();
        if !gone.is_empty() || beyond != refused {
            publish(&mirror, |state| {
                state.retain_parameters(|own| !gone.contains(own) && !refused.contains_key(own));
                for (selection, why) in &beyond {
                    state.set_parameters(selection.clone(), Selected::Unread(why.clone()));
                }
            });
            refused = beyond;
        }
        for selection in wanted {
            followed.entry(selection).or_insert_with_key(|selection| {
                let one = One {
                    mirror: mirror.clone(),
                    selection: selection.clone(),
                    known: None,
                    told: None,
                };
                tasks.spawn(one.follow(client.clone()))
            });
        }
        while tasks.try_join_next().is_some() {}
        // The sender lives as long as the mirror.
        let _ = changes.changed().await;
    }
}

/// One selection that is followed.
struct One {
    mirror: Arc<Mirror>,
    selection: Selection,
    /// The objects, as soon as they were listed once.
    known: Option<BTreeMap<ParameterKey, Arc<Parameter>>>,
    /// What the cache knows.
    told: Option<Selected>,
}

impl One {
    async fn follow(mut self, client: Client) {
        let api = self.find(&client).await;
        let (news, mut received) = mpsc::channel(WAITING_NEWS);
        let selectors = selectors(&self.selection.which);
        let watch = Watch::new(SOURCE, api, selectors, self.mirror.clone(), news);
        let keep = async {
            let mut batch = Vec::with_capacity(WAITING_NEWS);
            while received.recv_many(&mut batch, WAITING_NEWS).await > 0 {
                if let Some(selected) = self.absorb(batch.drain(..)) {
                    self.tell(selected);
                }
            }
        };
        tokio::join!(watch.run(), keep);
    }

    /// The resource of the kind; asked for until the API server serves one.
    async fn find(&mut self, client: &Client) -> Api<DynamicObject> {
        let mut backoff = DefaultBackoff::default();
        loop {
            match resource(client, &self.selection).await {
                Ok(api) => return api,
                Err(why) => self.tell(Selected::Unread(why)),
            }
            let wait = backoff.next().unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes news in; what there is to tell, if there is something.
    fn absorb(&mut self, news: impl Iterator<Item = News<DynamicObject>>) -> Option<Selected> {
        let mut away = None;
        let kind = self.selection.kind.clone();
        let read = |object| {
            let parameter = parameter(&kind, object);
            (parameter.key.clone(), Arc::new(parameter))
        };
        for item in news {
            match item {
                News::Listed(objects) => {
                    self.known = Some(objects.into_iter().map(read).collect());
                }
                News::Applied(object) => {
                    let (key, parameter) = read(object);
                    self.known.get_or_insert_default().insert(key, parameter);
                }
                News::Deleted(object) => {
                    let (key, _) = read(object);
                    self.known.get_or_insert_default().remove(&key);
                }
                News::Away(why) => away = Some(why),
            }
        }
        // What was read once stays in force.
        match &self.known {
            Some(known) => Some(Selected::Known(known.values().cloned().collect())),
            None => away.map(Selected::Unread),
        }
    }

    fn tell(&mut self, selected: Selected) {
        if self.told.as_ref() == Some(&selected) {
            return;
        }
        self.told = Some(selected.clone());
        let selection = self.selection.clone();
        publish(&self.mirror, |state| {
            state.set_parameters(selection, selected);
        });
    }
}

fn publish(mirror: &Mirror, change: impl FnOnce(&mut State)) {
    mirror.change(Some(change), |_| {});
}

/// Where objects of a selection are read. The error says why nowhere.
async fn resource(client: &Client, selection: &Selection) -> Result<Api<DynamicObject>, String> {
    let ParameterKind {
        group,
        version,
        kind,
    } = &selection.kind;
    let kind = GroupVersionKind::gvk(group, version, kind);
    let (resource, capabilities) = timeout(READ, pinned_kind(client, &kind))
        .await
        .map_err(|_| format!("the API server did not answer within {} s", READ.as_secs()))?
        .map_err(|error| {
            format!(
                "the API server does not tell of the kind: {}",
                chain(&error)
            )
        })?;
    let is_namespaced = capabilities.scope == Scope::Namespaced;
    Ok(match &selection.namespace {
        Some(namespace) if is_namespaced => {
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        Some(_) => {
            return Err(
                "objects of this kind are in no namespace: use a ClusterPolicyBinding \
                        without `parametersFrom.namespace`"
                    .to_owned(),
            );
        }
        None => Api::all_with(client.clone(), &resource),
    })
}

fn selectors(which: &Which) -> Selectors {
    match which {
        Which::Name(name) => Selectors {
            fields: Some(format!("metadata.name={name}")),
            labels: None,
        },
        Which::Selector(selector) => Selectors {
            fields: None,
            labels: Some(labels(selector)),
        },
    }
}

/// A selector as the API server takes it in a query.
fn labels(selector: &LabelSelector) -> String {
    let equal = selector.match_labels.iter();
    let equal = equal.map(|(key, value)| format!("{key}={value}"));
    let others = selector.match_expressions.iter();
    let others = others.map(|requirement| match requirement {
        Requirement::In(key, values) => format!("{key} in ({})", values.join(",")),
        Requirement::NotIn(key, values) => format!("{key} notin ({})", values.join(",")),
        Requirement::Exists(key) => key.clone(),
        Requirement::DoesNotExist(key) => format!("!{key}"),
    });
    equal.chain(others).collect::<Vec<_>>().join(",")
}

fn parameter(kind: &ParameterKind, object: DynamicObject) -> Parameter {
    let content = match object.data {
        Json::Object(fields) => fields,
        _ => Map::new(),
    };
    let key = ParameterKey {
        kind: kind.clone(),
        namespace: object.metadata.namespace,
        name: object.metadata.name.unwrap_or_default(),
    };
    convert::parameter(key, object.metadata.labels.unwrap_or_default(), content)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn selector(labels: &[(&str, &str)], requirements: &[Requirement]) -> LabelSelector {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        LabelSelector {
            match_labels: labels.iter().map(owned).collect(),
            match_expressions: requirements.to_vec(),
        }
    }

    #[rstest]
    #[case(&[], &[], "")]
    #[case(&[("app", "web"), ("tier", "")], &[], "app=web,tier=")]
    #[case(&[("app", "web")], &[
        Requirement::In("env".to_owned(), vec!["prod".to_owned(), "test".to_owned()]),
        Requirement::NotIn("team".to_owned(), vec!["a".to_owned()]),
        Requirement::Exists("x".to_owned()),
        Requirement::DoesNotExist("y.example/z".to_owned()),
    ], "app=web,env in (prod,test),team notin (a),x,!y.example/z")]
    fn selectors_are_written_as_the_api_server_reads_them(
        #[case] equal: &[(&str, &str)],
        #[case] requirements: &[Requirement],
        #[case] expected: &str,
    ) {
        assert_eq!(labels(&selector(equal, requirements)), expected);
    }
}
