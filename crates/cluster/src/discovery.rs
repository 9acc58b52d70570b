//! Which kinds the cluster serves: two calls where the server aggregates them, else one for each
//! group and version.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::task::JoinSet;
use underpin_model::{GroupKind, ResourceKind, Unread, canonical_group};

use crate::{
    Act, Cluster, ClusterError, path,
    read::is_ambient_group,
    transport::{ACCEPT_JSON, Call},
};

/// Aggregated discovery (stable from 1.30, beta from 1.26), else the plain lists of groups.
const ACCEPT_AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
/// Group versions read from one server; more is no cluster but a mistake.
const VERSION_LIMIT: usize = 5_000;

/// How often a version that is named and not known is asked for again.
const SETTLE_LIMIT: usize = 10;
/// Pause before that.
const SETTLE_PAUSE: Duration = Duration::from_millis(300);

/// One version of a group, with what it serves.
struct GroupVersion {
    group: String,
    version: String,
    resources: Vec<Resource>,
}

struct Resource {
    kind: String,
    plural: String,
    namespaced: bool,
    listable: bool,
}

/// What was learned, group versions in the server's order of preference.
#[derive(Default)]
struct Learned {
    versions: Vec<GroupVersion>,
    /// Group versions that were named and not yet described.
    open: Vec<(String, String)>,
    unread: Vec<Unread>,
}

impl Cluster {
    /// Every kind that the cluster serves, in its preferred version, and the groups that could not
    /// be discovered. Subresources are left out, and so are old groups under which a kind is served
    /// a second time.
    pub async fn discover(
        &self,
    ) -> Result<(BTreeMap<GroupKind, ResourceKind>, Vec<Unread>), ClusterError> {
        let (core, groups) =
            tokio::try_join!(self.discovery_root("/api"), self.discovery_root("/apis"))?;
        let mut learned = Learned::default();
        learned.add_root(&core);
        learned.add_root(&groups);
        self.describe_open_versions(&mut learned).await;
        learned
            .unread
            .retain(|unread| !is_ambient_group(&unread.group));
        Ok((assemble(learned.versions), learned.unread))
    }

    async fn discovery_root(&self, root: &str) -> Result<Value, ClusterError> {
        let call = Call::get(
            Act::on_path(root),
            root.to_owned(),
            ACCEPT_AGGREGATED,
            self.timeout(),
        );
        Ok(self.send(&call).await?.value)
    }

    /// Reads the group versions that no aggregated document described, all at once.
    async fn describe_open_versions(&self, learned: &mut Learned) {
        let open = std::mem::take(&mut learned.open);
        let mut tasks = JoinSet::new();
        for (position, (group, version)) in open.iter().take(VERSION_LIMIT).cloned().enumerate() {
            let cluster = self.clone();
            tasks.spawn(async move { (position, cluster.settled_version(&group, &version).await) });
        }
        let mut answers = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            if let Ok((position, answer)) = joined {
                answers.insert(position, answer);
            }
        }
        for (position, (group, version)) in open.into_iter().enumerate() {
            match answers.remove(&position) {
                Some(Ok(Some(resources))) => learned.versions.push(GroupVersion {
                    group,
                    version,
                    resources,
                }),
                Some(Ok(None)) => {}
                Some(Err(error)) => learned.fail(group, error.to_string()),
                None => learned.fail(group, format!("version {version} was not read")),
            }
        }
    }

    /// The resources of a group version, or none if it is no longer there. A server that names a
    /// version and does not know it is about to add it or to forget it: both take a moment.
    async fn settled_version(
        &self,
        group: &str,
        version: &str,
    ) -> Result<Option<Vec<Resource>>, ClusterError> {
        for _ in 0..SETTLE_LIMIT {
            match self.group_version(group, version).await {
                Err(ClusterError::NoMatch { .. } | ClusterError::NotFound { .. }) => {}
                other => return other.map(Some),
            }
            if !self.still_names(group, version).await {
                return Ok(None);
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
        self.group_version(group, version).await.map(Some)
    }

    /// Whether the server still names a version that it could not describe; yes where it does not
    /// say. Its last definition may have been deleted since the list of groups was read.
    async fn still_names(&self, group: &str, version: &str) -> bool {
        if group.is_empty() {
            return true;
        }
        let path = path::group_path(group);
        let call = Call::get_bulk(Act::on_path(&path), path, ACCEPT_JSON, self.timeout());
        match self.send(&call).await {
            Ok(reply) => names_version(&reply.value, version),
            Err(ClusterError::NoMatch { .. } | ClusterError::NotFound { .. }) => false,
            Err(_) => true,
        }
    }

    async fn group_version(
        &self,
        group: &str,
        version: &str,
    ) -> Result<Vec<Resource>, ClusterError> {
        let path = path::version_path(group, version);
        let act = Act::on_path(&path);
        let call = Call::get_bulk(act.clone(), path, ACCEPT_JSON, self.timeout());
        let value = self.send(&call).await?.value;
        let Some(resources) = value.get("resources").and_then(Value::as_array) else {
            return Err(ClusterError::Decode {
                act: Box::new(act),
                reason: "it lists no resources".to_owned(),
            });
        };
        Ok(resources.iter().filter_map(legacy_resource).collect())
    }

    /// Whether the server still serves `kind`, asked anew.
    pub(crate) async fn still_serves(&self, kind: &ResourceKind) -> Result<bool, ClusterError> {
        match self.group_version(&kind.kind.group, &kind.version).await {
            Ok(resources) => Ok(resources
                .iter()
                .any(|resource| resource.kind == kind.kind.kind)),
            Err(ClusterError::NoMatch { .. } | ClusterError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Whether a group's document lists a version; yes where it cannot be understood.
fn names_version(group: &Value, version: &str) -> bool {
    let Some(versions) = group.get("versions").and_then(Value::as_array) else {
        return true;
    };
    versions
        .iter()
        .any(|listed| listed.get("version").and_then(Value::as_str) == Some(version))
}

impl Learned {
    fn fail(&mut self, group: String, reason: String) {
        self.unread.push(Unread {
            kind: None,
            group,
            namespace: None,
            reason,
        });
    }

    /// Takes in what `/api` or `/apis` answered, in whichever of its three forms.
    fn add_root(&mut self, root: &Value) {
        match text(root, "kind") {
            "APIGroupDiscoveryList" => {
                for group in array(root, "items") {
                    self.add_aggregated_group(group);
                }
            }
            "APIVersions" => {
                for version in array(root, "versions").iter().filter_map(Value::as_str) {
                    self.open.push((String::new(), version.to_owned()));
                }
            }
            "APIGroupList" => {
                for group in array(root, "groups") {
                    self.add_legacy_group(group);
                }
            }
            other => self.fail(String::new(), format!("discovery answered with `{other}`")),
        }
    }

    fn add_legacy_group(&mut self, group: &Value) {
        let name = text(group, "name");
        let preferred = group
            .pointer("/preferredVersion/version")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut versions: Vec<&str> = array(group, "versions")
            .iter()
            .map(|version| text(version, "version"))
            .filter(|version| !version.is_empty())
            .collect();
        versions.sort_by_key(|version| *version != preferred); // stable: the others keep their order
        for version in versions {
            self.open.push((name.to_owned(), version.to_owned()));
        }
    }

    fn add_aggregated_group(&mut self, group: &Value) {
        let name = group
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        for version in array(group, "versions") {
            let version_name = text(version, "version");
            // Stale: the server behind the group does not answer; the list may be old or empty.
            if text(version, "freshness") == "Stale" {
                let reason = format!("the server behind {name}/{version_name} does not answer");
                self.fail(name.to_owned(), reason);
            }
            self.versions.push(GroupVersion {
                group: name.to_owned(),
                version: version_name.to_owned(),
                resources: array(version, "resources")
                    .iter()
                    .filter_map(aggregated_resource)
                    .collect(),
            });
        }
    }
}

fn legacy_resource(resource: &Value) -> Option<Resource> {
    let plural = text(resource, "name");
    let kind = text(resource, "kind");
    if plural.is_empty() || kind.is_empty() || plural.contains('/') {
        return None;
    }
    Some(Resource {
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: resource.get("namespaced")?.as_bool()?,
        listable: has_list(resource),
    })
}

fn aggregated_resource(resource: &Value) -> Option<Resource> {
    let plural = text(resource, "resource");
    // Empty where only subresources are served.
    let kind = resource.pointer("/responseKind/kind")?.as_str()?;
    if plural.is_empty() || kind.is_empty() {
        return None;
    }
    Some(Resource {
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: text(resource, "scope") == "Namespaced",
        listable: has_list(resource),
    })
}

fn has_list(resource: &Value) -> bool {
    array(resource, "verbs").iter().any(|verb| verb == "list")
}

/// One entry per kind, in the first version that lists it, else the first that has it.
fn assemble(versions: Vec<GroupVersion>) -> BTreeMap<GroupKind, ResourceKind> {
    let mut kinds: BTreeMap<GroupKind, ResourceKind> = BTreeMap::new();
    for GroupVersion {
        group,
        version,
        resources,
    } in versions
    {
        for resource in resources {
            let key = GroupKind::new(group.clone(), resource.kind.clone());
            let entry = kinds.entry(key.clone()).or_insert_with(|| ResourceKind {
                kind: key,
                version: version.clone(),
                versions: Vec::new(),
                plural: resource.plural.clone(),
                namespaced: resource.namespaced,
                listable: resource.listable,
            });
            if !entry.versions.contains(&version) {
                entry.versions.push(version.clone());
            }
            if resource.listable && !entry.listable {
                entry.version.clone_from(&version);
                entry.plural = resource.plural;
                entry.listable = true;
            }
        }
    }
    let doubles: Vec<GroupKind> = kinds
        .keys()
        .filter(|key| {
            let canonical = canonical_group(&key.group, &key.kind);
            canonical != key.group && kinds.contains_key(&GroupKind::new(canonical, &key.kind))
        })
        .cloned()
        .collect();
    for double in doubles {
        kinds.remove(&double);
    }
    kinds
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mock::{Answer, Counter, Seen, cluster, status};

    fn legacy(seen: &Seen) -> Answer {
        let verbs = json!(["get", "list"]);
        let resource = |name: &str, kind: &str| json!({"name": name, "kind": kind, "namespaced": true, "verbs": verbs});
        let list = |resources: Value| Answer::Json(200, json!({"resources": resources}));
        match seen.path.as_str() {
            "/api" => Answer::Json(200, json!({"kind": "APIVersions", "versions": ["v1"]})),
            "/apis" => {
                let group = |name: &str, versions: &[&str], preferred: &str| {
                    let versions: Vec<Value> =
                        versions.iter().map(|v| json!({"version": v})).collect();
                    json!({"name": name, "versions": versions,
                           "preferredVersion": {"version": preferred}})
                };
                Answer::Json(
                    200,
                    json!({"kind": "APIGroupList", "groups": [
                        group("extensions", &["v1beta1"], "v1beta1"),
                        group("networking.k8s.io", &["v1beta1", "v1"], "v1"),
                        group("broken.example.com", &["v1"], "v1"),
                        group("gone.example.com", &["v1"], "v1"),
                        group("metrics.k8s.io", &["v1beta1"], "v1beta1"),
                    ]}),
                )
            }
            "/api/v1" => list(json!([
                resource("pods", "Pod"),
                resource("pods/log", "Pod"),
                {"name": "bindings", "kind": "Binding", "namespaced": true, "verbs": ["create"]},
            ])),
            "/apis/networking.k8s.io/v1" | "/apis/extensions/v1beta1" => {
                list(json!([resource("ingresses", "Ingress")]))
            }
            "/apis/networking.k8s.io/v1beta1" => list(json!([
                resource("ingresses", "Ingress"),
                resource("olds", "Old"),
            ])),
            // Its last definition was deleted after the list of groups was read.
            "/apis/gone.example.com/v1" | "/apis/gone.example.com" => {
                status(404, "NotFound", "the server could not find it", json!({}))
            }
            _ => status(403, "Forbidden", "no such backend for you", json!({})),
        }
    }

    fn aggregated(seen: &Seen) -> Answer {
        let resource = |plural: &str, kind: &str| {
            json!({"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced",
                   "verbs": ["get", "list"], "subresources": [{"subresource": "status"}]})
        };
        let group =
            |name: &str, versions: Value| json!({"metadata": {"name": name}, "versions": versions});
        let items = match seen.path.as_str() {
            "/api" => json!([group(
                "",
                json!([{"version": "v1", "resources": [
                    resource("pods", "Pod"),
                    {"resource": "bindings", "responseKind": {"kind": "Binding"},
                     "scope": "Namespaced", "verbs": ["create"]},
                ]}])
            )]),
            "/apis" => json!([
                group(
                    "networking.k8s.io",
                    json!([
                        {"version": "v1", "resources": [resource("ingresses", "Ingress")]},
                        {"version": "v1beta1", "resources": [
                            resource("ingresses", "Ingress"), resource("olds", "Old"),
                        ]},
                    ])
                ),
                group(
                    "broken.example.com",
                    json!([{"version": "v1", "freshness": "Stale"}])
                ),
                group(
                    "metrics.k8s.io",
                    json!([{"version": "v1beta1", "freshness": "Stale"}])
                ),
            ]),
            other => panic!("{other}"),
        };
        Answer::Json(
            200,
            json!({"kind": "APIGroupDiscoveryList", "items": items}),
        )
    }

    async fn check(handler: fn(&Seen) -> Answer, calls: usize) {
        let counter = Counter::default();
        let seen = counter.clone();
        let cluster = cluster(move |seen| {
            counter.next();
            handler(seen)
        });
        let (kinds, unread) = cluster.discover().await.unwrap();
        let text: Vec<String> = kinds
            .values()
            .map(|kind| {
                format!(
                    "{} {} {:?} {} {}",
                    kind.kind, kind.version, kind.versions, kind.plural, kind.listable
                )
            })
            .collect();
        assert_eq!(
            text,
            [
                "binding v1 [\"v1\"] bindings false",
                "pod v1 [\"v1\"] pods true",
                "ingress.networking.k8s.io v1 [\"v1\", \"v1beta1\"] ingresses true",
                "old.networking.k8s.io v1beta1 [\"v1beta1\"] olds true",
            ]
        );
        let groups: Vec<&str> = unread.iter().map(|unread| unread.group.as_str()).collect();
        assert_eq!(groups, ["broken.example.com"]);
        assert_eq!(seen.get(), calls);
    }

    #[tokio::test]
    async fn aggregated_discovery_takes_two_calls() {
        check(aggregated, 2).await;
    }

    #[tokio::test]
    async fn legacy_discovery_tells_the_same() {
        check(legacy, 10).await;
    }

    #[tokio::test]
    async fn without_its_root_there_is_no_discovery() {
        let cluster = cluster(|_| status(403, "Forbidden", "no", json!({})));
        let outcome = cluster.discover().await;
        assert!(matches!(outcome, Err(ClusterError::Forbidden { .. })));
    }
}
