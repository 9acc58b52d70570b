//! What the server serves: `/api`, `/apis`, `/version`, health. OpenAPI is in [`super::openapi`].
//!
//! Source: Kubernetes API concepts, "Discovery API"; priorities of groups as kube-apiserver's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{former, openapi};
use crate::{Failure, Kind, Reply, ReplyBody, Request, State};

/// Groups in the order in which clients are to prefer them; others follow by name.
const GROUP_ORDER: &[&str] = &[
    "",
    "apiregistration.k8s.io",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
];

/// `apps` stands right behind the core group among those that people name kinds of.
const AFTER_REGISTRATION: &str = "apps";

/// Answers a path that is about the server and no object; `None` for every other path.
pub(crate) fn handle(state: &State, request: &Request) -> Option<Reply> {
    let path = request.path.trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let reply = match parts.as_slice() {
        [] => Reply::json(200, roots(state)),
        ["healthz" | "livez" | "readyz"] | ["healthz" | "livez" | "readyz", "ping"] => {
            text(200, "ok")
        }
        ["healthz" | "livez" | "readyz", ..] => not_there(state),
        ["version"] => Reply::json(200, version()),
        ["api"] => api(state, request),
        ["apis"] => apis(state, request),
        ["api", version] => resources(state, "", version),
        ["apis", name] => group(state, name),
        ["apis", name, version] => resources(state, name, version),
        ["openapi", "v2"] => openapi::v2(&request.accept),
        ["openapi", "v3", rest @ ..] => match openapi::v3(state, rest) {
            Some(document) => Reply::json(200, document),
            None => not_found(),
        },
        _ => return None,
    };
    if request.method != http::Method::GET {
        return Some(Failure::method_not_allowed().into());
    }
    Some(reply)
}

fn text(code: u16, text: &str) -> Reply {
    Reply {
        code,
        headers: Vec::new(),
        content_type: "text/plain; charset=utf-8",
        body: ReplyBody::Text(text.to_owned()),
    }
}

/// What the server says of a path outside of all groups that nothing serves: what there is.
pub(crate) fn not_there(state: &State) -> Reply {
    Reply::json(404, roots(state))
}

/// What the server says of a path that nothing serves.
pub(crate) fn not_found() -> Reply {
    text(404, "404 page not found\n")
}

/// The versions of a group, each with its kinds by plural.
type Versions<'s> = Vec<(String, Vec<&'s Kind>)>;

/// What is served, by group, in the order of preference.
pub(super) fn served(state: &State) -> Vec<(String, Versions<'_>)> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, Vec<&Kind>>> = BTreeMap::new();
    let kinds = state.kinds.all().map(AsRef::as_ref);
    for kind in kinds.chain(former::kinds(state)) {
        let versions = groups.entry(&kind.kind.group).or_default();
        versions.entry(&kind.version).or_default().push(kind);
    }
    let mut served: Vec<_> = groups
        .into_iter()
        .map(|(group, versions)| {
            let versions = versions.into_iter();
            let versions = versions.map(|(version, kinds)| (version.to_owned(), kinds));
            let mut versions: Vec<_> = versions.collect();
            versions.sort_by_key(|(version, _)| std::cmp::Reverse(priority(version)));
            (group.to_owned(), versions)
        })
        .collect();
    served.sort_by_key(|(group, _): &(String, Vec<_>)| rank(group));
    served
}

fn rank(group: &str) -> usize {
    let place = |name: &str| GROUP_ORDER.iter().position(|known| *known == name);
    match place(group) {
        Some(found) => found * 2,
        None if group == AFTER_REGISTRATION => 3,
        None => usize::MAX,
    }
}

/// Stable versions before betas before alphas before others, the newer first.
fn priority(version: &str) -> (u8, u64, u64) {
    let number = |text: &str| text.parse::<u64>().ok();
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    for (word, rank) in [("beta", 2), ("alpha", 1)] {
        if let Some((major, minor)) = rest.split_once(word)
            && let (Some(major), Some(minor)) = (number(major), number(minor))
        {
            return (rank, major, minor);
        }
    }
    number(rest).map_or((0, 0, 0), |major| (3, major, 0))
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn roots(state: &State) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in served(state).iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        let versions = versions.iter();
        paths.extend(versions.map(|(version, _)| format!("/apis/{group}/{version}")));
    }
    let rest = [
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ];
    paths.extend(rest.map(str::to_owned));
    paths.sort();
    json!({"paths": paths})
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0+underpin-sandbox", "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "",
        "compiler": "rustc", "platform": "linux/amd64",
    })
}

/// The form of aggregated discovery that the client prefers, if it asks for one.
fn aggregated(accept: &str) -> Option<(&'static str, &'static str)> {
    let known = [
        (
            "v=v2;",
            "apidiscovery.k8s.io/v2",
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        ),
        (
            "v=v2beta1;",
            "apidiscovery.k8s.io/v2beta1",
            "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        ),
    ];
    for form in accept.split(',') {
        let form: String = form.split_whitespace().collect();
        let form = form + ";";
        if !form.contains("as=APIGroupDiscoveryList") || !form.starts_with("application/json") {
            continue;
        }
        let found = known.iter().find(|(version, ..)| form.contains(version));
        if let Some((_, api_version, content_type)) = found {
            return Some((api_version, content_type));
        }
    }
    None
}

fn api(state: &State, request: &Request) -> Reply {
    if let Some(form) = aggregated(&request.accept) {
        return aggregate(state, form, "/api", str::is_empty);
    }
    Reply::json(
        200,
        json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs":
                [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
        }),
    )
}

fn apis(state: &State, request: &Request) -> Reply {
    if let Some(form) = aggregated(&request.accept) {
        return aggregate(state, form, "/apis", |group| !group.is_empty());
    }
    let served = served(state);
    let groups = served.iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> = groups
        .map(|(group, versions)| group_value(group, versions))
        .collect();
    Reply::json(
        200,
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
    )
}

fn group_value(group: &str, versions: &[(String, Vec<&Kind>)]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, _)| {
            json!({"groupVersion": group_version(group, version), "version": version})
        })
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

fn group(state: &State, name: &str) -> Reply {
    let served = served(state);
    let found = served
        .iter()
        .find(|(group, _)| group == name && !name.is_empty());
    let Some((group, versions)) = found else {
        return not_found();
    };
    let mut value = group_value(group, versions);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Reply::json(200, value)
}

fn resources(state: &State, group: &str, version: &str) -> Reply {
    let served = served(state);
    let versions = served.iter().find(|(name, _)| name == group);
    let found =
        versions.and_then(|(_, versions)| versions.iter().find(|(name, _)| name == version));
    let Some((_, kinds)) = found else {
        return match group {
            "" => Failure::not_served().into(),
            _ => not_found(),
        };
    };
    let mut resources = Vec::new();
    for kind in kinds {
        resources.push(json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
            "kind": kind.kind.kind, "verbs": verbs(kind), "shortNames": kind.short_names,
            "categories": kind.categories,
        }));
        for sub in subresources(kind) {
            let mut value = json!({
                "name": format!("{}/{}", kind.plural, sub.name), "singularName": "",
                "namespaced": kind.namespaced, "kind": sub.kind, "verbs": sub.verbs,
            });
            if (sub.group, sub.version) != (&kind.kind.group, &kind.version) {
                value["group"] = json!(sub.group);
                value["version"] = json!(sub.version);
            }
            resources.push(value);
        }
    }
    Reply::json(
        200,
        json!({
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": group_version(group, version), "resources": resources,
        }),
    )
}

/// What may be asked of a resource.
fn verbs(kind: &Kind) -> Value {
    if kind.is_review {
        return json!(["create"]);
    }
    if !kind.is_deleted_by_collection() {
        return json!([
            "create", "delete", "get", "list", "patch", "update", "watch"
        ]);
    }
    json!([
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch"
    ])
}

/// A part of an object with a path of its own.
struct Subresource<'a> {
    name: &'static str,
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    verbs: &'static [&'static str],
}

const EDIT: &[&str] = &["get", "patch", "update"];

fn subresources(kind: &Kind) -> Vec<Subresource<'_>> {
    let own = |name, verbs| Subresource {
        name,
        group: &kind.kind.group,
        version: &kind.version,
        kind: &kind.kind.kind,
        verbs,
    };
    let other = |name, group, version, kind| Subresource {
        name,
        group,
        version,
        kind,
        verbs: &["create"],
    };
    let mut found = Vec::new();
    match (kind.kind.group.as_str(), kind.kind.kind.as_str()) {
        ("", "Pod") => {
            found.push(other("binding", "", "v1", "Binding"));
            found.push(other("eviction", "policy", "v1", "Eviction"));
            found.push(own("log", &["get"]));
        }
        ("", "Namespace") => found.push(own("finalize", &["update"])),
        ("", "ServiceAccount") => {
            found.push(other(
                "token",
                "authentication.k8s.io",
                "v1",
                "TokenRequest",
            ));
        }
        _ => {}
    }
    if kind.scale.is_some() {
        found.push(Subresource {
            verbs: EDIT,
            ..other("scale", "autoscaling", "v1", "Scale")
        });
    }
    if kind.has_status {
        found.push(own("status", EDIT));
    }
    found
}

fn aggregate(
    state: &State,
    (api_version, content_type): (&'static str, &'static str),
    path: &'static str,
    wanted: fn(&str) -> bool,
) -> Reply {
    let document = state.kinds.document((path, api_version), || {
        let served = served(state);
        let groups = served.iter().filter(|(group, _)| wanted(group));
        let items: Vec<Value> = groups.map(aggregated_group).collect();
        json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {},
            "items": items,
        })
    });
    Reply {
        code: 200,
        headers: Vec::new(),
        content_type,
        body: ReplyBody::Object(document),
    }
}

fn aggregated_group((group, versions): &(String, Versions<'_>)) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, kinds)| {
            let kinds = kinds.iter();
            let resources: Vec<Value> = kinds.map(|kind| aggregated_resource(kind)).collect();
            json!({"version": version, "resources": resources, "freshness": "Current"})
        })
        .collect();
    // The core group has no name.
    let metadata = if group.is_empty() {
        json!({"creationTimestamp": null})
    } else {
        json!({"name": group, "creationTimestamp": null})
    };
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(kind: &Kind) -> Value {
    let mut value = json!({
        "resource": kind.plural,
        "responseKind":
            {"group": kind.kind.group, "version": kind.version, "kind": kind.kind.kind},
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": verbs(kind),
    });
    if !kind.short_names.is_empty() {
        value["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        value["categories"] = json!(kind.categories);
    }
    let parts: Vec<Value> = subresources(kind)
        .iter()
        .map(|sub| {
            json!({
                "subresource": sub.name, "verbs": sub.verbs,
                "responseKind": {"group": sub.group, "version": sub.version, "kind": sub.kind},
            })
        })
        .collect();
    if !parts.is_empty() {
        value["subresources"] = json!(parts);
    }
    value
}

#[cfg(test)]
mod tests;
