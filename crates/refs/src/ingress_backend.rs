//! What Ingresses forward to.

use serde_json::Value;
use underpin_model::{FieldPath, Object, PortRef, canonical_group};

use crate::field::Field;

/// A Service that an Ingress forwards to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressBackend {
    /// The field that says so.
    pub path: FieldPath,
    /// The Service, beside the Ingress.
    pub service: String,
    /// The Service's port.
    pub port: PortRef,
}

/// The backends of an Ingress, in `networking.k8s.io/v1` and in the `v1beta1` of old servers; none
/// for what is no Ingress.
pub fn ingress_backends(object: &Object) -> Vec<IngressBackend> {
    let kind = &object.key.kind;
    let is_ingress =
        kind.kind == "Ingress" && canonical_group(&kind.group, &kind.kind) == "networking.k8s.io";
    let Some(spec) = Field::root(object).get("spec").filter(|_| is_ingress) else {
        return Vec::new();
    };
    let defaults = ["defaultBackend", "backend"].into_iter();
    let defaults = defaults.filter_map(|key| spec.get(key));
    let paths = spec.each("rules").flat_map(|rule| rule.each("http.paths"));
    let ruled = paths.filter_map(|path| path.get("backend"));
    defaults
        .chain(ruled)
        .filter_map(|one| backend(&one))
        .collect()
}

fn backend(field: &Field<'_>) -> Option<IngressBackend> {
    let (service, port) = match field.get("service") {
        Some(service) => {
            let port = service.get("port")?;
            let port = port.get("number").or_else(|| port.get("name"));
            (service.text_at("name"), port)
        }
        None => (field.text_at("serviceName"), field.get("servicePort")),
    };
    Some(IngressBackend {
        path: field.path.clone(),
        service: service?.to_owned(),
        port: port_ref(port?.value)?,
    })
}

/// A port by number, or by name; old manifests may write a number as a text.
pub(crate) fn port_ref(value: &Value) -> Option<PortRef> {
    match value {
        Value::String(name) => Some(match name.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(name.clone()),
        }),
        value => u16::try_from(value.as_u64()?).ok().map(PortRef::Number),
    }
}
