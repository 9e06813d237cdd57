//! A mocked API server: a handful of objects by their paths, and everything that was heard.
//!
//! It knows `get`, `create`, `update` and merge patches at a resource version, what is applied, and
//! deletions. A list is an object like any other; a watch hears the lines that were prepared for it
//! once, and then nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use http_body_util::BodyExt as _;
use hyper::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Map, Value as Json, json};
use tower_test::mock::{self, SendResponse};

/// The server. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct ApiServer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Json>,
    watches: BTreeMap<String, VecDeque<Vec<Json>>>,
    refusals: BTreeMap<String, StatusCode>,
    heard: Vec<Heard>,
    version: u64,
    is_away: bool,
}

/// A request that was heard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Json,
}

impl ApiServer {
    /// Puts an object at a path, at a new resource version.
    pub(crate) fn put(&self, path: &str, object: Json) -> &Self {
        self.0.lock().unwrap().put(path, object);
        self
    }

    /// Takes the object at a path away.
    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().unwrap().objects.remove(path);
    }

    /// The object at a path, or null.
    pub(crate) fn get(&self, path: &str) -> Json {
        self.0
            .lock()
            .unwrap()
            .objects
            .get(path)
            .cloned()
            .unwrap_or(Json::Null)
    }

    /// The next watch of a path hears these events; the one after it hears the next ones.
    pub(crate) fn tell(&self, path: &str, events: impl IntoIterator<Item = Json>) -> &Self {
        let events = events.into_iter().collect();
        self.0
            .lock()
            .unwrap()
            .watches
            .entry(path.to_owned())
            .or_default()
            .push_back(events);
        self
    }

    /// Answers `METHOD /path`, or `WATCH /path`, with a status from now on.
    pub(crate) fn refuse(&self, request: &str, status: u16) -> &Self {
        let status = StatusCode::from_u16(status).unwrap();
        self.0
            .lock()
            .unwrap()
            .refusals
            .insert(request.to_owned(), status);
        self
    }

    /// Answers nobody from now on, or everybody again.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.0.lock().unwrap().is_away = is_away;
    }

    /// All requests that would change something, so far.
    pub(crate) fn writes(&self) -> Vec<Heard> {
        let heard = self.0.lock().unwrap().heard.clone();
        heard
            .into_iter()
            .filter(|heard| heard.method != Method::GET)
            .collect()
    }

    /// The same as `METHOD /path`.
    pub(crate) fn written(&self) -> Vec<String> {
        let writes = self.writes();
        writes
            .iter()
            .map(|heard| format!("{} {}", heard.method, heard.path))
            .collect()
    }

    /// A client of this server.
    pub(crate) fn client(&self) -> Client {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let server = self.clone();
        tokio::spawn(async move {
            // Watches that have nothing more to tell stay open.
            let mut open = Vec::new();
            while let Some((request, respond)) = handle.next_request().await {
                open.extend(server.answer(request, respond).await);
            }
        });
        Client::new(service, "default")
    }

    async fn answer(
        &self,
        request: Request<Body>,
        respond: SendResponse<Response<Body>>,
    ) -> Option<SendResponse<Response<Body>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let heard = Heard {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            body: serde_json::from_slice(&body).unwrap_or(Json::Null),
        };
        let is_watch = parts
            .uri
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let mut state = self.0.lock().unwrap();
        if state.is_away {
            respond.send_error("the API server is away");
            return None;
        }
        if is_watch {
            if let Some(code) = state.refusals.get(&format!("WATCH {}", heard.path)) {
                let (status, answer) = status(*code);
                let response = Response::builder().status(status);
                let body = answer.to_string().into_bytes().into();
                respond.send_response(response.body(body).unwrap());
                return None;
            }
            let events = state
                .watches
                .get_mut(&heard.path)
                .and_then(VecDeque::pop_front);
            let Some(events) = events else {
                return Some(respond);
            };
            let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
            respond.send_response(Response::new((lines.join("\n") + "\n").into_bytes().into()));
            return None;
        }
        state.heard.push(heard.clone());
        let content_type = parts.headers.get(hyper::header::CONTENT_TYPE);
        let is_applied = content_type.is_some_and(|kind| kind == "application/apply-patch+yaml");
        let (status, answer) = state.serve(&heard, is_applied);
        let response = Response::builder().status(status);
        respond.send_response(
            response
                .body(answer.to_string().into_bytes().into())
                .unwrap(),
        );
        None
    }
}

impl State {
    fn put(&mut self, path: &str, mut object: Json) -> Json {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn serve(&mut self, heard: &Heard, is_applied: bool) -> (StatusCode, Json) {
        let Heard { method, path, body } = heard;
        if let Some(code) = self.refusals.get(&format!("{method} {path}")) {
            return status(*code);
        }
        if *method == Method::POST {
            let name = body["metadata"]["name"].as_str().unwrap_or("generated");
            let path = format!("{path}/{name}");
            if self.objects.contains_key(&path) {
                return status(StatusCode::CONFLICT);
            }
            return (StatusCode::CREATED, self.put(&path, body.clone()));
        }
        let own = path.strip_suffix("/status").unwrap_or(path);
        let Some(current) = self.objects.get(own).cloned() else {
            if is_applied && own == path {
                return (StatusCode::CREATED, self.put(own, body.clone()));
            }
            return status(StatusCode::NOT_FOUND);
        };
        let expected = &body["metadata"]["resourceVersion"];
        if !expected.is_null() && *expected != current["metadata"]["resourceVersion"] {
            return status(StatusCode::CONFLICT);
        }
        match *method {
            Method::GET => (StatusCode::OK, current),
            Method::PUT => (StatusCode::OK, self.put(own, body.clone())),
            Method::PATCH => {
                let mut patched = current;
                merge(&mut patched, body);
                (StatusCode::OK, self.put(own, patched))
            }
            Method::DELETE => {
                self.objects.remove(own);
                (StatusCode::OK, current)
            }
            _ => status(StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

fn status(code: StatusCode) -> (StatusCode, Json) {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("the API server says {code}"),
        "reason": code.canonical_reason().unwrap_or_default().replace(' ', ""),
        "code": code.as_u16(),
    });
    (code, status)
}

/// RFC 7396.
fn merge(target: &mut Json, patch: &Json) {
    let Json::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    for (key, value) in patch {
        match (value, target.as_object_mut()) {
            (Json::Null, Some(target)) => drop(target.remove(key)),
            (value, Some(target)) => merge(target.entry(key).or_insert(Json::Null), value),
            (_, None) => {}
        }
    }
}
