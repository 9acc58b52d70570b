//! What an Ingress routes: hosts and paths, the backends behind them, and its certificates.

use underpin_model::{Depth, FieldPath, Object, PortRef, canonical_group};

use crate::field::Field;

/// What an Ingress says, in `networking.k8s.io/v1` and in the `v1beta1` of old servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressRules {
    /// The class that serves it, by field or by the annotation of old.
    pub class: Option<String>,
    /// Where everything goes that no rule sends elsewhere.
    pub default_backend: Option<IngressBackend>,
    /// The rules, in order.
    pub rules: Vec<IngressRule>,
    /// Hosts that are served over TLS, each with the Secret that holds the certificate.
    pub tls: Vec<(String, Option<String>)>,
}

/// A rule of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressRule {
    /// Where the rule stands.
    pub path: FieldPath,
    /// The host; `None` for every host.
    pub host: Option<String>,
    /// The paths, in order; none sends everything to the default backend.
    pub paths: Vec<IngressPath>,
}

/// A path of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressPath {
    /// The path as written; empty when there is none.
    pub path: String,
    /// How it matches, such as `Prefix`; empty when it is not said.
    pub path_type: String,
    /// Where it goes; an error when that is no Service with a port.
    pub backend: Result<IngressBackend, BackendError>,
    /// Where the path stands.
    pub at: FieldPath,
}

/// A Service that an Ingress sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressBackend {
    /// Where the backend stands.
    pub at: FieldPath,
    /// Name of the Service, beside the Ingress.
    pub service: String,
    /// Its port.
    pub port: PortRef,
}

/// Why a backend is none that can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendError {
    /// It is an object of another kind.
    Resource,
    /// No Service is named.
    NoService,
    /// The Service is named without a port, or with one that cannot be.
    NoPort,
}

impl std::fmt::Display for BackendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resource => "the backend is a resource and no Service",
            Self::NoService => "the backend names no Service",
            Self::NoPort => "the backend names no port between 1 and 65535",
        })
    }
}

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// What an Ingress routes; `None` for every other kind, and where only metadata was read.
pub fn ingress_rules(object: &Object) -> Option<IngressRules> {
    let kind = &object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    if (group, kind.kind.as_str()) != ("networking.k8s.io", "Ingress")
        || object.depth == Depth::Metadata
    {
        return None;
    }
    let class = object
        .text("/spec/ingressClassName")
        .or_else(|| object.annotation(CLASS_ANNOTATION));
    let mut found = IngressRules {
        class: class.map(str::to_owned),
        ..IngressRules::default()
    };
    let Some(spec) = Field::root(object).get("spec") else {
        return Some(found);
    };
    found.default_backend = ["defaultBackend", "backend"]
        .iter()
        .find_map(|key| spec.get(key))
        .and_then(|field| backend(&field).ok());
    found.rules = spec.each("rules").map(|field| rule(&field)).collect();
    for tls in spec.each("tls") {
        let secret = tls.text_at("secretName").map(str::to_owned);
        for host in tls.each("hosts") {
            if let Some(host) = host.text() {
                found.tls.push((host.to_owned(), secret.clone()));
            }
        }
    }
    Some(found)
}

fn rule(field: &Field<'_>) -> IngressRule {
    let paths = field.each("http.paths").map(|path| IngressPath {
        path: path.text_at("path").unwrap_or_default().to_owned(),
        path_type: path.text_at("pathType").unwrap_or_default().to_owned(),
        backend: match path.get("backend") {
            Some(found) => backend(&found),
            None => Err(BackendError::NoService),
        },
        at: path.path.clone(),
    });
    IngressRule {
        path: field.path.clone(),
        host: field.text_at("host").map(str::to_owned),
        paths: paths.collect(),
    }
}

pub(crate) fn backend(field: &Field<'_>) -> Result<IngressBackend, BackendError> {
    if field.get("resource").is_some() {
        return Err(BackendError::Resource);
    }
    let (service, port) = match field.get("service") {
        Some(service) => {
            let port = service.get("port");
            let port = port.and_then(|port| port.get("number").or_else(|| port.get("name")));
            (service.text_at("name"), port)
        }
        None => (field.text_at("serviceName"), field.get("servicePort")),
    };
    Ok(IngressBackend {
        at: field.path.clone(),
        service: service.ok_or(BackendError::NoService)?.to_owned(),
        port: port
            .and_then(|port| port.port())
            .filter(|port| !matches!(port, PortRef::Number(0)))
            .ok_or(BackendError::NoPort)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use underpin_model::Origin;

    use super::*;

    fn read(spec: &Value) -> IngressRules {
        let value = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "web", "namespace": "wallet",
                "annotations": {CLASS_ANNOTATION: "old"}},
            "spec": spec});
        let object = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        ingress_rules(&object).unwrap()
    }

    #[test]
    fn both_versions_read_alike() {
        let new = read(&json!({"rules": [{"host": "a.example", "http": {"paths": [
            {"path": "/x", "pathType": "Prefix",
             "backend": {"service": {"name": "web", "port": {"name": "http"}}}}]}}]}));
        let old = read(&json!({"rules": [{"host": "a.example", "http": {"paths": [
            {"path": "/x", "pathType": "Prefix",
             "backend": {"serviceName": "web", "servicePort": "http"}}]}}]}));
        assert_eq!(new, old);
        let backend = new.rules[0].paths[0].backend.as_ref().unwrap();
        assert_eq!(backend.port, PortRef::Name("http".into()));
        assert_eq!(new.class.as_deref(), Some("old"));
    }

    #[test]
    fn what_cannot_be_sent_to_is_said() {
        for (backend, expect) in [
            (
                json!({"resource": {"kind": "Bucket"}}),
                BackendError::Resource,
            ),
            (json!({}), BackendError::NoService),
            (json!({"service": {"name": "web"}}), BackendError::NoPort),
            (
                json!({"service": {"name": "web", "port": {"number": 0}}}),
                BackendError::NoPort,
            ),
            (json!("web"), BackendError::NoService),
        ] {
            let rules = read(&json!({"rules": [{"http": {"paths": [{"backend": backend}]}}]}));
            assert_eq!(rules.rules[0].paths[0].backend, Err(expect));
        }
    }

    #[test]
    fn hosts_of_tls_name_their_secret() {
        let rules = read(&json!({
            "ingressClassName": "caddy",
            "tls": [{"hosts": ["a.example", "b.example"], "secretName": "cert"}, {"hosts": ["c"]}],
            "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
        }));
        assert_eq!(rules.class.as_deref(), Some("caddy"));
        assert_eq!(rules.tls[1], ("b.example".into(), Some("cert".into())));
        assert_eq!(rules.tls[2], ("c".into(), None));
        let backend = rules.default_backend.unwrap();
        assert_eq!(backend.at.as_str(), "spec.defaultBackend");
        assert_eq!(backend.port, PortRef::Number(80));
    }
}
