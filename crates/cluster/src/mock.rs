//! A mock API server for unit tests: scripted answers, and a small store of core objects with
//! resource versions, preconditions and lost answers.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use crate::{Cluster, Host, SystemHost};

/// Time limit of requests in tests.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// A request as the mock saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: String,
    pub(crate) body: Value,
}

/// What the mock answers.
pub(crate) enum Answer {
    Json(u16, Value),
    Text(u16, &'static str),
    /// JSON with a header.
    With(u16, &'static str, &'static str, Value),
    /// The connection breaks.
    Broken,
}

/// A cluster whose answers a function gives.
pub(crate) fn cluster(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Cluster {
    cluster_on(Arc::new(SystemHost), handler)
}

/// The same for a run on this host.
pub(crate) fn cluster_on(
    host: Arc<dyn Host>,
    handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> Cluster {
    let handler = Arc::new(handler);
    let service = tower::service_fn(move |request: Request<Body>| {
        let handler = Arc::clone(&handler);
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await.unwrap();
            let header = parts.headers.get("accept").unwrap();
            let seen = Seen {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                accept: header.to_str().unwrap().to_owned(),
                body: serde_json::from_slice(&bytes).unwrap_or_default(),
            };
            respond(handler(&seen))
        }
    });
    let server = "http://mock".to_owned();
    let user = "tester".to_owned();
    Cluster::over_service(service, "mock", server, user, TIMEOUT, host)
}

fn respond(answer: Answer) -> Result<Response<Body>, io::Error> {
    let (code, header, text) = match answer {
        Answer::Json(code, value) => (code, None, value.to_string()),
        Answer::Text(code, text) => (code, None, text.to_owned()),
        Answer::With(code, name, text, value) => (code, Some((name, text)), value.to_string()),
        Answer::Broken => return Err(io::ErrorKind::ConnectionReset.into()),
    };
    let mut builder = Response::builder().status(code);
    if let Some((name, text)) = header {
        builder = builder.header(name, text);
    }
    Ok(builder.body(Body::from(text.into_bytes())).unwrap())
}

/// A `Status` as the API server writes it.
pub(crate) fn status(code: u16, reason: &str, message: &str, details: Value) -> Answer {
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    body["details"] = details;
    Answer::Json(code, body)
}

/// Objects by path, with a counter of resource versions.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    objects: BTreeMap<String, Value>,
    version: u64,
    log: Vec<String>,
    /// Mutations that are carried out and whose answers are lost.
    lose_answers: usize,
    /// Whether every request fails.
    down: bool,
}

impl Store {
    pub(crate) fn cluster(&self) -> Cluster {
        let store = self.clone();
        cluster(move |seen| store.answer(seen))
    }

    /// The same for a run on this host.
    pub(crate) fn cluster_on(&self, host: Arc<dyn Host>) -> Cluster {
        let store = self.clone();
        cluster_on(host, move |seen| store.answer(seen))
    }

    /// Loses the answers of the next mutations.
    pub(crate) fn lose_answers(&self, count: usize) {
        self.0.lock().unwrap().lose_answers = count;
    }

    /// Makes every request fail, or none.
    pub(crate) fn set_down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }

    /// `METHOD name`, in order.
    pub(crate) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    /// Names of the objects of a plural.
    pub(crate) fn names(&self, plural: &str) -> Vec<String> {
        let stored = self.0.lock().unwrap();
        let part = format!("/{plural}/");
        stored
            .objects
            .keys()
            .filter(|path| path.contains(&part))
            .filter_map(|path| path.rsplit('/').next().map(str::to_owned))
            .collect()
    }

    /// Changes an object behind everybody's back.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut stored = self.0.lock().unwrap();
        stored.version += 1;
        let version = stored.version.to_string();
        let end = format!("/{name}");
        let (_, object) = stored
            .objects
            .iter_mut()
            .find(|(path, _)| path.ends_with(&end))
            .unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = json!(version);
    }

    /// Removes an object behind everybody's back.
    pub(crate) fn remove(&self, name: &str) {
        let end = format!("/{name}");
        let mut stored = self.0.lock().unwrap();
        stored.objects.retain(|path, _| !path.ends_with(&end));
    }

    pub(crate) fn answer(&self, seen: &Seen) -> Answer {
        let mut stored = self.0.lock().unwrap();
        let name = seen.path.rsplit('/').next().unwrap_or_default();
        stored.log.push(format!("{} {name}", seen.method));
        if stored.down {
            return Answer::Text(503, "down");
        }
        let answer = stored.carry_out(seen);
        let mutation = seen.method != Method::GET && matches!(answer, Answer::Json(200, _));
        if mutation && stored.lose_answers > 0 {
            stored.lose_answers -= 1;
            return Answer::Broken;
        }
        answer
    }
}

impl Stored {
    fn carry_out(&mut self, seen: &Seen) -> Answer {
        let applies = seen.body.get("kind").is_some();
        match seen.method {
            Method::GET if seen.path.ends_with("/configmaps") => self.list(&seen.path),
            Method::GET => match self.objects.get(&seen.path) {
                Some(object) => Answer::Json(200, object.clone()),
                None => not_found(&seen.path),
            },
            Method::PATCH if applies => self.create(seen),
            Method::PATCH => self.merge(seen),
            Method::DELETE => self.delete(seen),
            _ => Answer::Text(405, "method not allowed"),
        }
    }

    fn list(&self, path: &str) -> Answer {
        let items: Vec<&Value> = self
            .objects
            .range(format!("{path}/")..format!("{path}0"))
            .map(|(_, object)| object)
            .collect();
        Answer::Json(
            200,
            json!({"kind": "ConfigMapList", "metadata": {}, "items": items}),
        )
    }

    fn create(&mut self, seen: &Seen) -> Answer {
        let segments: Vec<&str> = seen.path.split('/').collect();
        if let ["", "api", "v1", "namespaces", namespace, _, _] = segments[..] {
            let parent = format!("/api/v1/namespaces/{namespace}");
            if !self.objects.contains_key(&parent) {
                return not_found(&parent);
            }
        }
        if self.objects.contains_key(&seen.path) {
            return conflict(&seen.path);
        }
        self.version += 1;
        let mut object = seen.body.clone();
        object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(seen.path.clone(), object.clone());
        Answer::Json(200, object)
    }

    fn merge(&mut self, seen: &Seen) -> Answer {
        let Some(object) = self.objects.get_mut(&seen.path) else {
            return not_found(&seen.path);
        };
        let wanted = &seen.body["metadata"]["resourceVersion"];
        // As the real server: without a version, or with an empty one, nothing is compared.
        let compares = wanted.as_str().is_some_and(|version| !version.is_empty());
        if compares && *wanted != object["metadata"]["resourceVersion"] {
            return conflict(&seen.path);
        }
        for (key, value) in seen.body["data"].as_object().unwrap() {
            let data = object["data"].as_object_mut().unwrap();
            if value.is_null() {
                data.remove(key);
            } else {
                data.insert(key.clone(), value.clone());
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        Answer::Json(200, object.clone())
    }

    fn delete(&mut self, seen: &Seen) -> Answer {
        let Some(object) = self.objects.get(&seen.path) else {
            return not_found(&seen.path);
        };
        let preconditions = &seen.body["preconditions"];
        let holds = ["uid", "resourceVersion"]
            .iter()
            .all(|field| preconditions[field] == object["metadata"][field]);
        if !holds {
            return conflict(&seen.path);
        }
        self.objects.remove(&seen.path);
        Answer::Json(200, json!({"kind": "Status", "status": "Success"}))
    }
}

fn not_found(path: &str) -> Answer {
    let name = path.rsplit('/').next().unwrap_or_default();
    status(404, "NotFound", "not found", json!({"name": name}))
}

fn conflict(path: &str) -> Answer {
    let name = path.rsplit('/').next().unwrap_or_default();
    status(
        409,
        "Conflict",
        "the object has been modified",
        json!({"name": name}),
    )
}

/// Counts calls, for scripts that answer differently each time.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// The number of earlier calls.
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
