//! Certificates of hosts: which Secrets hold them, and how the document carries them.
//!
//! A key is shown by nobody: what holds one has a debug form that tells whose it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde_json::{Value, json};
use underpin_model::{GroupKind, ObjectKey};

use crate::{
    address::{Scheme, SiteAddress},
    document::ServedRoute,
    path::PathMatch,
    table::{Route, RouteKey, RoutingTable},
};

/// The tag of the certificate for hosts that are not known.
const UNKNOWN: &str = "underpin-unknown";
/// The tag of the operator's own certificates.
const OPERATOR: &str = "underpin-operator";
/// What the tags of certificates from Secrets begin with.
const SECRET: &str = "secret/";
/// Where Caddy loads certificates from that can be given a tag.
const TAGGED: [&str; 3] = ["load_files", "load_pem", "load_storage"];

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Certificate and chain, in PEM.
    pub chain: String,
    /// The key, in PEM.
    pub key: String,
    /// The hosts that it is for, in lower case; `*.` stands for one label.
    pub names: BTreeSet<String>,
}

/// Without the key.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Whether it is for a host, or for all of a wildcard.
    pub fn covers(&self, host: &str) -> bool {
        let rest = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        self.names.contains(host) || rest.is_some_and(|wildcard| self.names.contains(&wildcard))
    }
}

/// The host of a route that is served over TLS.
pub fn secure_host(key: &RouteKey) -> Option<&str> {
    let site = key.site.as_ref()?;
    (site.scheme() == Scheme::Https).then(|| site.host())
}

/// The Secrets that hold certificates for the routes of a table, with these.
pub fn wanted_secrets(table: &RoutingTable) -> BTreeMap<ObjectKey, BTreeSet<RouteKey>> {
    let mut wanted: BTreeMap<ObjectKey, BTreeSet<RouteKey>> = BTreeMap::new();
    for (key, route) in &table.routes {
        if let Some(secret) = secret_of(route) {
            wanted.entry(secret).or_default().insert(key.clone());
        }
    }
    wanted
}

/// The Secret that a route names, which is beside its object.
pub(crate) fn secret_of(route: &Route) -> Option<ObjectKey> {
    let namespace = route.source.object.namespace.as_deref()?;
    let name = route.certificate.as_ref()?;
    let kind = GroupKind::core("Secret");
    Some(ObjectKey::namespaced(kind, namespace, name))
}

/// Which certificate of a Secret each host is shown: one that a route of that very host names and that is
/// for the host, so that nobody's Secret counts for another's host. Where several routes of a host name one,
/// that of the route for most paths.
pub(crate) struct Shown<'a> {
    pub(crate) hosts: BTreeMap<&'a str, &'a ObjectKey>,
    /// Secrets that Caddy would show for hosts of others too, and with what names.
    pub(crate) left_out: BTreeMap<&'a ObjectKey, BTreeSet<&'a str>>,
}

impl<'a> Shown<'a> {
    pub(crate) fn of(
        routes: &'a BTreeMap<RouteKey, ServedRoute>,
        certificates: &'a BTreeMap<ObjectKey, Arc<Certificate>>,
        given: Option<&Value>,
    ) -> Self {
        let mut paths: BTreeMap<&str, (&PathMatch, &ObjectKey)> = BTreeMap::new();
        for (key, route) in routes {
            let (Some(host), Some(secret)) = (secure_host(key), &route.certificate) else {
                continue;
            };
            let is_for = certificates.get(secret).is_some_and(|it| it.covers(host));
            let before = paths.get(host);
            if is_for && before.is_none_or(|(path, _)| path.order() < key.path.order()) {
                paths.insert(host, (&key.path, secret));
            }
        }
        let mut shown = Self {
            hosts: paths
                .into_iter()
                .map(|(host, (_, it))| (host, it))
                .collect(),
            left_out: BTreeMap::new(),
        };
        if !is_apart(given) {
            shown.leave_out(certificates);
        }
        shown
    }

    /// Leaves out what has names beyond the hosts that it is shown for.
    fn leave_out(&mut self, certificates: &'a BTreeMap<ObjectKey, Arc<Certificate>>) {
        let mut own: BTreeMap<&ObjectKey, BTreeSet<&str>> = BTreeMap::new();
        for (host, secret) in &self.hosts {
            own.entry(secret).or_default().insert(host);
        }
        for (secret, hosts) in own {
            let names = certificates
                .get(secret)
                .into_iter()
                .flat_map(|it| &it.names);
            let beyond = names
                .map(String::as_str)
                .filter(|name| !hosts.contains(name));
            let beyond: BTreeSet<&str> = beyond.collect();
            if !beyond.is_empty() {
                self.left_out.insert(secret, beyond);
            }
        }
        let left_out = &self.left_out;
        self.hosts
            .retain(|_, secret| !left_out.contains_key(*secret));
    }
}

/// Secrets that are not used because Caddy would show their certificates for hosts of others too, with the
/// names beyond their own hosts. That is so where the operator has Caddy get certificates, or load whole
/// folders: it does not tell these from any others.
pub fn left_out(
    routes: &BTreeMap<RouteKey, ServedRoute>,
    certificates: &BTreeMap<ObjectKey, Arc<Certificate>>,
    given: Option<&Value>,
) -> BTreeMap<ObjectKey, BTreeSet<String>> {
    let shown = Shown::of(routes, certificates, given);
    let each = shown.left_out.into_iter().map(|(secret, names)| {
        let names = names.into_iter().map(str::to_owned).collect();
        (secret.clone(), names)
    });
    each.collect()
}

/// Whether all of the operator's own certificates can be given a tag.
fn is_apart(given: Option<&Value>) -> bool {
    let Some(given) = given.and_then(Value::as_object) else {
        return true;
    };
    let loaded = given.get("certificates").and_then(Value::as_object);
    let mut loaded = loaded.into_iter().flat_map(serde_json::Map::keys);
    !given.contains_key("automation") && loaded.all(|name| TAGGED.contains(&name.as_str()))
}

/// The app `tls` of a document; `None` where nobody asks for anything.
pub(crate) fn tls(
    given: Option<&Value>,
    certificates: &BTreeMap<ObjectKey, Arc<Certificate>>,
    shown: &Shown<'_>,
    unknown: Option<&Certificate>,
) -> Option<Value> {
    let used: BTreeSet<&ObjectKey> = shown.hosts.values().copied().collect();
    if given.is_none() && used.is_empty() && unknown.is_none() {
        return None;
    }
    let mut tls = given.cloned().unwrap_or_else(|| json!({}));
    let own = tls
        .pointer_mut("/certificates")
        .and_then(Value::as_object_mut);
    for (name, loaded) in own.into_iter().flatten() {
        let is_tagged = TAGGED.contains(&name.as_str());
        for one in loaded
            .as_array_mut()
            .into_iter()
            .flatten()
            .filter(|_| is_tagged)
        {
            tag(one);
        }
    }
    let from_secrets = used
        .into_iter()
        .filter_map(|secret| Some((secret.to_string(), certificates.get(secret)?.as_ref())));
    let unknown = unknown.map(|certificate| (UNKNOWN.to_owned(), certificate));
    let mut load: Vec<Value> = from_secrets
        .chain(unknown)
        .map(|(tag, certificate)| loaded(certificate, &tag))
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

fn loaded(certificate: &Certificate, tag: &str) -> Value {
    json!({"certificate": certificate.chain, "key": certificate.key, "tags": [tag]})
}

/// Gives one of the operator's certificates its tag beside those that it has.
fn tag(one: &mut Value) {
    let Some(one) = one.as_object_mut() else {
        return;
    };
    let tags = one.entry("tags").or_insert_with(|| json!([]));
    if tags.is_null() {
        *tags = json!([]);
    }
    if let Some(tags) = tags.as_array_mut() {
        tags.push(json!(OPERATOR));
    }
}

/// Which certificate is chosen for each host, of all that Caddy has: hosts by their names, then wildcards, in
/// the order of `sites`. Hosts that no Secret is for get the operator's; all others that which is theirs, and
/// none where there is none.
pub(crate) fn policies(sites: &[&SiteAddress], shown: &Shown<'_>, given: Option<&Value>) -> Value {
    let operators = is_apart(given).then(|| OPERATOR.to_owned());
    let chosen = |host: &str| {
        let secret = shown.hosts.get(host).map(ToString::to_string);
        secret.or_else(|| operators.clone())
    };
    let policy = |names: &[&str], chosen: &Option<String>| {
        let mut policy = json!({"match": {"sni": names}});
        if let Some(tag) = chosen {
            policy["certificate_selection"] = json!({"any_tag": [tag]});
        }
        policy
    };
    let mut exact: BTreeMap<Option<String>, Vec<&str>> = BTreeMap::new();
    for site in sites.iter().filter(|site| !site.is_wildcard()) {
        // Nobody asks TLS for an address.
        let is_address = site.host().parse::<std::net::IpAddr>().is_ok();
        let name = if is_address { "" } else { site.host() };
        let names = exact.entry(chosen(site.host())).or_default();
        if !is_address || !names.contains(&name) {
            names.push(name);
        }
    }
    let exact = exact.iter().map(|(chosen, names)| policy(names, chosen));
    let wildcards = sites.iter().filter(|site| site.is_wildcard());
    let wildcards = wildcards.map(|site| policy(&[site.host()], &chosen(site.host())));
    let mut policies: Vec<Value> = exact.chain(wildcards).collect();
    policies.push(json!({"certificate_selection": {"any_tag": [UNKNOWN]}}));
    policies.into()
}

/// A document by which Caddy loads these certificates and serves nothing, to see whether it takes them.
pub fn certificate_trial<'a>(
    admin: &Value,
    certificates: impl IntoIterator<Item = &'a Certificate>,
) -> String {
    let each = certificates
        .into_iter()
        .map(|one| loaded(one, "underpin-trial"));
    let load: Vec<Value> = each.collect();
    json!({"admin": admin, "apps": {"tls": {"certificates": {"load_pem": load}}}}).to_string()
}

/// The certificates from Secrets that a document carries: what cannot be read now was read once. What names
/// they have is not in it.
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
            names: BTreeSet::new(),
        };
        Some((secret, certificate))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapted::Adapted;

    fn secret(name: &str) -> ObjectKey {
        let (namespace, name) = name.split_once('/').unwrap();
        ObjectKey::namespaced(GroupKind::core("Secret"), namespace, name)
    }

    fn certificate(names: &[&str]) -> Certificate {
        Certificate {
            chain: "CHAIN".to_owned(),
            key: "hunter2".to_owned(),
            names: names.iter().map(ToString::to_string).collect(),
        }
    }

    /// Certificates by Secret, with their names.
    fn secrets(each: &[(&str, &[&str])]) -> BTreeMap<ObjectKey, Arc<Certificate>> {
        let each = each
            .iter()
            .map(|(name, names)| (secret(name), Arc::new(certificate(names))));
        each.collect()
    }

    /// Sites over TLS, `HOST/PATH`, and the Secret that each names.
    fn routes(each: &[(&str, Option<&str>)]) -> BTreeMap<RouteKey, ServedRoute> {
        let each = each.iter().map(|(asked, named)| {
            let (host, path) = asked.split_once('/').unwrap_or((asked, ""));
            let key = RouteKey {
                site: SiteAddress::parse(&format!("https://{host}")).ok(),
                path: PathMatch::of_ingress(&format!("/{path}"), "Prefix").unwrap(),
            };
            let route = ServedRoute {
                object: ObjectKey::namespaced(GroupKind::core("Service"), "shop", "web"),
                routes: Arc::new(Adapted::made(&[])),
                certificate: named.map(secret),
            };
            (key, route)
        });
        each.collect()
    }

    fn chosen(
        routes: &BTreeMap<RouteKey, ServedRoute>,
        certificates: &BTreeMap<ObjectKey, Arc<Certificate>>,
        given: Option<&Value>,
    ) -> Vec<String> {
        let sites: BTreeSet<&SiteAddress> =
            routes.keys().filter_map(|key| key.site.as_ref()).collect();
        let sites: Vec<&SiteAddress> = sites.into_iter().collect();
        let shown = Shown::of(routes, certificates, given);
        let policies = policies(&sites, &shown, given);
        let each = policies.as_array().unwrap().iter().map(|policy| {
            let names = policy.pointer("/match/sni").unwrap_or(&Value::Null);
            let tag = policy.pointer("/certificate_selection/any_tag/0");
            format!("{names} {}", tag.and_then(Value::as_str).unwrap_or("any"))
        });
        each.collect()
    }

    /// R3.1: a Secret counts for the hosts of the routes that name it, and for those that it is for.
    #[test]
    fn r3_1_a_secret_is_shown_for_no_host_of_another() {
        let found = secrets(&[
            ("shop/cert", &["a.example", "b.example"]),
            ("evil/cert", &["a.example", "own.example", "*.w.example"]),
            ("shop/renewed", &["other.example"]),
        ]);
        let routes = routes(&[
            ("a.example", Some("shop/cert")),
            // Of the certificates that are named for a host, that of the site and not that of a path.
            ("a.example/path", Some("evil/cert")),
            ("own.example", Some("evil/cert")),
            ("b.example", None),
            ("c.example", Some("shop/renewed")),
            ("*.d.example", Some("evil/cert")),
            ("*.w.example", Some("evil/cert")),
            ("[::1]", None),
        ]);
        let expect = [
            r#"["own.example"] secret/evil/cert"#,
            r#"["a.example"] secret/shop/cert"#,
            r#"["","b.example","c.example"] underpin-operator"#,
            r#"["*.d.example"] underpin-operator"#,
            r#"["*.w.example"] secret/evil/cert"#,
            "null underpin-unknown",
        ];
        assert_eq!(chosen(&routes, &found, None), expect);
    }

    /// R3.1: where Caddy cannot tell the operator's from others', a Secret has no name but its own hosts.
    #[test]
    fn r3_1_what_cannot_be_told_apart_is_left_out() {
        let found = secrets(&[
            ("shop/cert", &["a.example"]),
            ("evil/cert", &["own.example", "b.example"]),
        ]);
        let routes = routes(&[
            ("a.example", Some("shop/cert")),
            ("own.example", Some("evil/cert")),
            ("b.example", None),
        ]);
        for given in [
            json!({"automation": {}}),
            json!({"certificates": {"load_folders": ["/certs"]}}),
            json!({"certificates": {"automate": ["b.example"]}}),
        ] {
            let left = left_out(&routes, &found, Some(&given));
            let names: BTreeSet<String> = ["b.example".to_owned()].into();
            assert_eq!(left, [(secret("evil/cert"), names)].into());
            let expect = [
                r#"["b.example","own.example"] any"#,
                r#"["a.example"] secret/shop/cert"#,
                "null underpin-unknown",
            ];
            assert_eq!(chosen(&routes, &found, Some(&given)), expect);
            let shown = Shown::of(&routes, &found, Some(&given));
            let tls = tls(Some(&given), &found, &shown, None).unwrap();
            assert!(!tls.to_string().contains("evil"), "{given}");
        }
        let given = json!({"certificates": {"load_files": [{"certificate": "c", "key": "k"}]}});
        assert!(left_out(&routes, &found, Some(&given)).is_empty());
    }

    #[test]
    fn certificates_stand_beside_the_operators_and_are_found_again() {
        let (no_routes, none) = (BTreeMap::new(), BTreeMap::new());
        let nothing = Shown::of(&no_routes, &none, None);
        assert_eq!(tls(None, &none, &nothing, None), None);
        let given = json!({"certificates": {
            "load_pem": [{"certificate": "c"}],
            "load_files": [{"certificate": "f", "tags": ["own"]}, {"tags": null}]}});
        let found = secrets(&[
            ("shop/cert", &["a.example"]),
            ("shop/unused", &["b.example"]),
        ]);
        let routes = routes(&[("a.example", Some("shop/cert"))]);
        let shown = Shown::of(&routes, &found, Some(&given));
        let unknown = certificate(&["unknown.invalid"]);
        let tls = tls(Some(&given), &found, &shown, Some(&unknown)).unwrap();
        let tags = |list: &str| -> Vec<Value> {
            let each = tls["certificates"][list].as_array().unwrap().iter();
            each.map(|one| one["tags"].clone()).collect()
        };
        assert_eq!(
            json!(tags("load_pem")),
            json!([
                ["secret/shop/cert"],
                ["underpin-unknown"],
                ["underpin-operator"]
            ])
        );
        assert_eq!(
            json!(tags("load_files")),
            json!([["own", "underpin-operator"], ["underpin-operator"]])
        );
        let again = certificates_in(&json!({"apps": {"tls": tls}}));
        assert_eq!(again.keys().collect::<Vec<_>>(), [&secret("shop/cert")]);
        assert_eq!(again[&secret("shop/cert")].key, "hunter2");
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let found = certificate(&["*.example", "one.b.example"]);
        for (host, expect) in [
            ("a.example", true),
            ("*.example", true),
            ("one.b.example", true),
            ("example", false),
            ("two.b.example", false),
            ("*.b.example", false),
        ] {
            assert_eq!(found.covers(host), expect, "{host}");
        }
    }

    /// R3.6: a key is never shown.
    #[test]
    fn r3_6_keys_are_not_shown() {
        assert!(!format!("{:?}", secrets(&[("shop/cert", &[])])).contains("hunter2"));
    }
}
