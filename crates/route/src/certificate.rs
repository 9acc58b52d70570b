//! Certificates of hosts: which Secrets hold them, and how the document carries them.
//!
//! A key is shown by nobody: what holds one has a debug form that tells whose it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
    sync::Arc,
};

use jiff::Timestamp;
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
    /// The first and the last second of Unix time in which it is valid.
    pub valid: RangeInclusive<u64>,
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

    /// Why clients do not take it at a time, if it has expired or is not valid yet.
    pub fn not_valid(&self, now: u64) -> Option<String> {
        let when = |second: &u64| {
            let second = i64::try_from(*second).ok();
            let time = second.and_then(|second| Timestamp::from_second(second).ok());
            time.map_or_else(
                || "no time that there is".to_owned(),
                |time| time.to_string(),
            )
        };
        if now < *self.valid.start() {
            let from = when(self.valid.start());
            return Some(format!("its certificate is not valid before {from}"));
        }
        let until = self.valid.end();
        (now > *until).then(|| format!("its certificate expired at {}", when(until)))
    }
}

/// The host of a route that is served over TLS.
pub fn secure_host(key: &RouteKey) -> Option<&str> {
    let site = key.site.as_ref()?;
    (site.scheme() == Scheme::Https).then(|| site.host())
}

/// The Secrets that hold certificates for routes, with these: of a table, and of what is to be served, in
/// which are those too that are served on as they were.
pub fn wanted_secrets(
    table: &RoutingTable,
    served: &BTreeMap<RouteKey, ServedRoute>,
) -> BTreeMap<ObjectKey, BTreeSet<RouteKey>> {
    let asked = table
        .routes
        .iter()
        .filter_map(|(key, route)| Some((secret_of(route)?, key)));
    let kept = served
        .iter()
        .filter_map(|(key, route)| Some((route.certificate.clone()?, key)));
    let mut wanted: BTreeMap<ObjectKey, BTreeSet<RouteKey>> = BTreeMap::new();
    for (secret, key) in asked.chain(kept) {
        wanted.entry(secret).or_default().insert(key.clone());
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
/// for the host, so that nobody's Secret counts for another's host. A host is of the namespace of the route
/// with its widest path; of several Secrets there, that of the widest path counts.
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
        let mut widest: BTreeMap<&str, (&PathMatch, Option<&str>)> = BTreeMap::new();
        let secure = |(key, route): (&'a RouteKey, &'a ServedRoute)| {
            Some((secure_host(key)?, &key.path, route))
        };
        for (host, path, route) in routes.iter().filter_map(secure) {
            let before = widest.get(host);
            if before.is_none_or(|(before, _)| before.order() < path.order()) {
                widest.insert(host, (path, route.object.namespace.as_deref()));
            }
        }
        let mut paths: BTreeMap<&str, (&PathMatch, &ObjectKey)> = BTreeMap::new();
        for (host, path, route) in routes.iter().filter_map(secure) {
            let namespace = route.object.namespace.as_deref();
            let is_own = widest.get(host).is_some_and(|(_, own)| *own == namespace);
            let Some(secret) = route.certificate.as_ref().filter(|_| is_own) else {
                continue;
            };
            let is_for = certificates.get(secret).is_some_and(|it| it.covers(host));
            let before = paths.get(host);
            if is_for && before.is_none_or(|(before, _)| before.order() < path.order()) {
                paths.insert(host, (path, secret));
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
            let hosts: BTreeSet<&str> = routes.keys().filter_map(secure_host).collect();
            shown.leave_out(&hosts, certificates);
        }
        shown
    }

    /// Leaves out what has names of hosts beyond those that it is shown for.
    fn leave_out(
        &mut self,
        all: &BTreeSet<&'a str>,
        certificates: &'a BTreeMap<ObjectKey, Arc<Certificate>>,
    ) {
        let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for host in all {
            if let Some((_, parent)) = host.split_once('.') {
                parents.entry(parent).or_default().push(host);
            }
        }
        let mut own: BTreeMap<&ObjectKey, BTreeSet<&str>> = BTreeMap::new();
        for (host, secret) in &self.hosts {
            own.entry(secret).or_default().insert(host);
        }
        for (secret, hosts) in own {
            let names = certificates
                .get(secret)
                .into_iter()
                .flat_map(|it| &it.names);
            // A name that no other host is asked for by is shown nowhere.
            let is_beyond = |name: &&str| {
                let parent = name.split_once('.').map(|(_, parent)| parent);
                let wildcard = parent.map(|parent| format!("*.{parent}"));
                let around = wildcard.as_deref().filter(|it| all.contains(it));
                let below = name.strip_prefix("*.").and_then(|it| parents.get(it));
                let is_others = |host: &&str| all.contains(host) && !hosts.contains(host);
                is_others(name)
                    || around.is_some_and(|host| is_others(&host))
                    || below.is_some_and(|below| below.iter().any(is_others))
            };
            let beyond = names.map(String::as_str).filter(is_beyond);
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
/// names of these. That is so where the operator has Caddy get certificates, or load whole folders: it does
/// not tell these from any others.
pub fn left_out(
    routes: &BTreeMap<RouteKey, ServedRoute>,
    certificates: &BTreeMap<ObjectKey, Arc<Certificate>>,
    given: Option<&Value>,
) -> BTreeMap<ObjectKey, BTreeSet<String>> {
    if is_apart(given) {
        return BTreeMap::new();
    }
    let shown = Shown::of(routes, certificates, given);
    let each = shown.left_out.into_iter().map(|(secret, names)| {
        let names = names.into_iter().map(str::to_owned).collect();
        (secret.clone(), names)
    });
    each.collect()
}

/// Has routes go on with the Secret that they had where the one that their object names now is of no use yet,
/// and that one is. `last` are the routes that are served.
pub fn keep_certificates(
    routes: &mut BTreeMap<RouteKey, ServedRoute>,
    last: &BTreeMap<RouteKey, ServedRoute>,
    certificates: &BTreeMap<ObjectKey, Arc<Certificate>>,
) {
    for (key, route) in routes {
        let (Some(host), Some(named)) = (secure_host(key), &route.certificate) else {
            continue;
        };
        let is_of_use = |secret: &ObjectKey| {
            let found = certificates.get(secret);
            found.is_some_and(|certificate| certificate.covers(host))
        };
        let before = last.get(key).filter(|last| last.object == route.object);
        let before = before.and_then(|last| last.certificate.as_ref());
        if let Some(before) = before.filter(|before| !is_of_use(named) && is_of_use(before)) {
            route.certificate = Some(before.clone());
        }
    }
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
/// they have, and how long they are valid, is not in it.
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
            valid: 0..=u64::MAX,
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
            valid: 0..=u64::MAX,
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
            // A Secret is beside the object that names it.
            let certificate = named.map(secret);
            let beside = certificate.as_ref().and_then(|it| it.namespace.clone());
            let namespace = beside.unwrap_or_else(|| "shop".to_owned());
            let route = ServedRoute {
                object: ObjectKey::namespaced(GroupKind::core("Service"), &namespace, "web").into(),
                routes: Arc::new(Adapted::made(&[])),
                certificate,
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

    /// R3.1: who only has a path of a host does not have its certificate, whatever the host's own is.
    #[test]
    fn r3_1_a_path_of_a_host_brings_no_certificate_of_another() {
        let names: &[&str] = &["a.example"];
        let found = secrets(&[
            ("shop/cert", names),
            ("shop/other", names),
            ("evil/cert", names),
        ]);
        let operators = r#"["a.example"] underpin-operator"#;
        for (own, below, expect) in [
            (None, "evil/cert", operators),
            (Some("shop/missing"), "evil/cert", operators),
            (None, "shop/other", r#"["a.example"] secret/shop/other"#),
            (
                Some("shop/cert"),
                "shop/other",
                r#"["a.example"] secret/shop/cert"#,
            ),
        ] {
            let routes = routes(&[("a.example", own), ("a.example/path", Some(below))]);
            assert_eq!(chosen(&routes, &found, None)[0], expect, "{own:?} {below}");
        }
    }

    /// R3.2: a Secret that is named anew and of no use yet takes no host its certificate.
    #[test]
    fn r3_2_what_a_route_had_goes_on_until_what_it_names_is_of_use() {
        let names: &[&str] = &["a.example"];
        let found = secrets(&[
            ("shop/old", names),
            ("shop/new", names),
            ("shop/wrong", &["b.example"]),
            ("evil/cert", names),
        ]);
        for (last, named, expect) in [
            ("shop/old", "shop/missing", "shop/old"),
            ("shop/old", "shop/wrong", "shop/old"),
            ("shop/old", "shop/new", "shop/new"),
            ("shop/gone", "shop/missing", "shop/missing"),
            // Of another object.
            ("shop/old", "evil/missing", "evil/missing"),
        ] {
            let last = routes(&[("a.example", Some(last))]);
            let mut next = routes(&[("a.example", Some(named)), ("c.example", None)]);
            keep_certificates(&mut next, &last, &found);
            let kept: Vec<_> = next
                .values()
                .map(|route| route.certificate.clone())
                .collect();
            assert_eq!(kept, [Some(secret(expect)), None], "{named}");
        }
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

    /// R3.1: a name is one of others where any host is asked for by it, and takes nothing where none is.
    #[test]
    fn r3_1_names_that_nobody_is_asked_for_by_are_no_others() {
        let given = json!({"automation": {}});
        for (names, others, is_left) in [
            (["own.example", "old.example"], "other.example", false),
            (["own.example", "*.example"], "other.test", false),
            (["own.example", "*.w.example"], "a.b.w.example", false),
            (["own.example", "a.w.example"], "*.example", false),
            (["own.example", "*.w.example"], "a.w.example", true),
            (["own.example", "*.w.example"], "*.w.example", true),
            (["own.example", "a.w.example"], "*.w.example", true),
            (["own.example", "a.w.example"], "a.w.example", true),
        ] {
            let found = secrets(&[("shop/cert", &names)]);
            let routes = routes(&[("own.example", Some("shop/cert")), (others, None)]);
            let left = left_out(&routes, &found, Some(&given));
            assert_eq!(!left.is_empty(), is_left, "{names:?} {others}");
        }
    }

    #[test]
    fn when_a_certificate_is_valid_is_told_in_days() {
        let found = Certificate {
            valid: 86_400..=172_800,
            ..certificate(&["a.example"])
        };
        for (now, expect) in [
            (
                86_399,
                Some("its certificate is not valid before 1970-01-02T00:00:00Z"),
            ),
            (86_400, None),
            (172_800, None),
            (
                172_801,
                Some("its certificate expired at 1970-01-03T00:00:00Z"),
            ),
        ] {
            assert_eq!(found.not_valid(now).as_deref(), expect, "{now}");
        }
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
