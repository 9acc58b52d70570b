//! What every object has: name, namespace, labels, annotations, owners, finalizers.

use serde_json::Value;
use underpin_model::GroupKind;

use super::names::{self, Rule};
use crate::{
    Kind,
    admission::{
        causes::Causes,
        path::Path,
        view::{at, count, entries, field, flag, integer, items, list, text},
    },
    object,
};

/// Keys and values of all annotations together, in bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Finalizers without a domain that the server knows.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

const METADATA: Path<'static> = Path::root("metadata");

/// The metadata of a new object, or of an updated one.
pub(super) fn validate(causes: &mut Causes, kind: &Kind, old: Option<&Value>, new: &Value) {
    match old {
        None => {
            own_name(causes, kind, new);
            common(causes, kind, new);
        }
        Some(old) => {
            // Once for every kind alike, and then by the kind's own rules.
            common(causes, kind, new);
            changed(causes, old, new);
            let (as_update, as_new) = own_looks(&kind.kind);
            for _ in 0..as_update {
                changed(causes, old, new);
            }
            for _ in 0..as_new {
                own_name(causes, kind, new);
                common(causes, kind, new);
            }
        }
    }
    if kind.kind.group.is_empty() {
        let path = METADATA.child("finalizers");
        for (at, finalizer) in object::finalizers(new).enumerate() {
            standard_finalizer(causes, &path.index(at), finalizer);
        }
    }
}

/// How often a kind's own rules look at the metadata of an update: as an update, and as if the
/// object were new. Each look finds the same again, and clients see it in the causes.
fn own_looks(kind: &GroupKind) -> (usize, usize) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("policy", "PodDisruptionBudget") => (0, 0),
        ("admissionregistration.k8s.io" | "discovery.k8s.io", _) => (0, 1),
        ("rbac.authorization.k8s.io", _) | ("", "PersistentVolumeClaim") => (1, 2),
        ("", "LimitRange") | ("apps", "Deployment") | ("batch", "CronJob") => (1, 0),
        ("" | "apps" | "batch" | "networking.k8s.io", _) => (1, 1),
        ("storage.k8s.io", "StorageClass") => (1, 1),
        _ => (1, 0),
    }
}

/// The rule for names of a kind.
fn rule(kind: &GroupKind) -> Rule {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") => names::label,
        ("", "Service") => names::label_1035,
        ("rbac.authorization.k8s.io", _) | ("policy", "PodDisruptionBudget") => names::path_segment,
        _ => names::subdomain,
    }
}

fn own_name(causes: &mut Causes, kind: &Kind, new: &Value) {
    let rule = rule(&kind.kind);
    let prefix = object::text(new, "/metadata/generateName");
    if !prefix.is_empty() {
        let found = rule(&names::as_prefix(prefix));
        causes.invalid_each(&METADATA.child("generateName"), prefix, &found);
    }
    let name = object::name(new);
    if name.is_empty() {
        causes.required(&METADATA.child("name"), "name or generateName is required");
    } else {
        causes.invalid_each(&METADATA.child("name"), name, &rule(name));
    }
}

fn common(causes: &mut Causes, kind: &Kind, new: &Value) {
    let namespace = object::namespace(new);
    let path = METADATA.child("namespace");
    match (kind.namespaced, namespace.is_empty()) {
        (true, true) => causes.required(&path, ""),
        (true, false) => causes.invalid_each(&path, namespace, &names::label(namespace)),
        (false, false) => causes.forbidden(&path, "not allowed on this type"),
        (false, true) => {}
    }
    kept(causes, new);
    finalizers(causes, new);
}

/// What is looked at in every write.
fn kept(causes: &mut Causes, new: &Value) {
    let metadata = field(new, "metadata");
    labels(causes, &METADATA.child("labels"), field(metadata, "labels"));
    annotations(causes, &METADATA.child("annotations"), metadata);
    owners(causes, list(metadata, "ownerReferences"));
}

/// Labels, or a selector that is a map.
pub(super) fn labels(causes: &mut Causes, path: &Path<'_>, labels: &Value) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        causes.invalid_each(path, key, &names::qualified(key));
        let value = value.as_str().unwrap_or_default();
        causes.invalid_each(path, value, &names::label_value(value));
    }
}

/// The annotations of an object's or a template's metadata.
pub(super) fn annotations(causes: &mut Causes, path: &Path<'_>, metadata: &Value) {
    if count(metadata, "annotations") == 0 {
        return;
    }
    let mut size = 0;
    for (key, value) in entries(metadata, "annotations") {
        causes.invalid_each(path, key, &names::qualified(&key.to_ascii_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS_LIMIT {
        causes.too_long(path, ANNOTATIONS_LIMIT);
    }
}

fn owners(causes: &mut Causes, owners: &[Value]) {
    let path = METADATA.child("ownerReferences");
    let mut controller: Option<String> = None;
    for owner in owners {
        let version = text(owner, "apiVersion");
        if version.rsplit('/').next().is_none_or(str::is_empty) {
            causes.invalid(
                &path.child("apiVersion"),
                version,
                "version must not be empty",
            );
        }
        for name in ["kind", "name", "uid"] {
            if text(owner, name).is_empty() {
                causes.invalid(&path.child(name), "", "must not be empty");
            }
        }
        if version == "v1" && text(owner, "kind") == "Event" {
            causes.invalid(
                &path,
                owner,
                "/v1, Kind=Event is disallowed from being an owner",
            );
        }
        if flag(owner, "controller") {
            let this = format!("{}/{}", text(owner, "kind"), text(owner, "name"));
            match &controller {
                Some(first) => causes.invalid(
                    &path,
                    &Value::Array(owners.to_vec()),
                    &format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    ),
                ),
                None => controller = Some(this),
            }
        }
    }
}

fn finalizers(causes: &mut Causes, new: &Value) {
    let path = METADATA.child("finalizers");
    let all: Vec<&str> = object::finalizers(new).collect();
    for finalizer in &all {
        causes.invalid_each(&path, finalizer, &names::qualified(finalizer));
    }
    if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
        let shown = at(new, "/metadata/finalizers");
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.invalid(&path, shown, detail);
    }
}

/// In the core group a finalizer without a domain must be one of Kubernetes' own.
pub(super) fn standard_finalizer(causes: &mut Causes, path: &Path<'_>, finalizer: &str) {
    if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
        let detail = "name is neither a standard finalizer name nor is it fully qualified";
        causes.invalid(path, finalizer, detail);
    }
}

/// What no update may change.
fn changed(causes: &mut Causes, old: &Value, new: &Value) {
    let whole = new;
    if object::is_deleting(old) {
        let before: Vec<&str> = object::finalizers(old).collect();
        let mut added: Vec<&str> = object::finalizers(new)
            .filter(|finalizer| !before.contains(finalizer))
            .collect();
        added.sort_unstable();
        added.dedup();
        if !added.is_empty() {
            let shown: Vec<String> = added.iter().map(|name| format!("{name:?}")).collect();
            causes.forbidden(
                &METADATA.child("finalizers"),
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    shown.join(", ")
                ),
            );
        }
    }
    let (old, new) = (field(old, "metadata"), field(new, "metadata"));
    if text(new, "resourceVersion").is_empty() {
        let detail = "must be specified for an update";
        causes.invalid(&METADATA.child("resourceVersion"), "", detail);
    }
    let generation = integer(new, "generation").unwrap_or_default();
    if generation < integer(old, "generation").unwrap_or_default() {
        let path = METADATA.child("generation");
        causes.invalid(&path, &generation, "must not be decremented");
    }
    for name in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        causes.immutable(&METADATA.child(name), old.get(name), new.get(name));
    }
    kept(causes, whole);
}

/// A label selector with expressions.
pub(super) fn selector(causes: &mut Causes, path: &Path<'_>, selector: &Value) {
    labels(
        causes,
        &path.child("matchLabels"),
        field(selector, "matchLabels"),
    );
    let expressions = path.child("matchExpressions");
    for (at, expression) in list(selector, "matchExpressions").iter().enumerate() {
        let path = expressions.index(at);
        let values = items(field(expression, "values"));
        match text(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => causes.required(
                &path.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => causes.forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => causes.invalid(
                &path.child("operator"),
                other,
                "not a valid selector operator",
            ),
        }
        let key = text(expression, "key");
        causes.invalid_each(&path.child("key"), key, &names::qualified(key));
        let list = path.child("values");
        for (at, value) in values.iter().filter_map(Value::as_str).enumerate() {
            causes.invalid_each(&list.index(at), value, &names::label_value(value));
        }
    }
}

/// Whether a label selector selects everything.
pub(super) fn is_empty_selector(selector: &Value) -> bool {
    count(selector, "matchLabels") == 0 && list(selector, "matchExpressions").is_empty()
}

/// Whether a label selector selects an object with these labels.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let value = |key: &str| labels.get(key).and_then(Value::as_str);
    let by_labels =
        entries(selector, "matchLabels").all(|(key, wanted)| value(key) == wanted.as_str());
    by_labels
        && list(selector, "matchExpressions").iter().all(|expression| {
            let found = value(text(expression, "key"));
            let mut values = list(expression, "values").iter().filter_map(Value::as_str);
            match text(expression, "operator") {
                "In" => found.is_some_and(|found| values.any(|value| value == found)),
                "NotIn" => found.is_none_or(|found| values.all(|value| value != found)),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}
