//! What a sandbox begins with: manifests, applied through the API itself as kubectl would.

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde_json::Value;
use underpin_model::{GroupKind, Object, Origin, Place};
use underpin_sandbox::{ReplyBody, Request, State, User};
use underpin_source::{
    Diagnostic,
    manifests::{Variables, read_paths, render},
};

use crate::error::CommandError;

/// The namespace of objects that name none.
const NAMESPACE: &str = "default";
/// Most attempts at what is not there yet, such as a kind whose definition is being established.
const ATTEMPTS: usize = 20;

/// Reads manifests; `kubectl get -o yaml` writes such, too.
pub(crate) fn read(paths: &[Utf8PathBuf]) -> Result<Vec<Object>, CommandError> {
    let (documents, mut diagnostics) = read_paths(paths);
    let (objects, more) = render(&documents, &Variables::default());
    diagnostics.extend(more);
    if diagnostics.is_empty() {
        return Ok(objects);
    }
    diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    Err(CommandError::Declared {
        summary: "the manifests to begin with have errors".to_owned(),
        diagnostics,
    })
}

/// Applies objects in an order in which each finds what it needs, and lets controllers work in
/// between, until `deadline` at the latest. Returns what the server refused.
///
/// What was read from a live cluster is made anew: identities and status are the server's to give,
/// and what a controller made is left to it.
pub(crate) fn apply(
    state: &mut State,
    objects: Vec<Object>,
    deadline: Timestamp,
) -> Vec<Diagnostic> {
    let mut waiting: Vec<Object> = objects.into_iter().filter(|one| !is_made(one)).collect();
    waiting.sort_by_key(|object| rank(&object.key.kind));
    let mut problems = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        let before = waiting.len();
        for object in waiting {
            match apply_one(state, &object) {
                Ok(()) => {}
                Err(refusal) if refusal.code == 404 => {
                    found.push(problem(&object, &refusal));
                    missing.push(object);
                }
                Err(refusal) => problems.push(problem(&object, &refusal)),
            }
        }
        let due = state.next_due().filter(|due| *due < deadline);
        let hopeless = due.is_none() && missing.len() == before;
        if missing.is_empty() || hopeless || attempt == ATTEMPTS {
            problems.extend(found);
            break;
        }
        if let Some(due) = due {
            state.advance_to(due);
        }
        waiting = missing;
    }
    problems.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    problems
}

/// Containers and definitions, then what others are configured by, then everything else, then what
/// intercepts requests.
fn rank(kind: &GroupKind) -> u8 {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") | ("apiextensions.k8s.io", _) => 0,
        ("scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io", _) => 1,
        ("", "ServiceAccount" | "Secret" | "ConfigMap" | "LimitRange" | "ResourceQuota") => 2,
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => 2,
        ("rbac.authorization.k8s.io", _) | ("", "PersistentVolume") => 3,
        ("", "PersistentVolumeClaim" | "Service") => 4,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 6,
        _ => 5,
    }
}

/// Whether a controller of Kubernetes itself made it, and will make it again.
fn is_made(object: &Object) -> bool {
    let owners = object.owner_references();
    owners.iter().any(|owner| {
        let group = owner.kind.group.as_str();
        owner.controller && ["", "apps", "batch", "discovery.k8s.io"].contains(&group)
    })
}

/// Why the server did not take an object.
struct Refusal {
    code: u16,
    message: String,
}

fn problem(object: &Object, refusal: &Refusal) -> Diagnostic {
    let place = match &object.origin {
        Origin::Declared { place, .. } => place.clone(),
        Origin::Live | Origin::Recorded(_) => Place {
            file: "".into(),
            line: 1,
            column: 1,
        },
    };
    let diagnostic = Diagnostic::new(place, format!("{}: {}", object.key, refusal.message));
    if refusal.code == 404 && refusal.message.starts_with("namespaces ") {
        diagnostic.with_help("add a manifest of the namespace to what is seeded")
    } else if refusal.code == 404 {
        diagnostic.with_help("seed the definition of this kind, too, or correct its apiVersion")
    } else {
        diagnostic
    }
}

fn apply_one(state: &mut State, object: &Object) -> Result<(), Refusal> {
    let path = path(state, object)?;
    let query = [
        ("fieldManager", "kubectl"),
        ("fieldValidation", "Strict"),
        ("force", "true"),
    ];
    let mut request = request(http::Method::PATCH, path);
    request.query = query
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    "application/apply-patch+yaml".clone_into(&mut request.content_type);
    request.body = declared(object).to_string().into();
    send(state, &request).map(|_| ())
}

/// The object without what the server gives.
fn declared(object: &Object) -> Value {
    let mut value = object.value.as_ref().clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for given in [
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
            "uid",
        ] {
            metadata.remove(given);
        }
    }
    if let Some(value) = value.as_object_mut() {
        value.remove("status");
    }
    value
}

/// The object's path, as discovery tells.
fn path(state: &mut State, object: &Object) -> Result<String, Refusal> {
    let root = if object.key.kind.group.is_empty() {
        format!("/api/{}", object.version)
    } else {
        format!("/apis/{}/{}", object.key.kind.group, object.version)
    };
    let unknown = || Refusal {
        code: 404,
        message: format!(
            "the cluster serves no {} in {}",
            object.key.kind.kind,
            object.api_version()
        ),
    };
    let served = send(state, &request(http::Method::GET, root.clone()));
    let served = served.map_err(|_| unknown())?;
    let resources = served.get("resources").and_then(Value::as_array);
    let resource = resources.into_iter().flatten().find(|resource| {
        let is_part = |name: &str| name.contains('/');
        resource["kind"] == object.key.kind.kind.as_str()
            && !resource["name"].as_str().is_none_or(is_part)
    });
    let resource = resource.ok_or_else(unknown)?;
    let plural = resource["name"].as_str().unwrap_or_default();
    let name = &object.key.name;
    Ok(if resource["namespaced"] == true {
        let namespace = object.key.namespace.as_deref().unwrap_or(NAMESPACE);
        format!("{root}/namespaces/{namespace}/{plural}/{name}")
    } else {
        format!("{root}/{plural}/{name}")
    })
}

fn request(method: http::Method, path: String) -> Request {
    Request {
        method,
        path,
        query: Vec::new(),
        accept: "application/json".to_owned(),
        content_type: String::new(),
        user_agent: "kubectl".to_owned(),
        body: bytes::Bytes::new(),
        user: User::admin(),
    }
}

fn send(state: &mut State, request: &Request) -> Result<Value, Refusal> {
    let reply = state.handle(request);
    let value = match reply.body {
        ReplyBody::Json(value) => value,
        ReplyBody::Text(text) => Value::from(text),
        _ => Value::Null,
    };
    if reply.code < 400 {
        return Ok(value);
    }
    let message = value.get("message").and_then(Value::as_str);
    let message = message.or(value.as_str()).unwrap_or("no reason given");
    Err(Refusal {
        code: reply.code,
        message: message.trim_end().to_owned(),
    })
}
