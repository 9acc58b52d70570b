//! ConfigMaps, Secrets, Namespaces, Events, ControllerRevisions.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{metadata, names};
use crate::{
    admission::{
        causes::Causes,
        path::Path,
        view::{at, entries, field, flag, integer, list, text},
    },
    handle::{go_error, go_name},
    object,
};

/// Bytes that all values together may have.
const SIZE_LIMIT: usize = 1024 * 1024;

pub(super) fn config_map(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    sealed(causes, old, new, &["data", "binaryData"]);
    let mut size = 0;
    for (name, path) in [
        ("data", Path::root("data")),
        ("binaryData", Path::root("binaryData")),
    ] {
        for (key, value) in entries(new, name) {
            causes.invalid_each(&path.key(key), key, &names::config_key(key));
            if name == "data" && field(new, "binaryData").get(key).is_some() {
                let detail = "duplicate of key present in binaryData";
                causes.invalid(&path.key(key), key, detail);
            }
            size += bytes(value, name == "binaryData");
        }
    }
    if size > SIZE_LIMIT {
        causes.too_long(&Path::root(""), SIZE_LIMIT);
    }
}

/// Length of a value: what base64 stands for, without decoding it.
fn bytes(value: &Value, is_base64: bool) -> usize {
    let text = value.as_str().unwrap_or_default();
    if is_base64 {
        text.trim_end_matches('=').len() * 3 / 4
    } else {
        text.len()
    }
}

pub(super) fn secret(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    if let Some(old) = old {
        causes.immutable(&Path::root("type"), old.get("type"), new.get("type"));
    }
    sealed(causes, old, new, &["data"]);
    let path = Path::root("data");
    let mut size = 0;
    for (key, value) in entries(new, "data") {
        causes.invalid_each(&path.key(key), key, &names::config_key(key));
        size += bytes(value, true);
    }
    if size > SIZE_LIMIT {
        causes.too_long(&path, SIZE_LIMIT);
    }
    let data = field(new, "data");
    let has = |key: &str| data.get(key).is_some();
    match text(new, "type") {
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            let annotations = at(new, "/metadata/annotations");
            if text(annotations, name).is_empty() {
                let path = Path::root("metadata");
                causes.required(&path.child("annotations").key(name), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(causes, &path, data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => docker(causes, &path, data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            // The doubled name is the server's.
            let path = Path::root("data[%s]");
            causes.required(&path.key("username"), "");
            causes.required(&path.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if text(data, "ssh-privatekey").is_empty() => {
            causes.required(&Path::root("data[%s]").key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    causes.required(&path.key(key), "");
                }
            }
        }
        _ => {}
    }
}

fn docker(causes: &mut Causes, path: &Path<'_>, data: &Value, key: &str) {
    let Some(value) = data.get(key) else {
        causes.required(&path.key(key), "");
        return;
    };
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default());
    let bytes = bytes.unwrap_or_default();
    let problem = match serde_json::from_slice(&bytes) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(other) => format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            go_name(&other)
        ),
        Err(error) => go_error(&error, &bytes),
    };
    causes.invalid(&path.key(key), "<secret contents redacted>", &problem);
}

/// What is marked `immutable` stays as it is.
fn sealed(causes: &mut Causes, old: Option<&Value>, new: &Value, fields: &[&'static str]) {
    let Some(old) = old.filter(|old| flag(old, "immutable")) else {
        return;
    };
    let detail = "field is immutable when `immutable` is set";
    if !flag(new, "immutable") {
        causes.forbidden(&Path::root("immutable"), detail);
    }
    for name in fields {
        if field(old, name) != field(new, name) {
            causes.forbidden(&Path::root(name), detail);
        }
    }
}

pub(super) fn namespace(causes: &mut Causes, new: &Value, subresource: &str) {
    let path = Path::root("spec");
    let path = path.child("finalizers");
    if subresource == "status" {
        let phase = object::text(new, "/status/phase");
        let (wanted, detail) = if object::is_deleting(new) {
            (
                "Terminating",
                "may only be 'Terminating' if `deletionTimestamp` is not empty",
            )
        } else {
            (
                "Active",
                "may only be 'Active' if `deletionTimestamp` is empty",
            )
        };
        if phase != wanted {
            let status = Path::root("status");
            causes.invalid(&status.child("Phase"), phase, detail);
        }
        return;
    }
    for finalizer in list(field(new, "spec"), "finalizers")
        .iter()
        .filter_map(Value::as_str)
    {
        causes.invalid_each(&path, finalizer, &names::qualified(finalizer));
        metadata::standard_finalizer(causes, &path, finalizer);
    }
}

/// An Event is in the namespace of what it is about; what has none is told of in `default`.
pub(super) fn event(causes: &mut Causes, new: &Value) {
    let about = text(field(new, "involvedObject"), "namespace");
    let namespace = object::namespace(new);
    let fits = if about.is_empty() {
        matches!(namespace, "" | "default")
    } else {
        about == namespace
    };
    if !fits {
        let path = Path::root("involvedObject");
        causes.invalid(
            &path.child("namespace"),
            about,
            "does not match event.namespace",
        );
    }
}

/// A revision of a workload keeps its data for ever.
pub(super) fn revision(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    if let Some(number) = integer(new, "revision").filter(|number| *number < 0) {
        let detail = "must be greater than or equal to 0";
        causes.invalid(&Path::root("revision"), &number, detail);
    }
    if let Some(old) = old {
        causes.immutable(&Path::root("data"), old.get("data"), new.get("data"));
    }
}
