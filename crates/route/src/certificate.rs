//! Certificates of hosts: which Secrets hold them, and how the document carries them.
//!
//! A key is shown by nobody: what holds one has a debug form that tells whose it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Value, json};
use underpin_model::{GroupKind, ObjectKey};

use crate::table::{RouteKey, RoutingTable};

/// The tag of the certificate for hosts that are not known.
const UNKNOWN: &str = "underpin-unknown";
/// What the tags of certificates from Secrets begin with.
const SECRET: &str = "secret/";

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Certificate and chain, in PEM.
    pub chain: String,
    /// The key, in PEM.
    pub key: String,
}

/// Without the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// The Secrets that hold certificates for the routes of a table, with these.
pub fn wanted_secrets(table: &RoutingTable) -> BTreeMap<ObjectKey, BTreeSet<RouteKey>> {
    let mut wanted: BTreeMap<ObjectKey, BTreeSet<RouteKey>> = BTreeMap::new();
    for (key, route) in &table.routes {
        let namespace = route.source.object.namespace.as_deref();
        if let (Some(namespace), Some(name)) = (namespace, &route.certificate) {
            let secret = ObjectKey::namespaced(GroupKind::core("Secret"), namespace, name);
            wanted.entry(secret).or_default().insert(key.clone());
        }
    }
    wanted
}

/// The app `tls` of a document; `None` where nobody asks for anything.
pub(crate) fn tls(
    given: Option<&Value>,
    secrets: &BTreeMap<ObjectKey, Certificate>,
    unknown: Option<&Certificate>,
) -> Option<Value> {
    if given.is_none() && secrets.is_empty() && unknown.is_none() {
        return None;
    }
    let mut tls = given.cloned().unwrap_or_else(|| json!({}));
    let from_secrets = secrets
        .iter()
        .map(|(secret, certificate)| (secret.to_string(), certificate));
    let unknown = unknown.map(|certificate| (UNKNOWN.to_owned(), certificate));
    let mut load: Vec<Value> = from_secrets
        .chain(unknown)
        .map(|(tag, Certificate { chain, key })| {
            json!({"certificate": chain, "key": key, "tags": [tag]})
        })
        .collect();
    if load.is_empty() {
        return Some(tls);
    }
    let own = tls.pointer_mut("/certificates/load_pem").map(Value::take);
    if let Some(Value::Array(own)) = own {
        load.extend(own);
    }
    if !tls["certificates"].is_object() {
        tls["certificates"] = json!({});
    }
    tls["certificates"]["load_pem"] = load.into();
    Some(tls)
}

/// Which certificate is chosen: the hosts' own, and for all others that which is theirs.
pub(crate) fn policies(hosts: &[&str], answers_unknown: bool) -> Value {
    if !answers_unknown {
        return json!([{}]);
    }
    let unknown = json!({"certificate_selection": {"any_tag": [UNKNOWN]}});
    if hosts.is_empty() {
        return json!([unknown]);
    }
    json!([{"match": {"sni": hosts}}, unknown])
}

/// The certificates from Secrets that a document carries: what cannot be read now was read once.
pub fn certificates_in(document: &Value) -> BTreeMap<ObjectKey, Certificate> {
    let loaded = document.pointer("/apps/tls/certificates/load_pem");
    let loaded = loaded.and_then(Value::as_array).into_iter().flatten();
    let each = loaded.filter_map(|one| {
        let tag = one.pointer("/tags/0")?.as_str()?;
        let (namespace, name) = tag.strip_prefix(SECRET)?.split_once('/')?;
        let secret = ObjectKey::namespaced(GroupKind::core("Secret"), namespace, name);
        let text = |field: &str| Some(one.get(field)?.as_str()?.to_owned());
        let certificate = Certificate {
            chain: text("certificate")?,
            key: text("key")?,
        };
        Some((secret, certificate))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> BTreeMap<ObjectKey, Certificate> {
        let secret = ObjectKey::namespaced(GroupKind::core("Secret"), "shop", "cert");
        let certificate = Certificate {
            chain: "CHAIN".to_owned(),
            key: "hunter2".to_owned(),
        };
        [(secret, certificate)].into()
    }

    #[test]
    fn certificates_stand_beside_the_operators_and_are_found_again() {
        assert_eq!(tls(None, &BTreeMap::new(), None), None);
        let given = json!({"certificates": {"load_pem": [{"certificate": "c"}], "automate": []},
            "automation": {}});
        let unknown = secrets().into_values().next();
        let tls = tls(Some(&given), &secrets(), unknown.as_ref()).unwrap();
        let tags: Vec<&Value> = tls["certificates"]["load_pem"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["tags"])
            .collect();
        assert_eq!(
            json!(tags),
            json!([["secret/shop/cert"], ["underpin-unknown"], null])
        );
        assert!(tls["certificates"]["automate"].is_array() && tls["automation"].is_object());
        let found = certificates_in(&json!({"apps": {"tls": tls}}));
        assert_eq!(found, secrets());
    }

    /// R3.6: a key is never shown.
    #[test]
    fn r3_6_keys_are_not_shown() {
        assert!(!format!("{:?}", secrets()).contains("hunter2"));
    }
}
