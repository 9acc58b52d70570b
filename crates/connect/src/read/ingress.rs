//! What Ingresses forward to.

use serde_json::Value;
use underpin_model::{FieldPath, Object};

use super::reader::field;

/// A Service that an Ingress forwards to.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) path: FieldPath,
    pub(crate) service: String,
    /// The Service's port, by number or name.
    pub(crate) port: Value,
}

/// The backends of an Ingress, in `networking.k8s.io/v1` and in the `v1beta1` of old servers.
pub(crate) fn backends(object: &Object) -> Vec<Backend> {
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let root = FieldPath::new("spec");
    let mut found = Vec::new();
    for key in ["defaultBackend", "backend"] {
        if let Some(value) = field(spec, key) {
            found.extend(backend(value, root.key(key)));
        }
    }
    let rules = field(spec, "rules").and_then(Value::as_array);
    for (at, rule) in rules.into_iter().flatten().enumerate() {
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (index, path) in paths.into_iter().flatten().enumerate() {
            let place = root.key("rules").index(at).key("http").key("paths");
            if let Some(value) = field(path, "backend") {
                found.extend(backend(value, place.index(index).key("backend")));
            }
        }
    }
    found
}

fn backend(value: &Value, path: FieldPath) -> Option<Backend> {
    let (service, port) = match field(value, "service") {
        Some(service) => {
            let port = field(service, "port")?;
            let port = field(port, "number").or_else(|| field(port, "name"));
            (field(service, "name"), port)
        }
        None => (field(value, "serviceName"), field(value, "servicePort")),
    };
    Some(Backend {
        path,
        service: service?.as_str()?.to_owned(),
        port: port?.clone(),
    })
}
