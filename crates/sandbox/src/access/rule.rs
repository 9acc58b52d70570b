//! One rule of a role: what it allows, and what it covers of another rule.
//!
//! Source: Kubernetes documentation, "Using RBAC Authorization".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attributes::{Attributes, Target};

/// A `PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) verbs: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) urls: Vec<String>,
}

impl Rule {
    /// From its stored form; what is not a list of strings counts as empty.
    pub(super) fn from_value(value: &Value) -> Self {
        let texts = |field: &str| -> Vec<String> {
            let items = value.get(field).and_then(Value::as_array);
            let texts = items.into_iter().flatten().filter_map(Value::as_str);
            texts.map(ToOwned::to_owned).collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            urls: texts("nonResourceURLs"),
        }
    }

    /// The rules of a role.
    pub(super) fn all_of(role: &Value) -> Vec<Self> {
        let rules = role.get("rules").and_then(Value::as_array);
        rules.into_iter().flatten().map(Self::from_value).collect()
    }

    /// As reviews show it: empty lists are left out, but for the verbs.
    pub(super) fn to_value(&self) -> Value {
        let mut value = json!({"verbs": self.verbs});
        let fields = [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ];
        for (field, items) in fields {
            if !items.is_empty() {
                value[field] = json!(items);
            }
        }
        value
    }

    /// Whether it allows a request.
    pub(super) fn allows(&self, attributes: &Attributes) -> bool {
        has_or_all(&self.verbs, &attributes.verb)
            && match &attributes.target {
                Target::Path(path) => self.urls.iter().any(|url| url_covers(url, path)),
                Target::Resource {
                    group,
                    resource,
                    subresource,
                    name,
                    ..
                } => {
                    has_or_all(&self.groups, group)
                        && self.has_resource(resource, subresource)
                        && (self.names.is_empty() || self.names.contains(name))
                }
            }
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|known| {
            known == "*"
                || if subresource.is_empty() {
                    known == resource
                } else {
                    known
                        .strip_suffix(subresource)
                        .and_then(|known| known.strip_suffix('/'))
                        .is_some_and(|known| known == "*" || known == resource)
                }
        })
    }

    /// Rules that allow the same together, each with one verb, resource and name.
    fn atoms(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut atoms = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let atom = Self {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        ..Self::default()
                    };
                    if self.names.is_empty() {
                        atoms.push(atom);
                        continue;
                    }
                    atoms.extend(self.names.iter().map(|name| Self {
                        names: one(name),
                        ..atom.clone()
                    }));
                }
            }
        }
        for url in &self.urls {
            atoms.extend(self.verbs.iter().map(|verb| Self {
                verbs: one(verb),
                urls: one(url),
                ..Self::default()
            }));
        }
        atoms
    }

    /// Whether an atom allows nothing that this does not allow.
    fn covers(&self, atom: &Self) -> bool {
        let has = |items: &[String], item: &String| has_or_all(items, item);
        atom.verbs.iter().all(|verb| has(&self.verbs, verb))
            && atom.groups.iter().all(|group| has(&self.groups, group))
            && atom.resources.iter().all(|resource| {
                has(&self.resources, resource)
                    || resource.split_once('/').is_some_and(|(_, subresource)| {
                        self.resources.contains(&format!("*/{subresource}"))
                    })
            })
            && atom
                .urls
                .iter()
                .all(|url| self.urls.iter().any(|known| url_covers(known, url)))
            && (self.names.is_empty()
                || !atom.names.is_empty()
                    && atom.names.iter().all(|name| self.names.contains(name)))
    }

    /// As the server's messages show it.
    pub(super) fn describe(&self) -> String {
        let fields = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let fields = fields.iter().filter(|(_, items)| !items.is_empty());
        let fields: Vec<String> = fields
            .map(|(field, items)| format!("{field}:{}", quoted_list(items)))
            .collect();
        format!("{{{}}}", fields.join(", "))
    }
}

/// What is allowed by `wanted` and not by `held`, merged by resource.
pub(super) fn missing(held: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let atoms = wanted.iter().flat_map(Rule::atoms);
    let atoms = atoms.filter(|atom| !held.iter().any(|rule| rule.covers(atom)));
    let mut merged: BTreeMap<_, Rule> = BTreeMap::new();
    let mut others = Vec::new();
    for atom in atoms {
        if !atom.urls.is_empty() {
            others.push(atom);
            continue;
        }
        let key = (
            atom.groups.clone(),
            atom.resources.clone(),
            atom.names.clone(),
        );
        match merged.get_mut(&key) {
            Some(rule) => rule.verbs.extend(atom.verbs),
            None => {
                merged.insert(key, atom);
            }
        }
    }
    others.extend(merged.into_values());
    others
}

/// A list of strings as Go prints one with `%q`.
pub(super) fn quoted_list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    format!("[{}]", items.join(" "))
}

fn has_or_all(items: &[String], item: &str) -> bool {
    items.iter().any(|known| known == "*" || known == item)
}

/// Whether a URL of a rule is that path, or a prefix of it that ends in `*`.
fn url_covers(url: &str, path: &str) -> bool {
    url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(groups: &str, resources: &str, names: &str, verbs: &str) -> Rule {
        let split = |text: &str| {
            let parts = text.split_whitespace();
            parts.map(|part| part.replace("core", "")).collect()
        };
        Rule {
            verbs: split(verbs),
            groups: split(groups),
            resources: split(resources),
            names: split(names),
            urls: Vec::new(),
        }
    }

    #[track_caller]
    fn check(rule: &Rule, verb: &str, group: &str, resource: &str, name: &str, expect: bool) {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = Attributes {
            verb: verb.to_owned(),
            target: Target::Resource {
                group: group.to_owned(),
                resource: resource.to_owned(),
                subresource: subresource.to_owned(),
                namespace: String::new(),
                name: name.to_owned(),
            },
        };
        assert_eq!(rule.allows(&attributes), expect, "{rule:?} {attributes:?}");
    }

    #[test]
    fn resources() {
        let pods = rule("core", "pods", "", "get list");
        check(&pods, "get", "", "pods", "a", true);
        check(&pods, "get", "apps", "pods", "a", false);
        check(&pods, "get", "", "pods/log", "a", false);
        check(&pods, "delete", "", "pods", "a", false);
        let scale = rule("*", "*/scale pods/log", "", "*");
        check(&scale, "patch", "apps", "deployments/scale", "a", true);
        check(&scale, "patch", "apps", "deployments", "a", false);
        check(&scale, "get", "", "pods/log", "a", true);
        check(&scale, "get", "", "pods/xlog", "a", false);
        let named = rule("core", "*", "a b", "*");
        check(&named, "get", "", "pods/log", "a", true);
        check(&named, "get", "", "pods", "c", false);
        check(&named, "create", "", "pods", "", false);
    }

    #[track_caller]
    fn check_url(url: &str, path: &str, expect: bool) {
        assert_eq!(url_covers(url, path), expect, "{url} {path}");
    }

    #[test]
    fn urls() {
        check_url("/healthz", "/healthz", true);
        check_url("/healthz", "/healthz/ping", false);
        check_url("/healthz/*", "/healthz/ping", true);
        check_url("/healthz/*", "/healthz", false);
        check_url("*", "/anything", true);
    }

    #[track_caller]
    fn check_missing(held: &[Rule], wanted: &[Rule], expect: &[&str]) {
        let missing = missing(held, wanted);
        let described: Vec<String> = missing.iter().map(Rule::describe).collect();
        assert_eq!(described, expect, "{held:?} {wanted:?}");
    }

    #[test]
    fn escalation() {
        let all = rule("*", "*", "", "*");
        let read = rule("core", "pods", "", "get list");
        let write = rule("core", "pods services", "", "get update");
        check_missing(
            std::slice::from_ref(&all),
            std::slice::from_ref(&write),
            &[],
        );
        check_missing(
            std::slice::from_ref(&read),
            std::slice::from_ref(&read),
            &[],
        );
        check_missing(
            std::slice::from_ref(&read),
            std::slice::from_ref(&write),
            &[
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["update"]}"#,
                r#"{APIGroups:[""], Resources:["services"], Verbs:["get" "update"]}"#,
            ],
        );
        let named = rule("core", "secrets", "a", "get");
        check_missing(
            std::slice::from_ref(&named),
            &[rule("core", "secrets", "", "get")],
            &[r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}"#],
        );
        check_missing(
            &[rule("core", "secrets", "", "get")],
            std::slice::from_ref(&named),
            &[],
        );
        check_missing(
            &[rule("*", "*/scale", "", "get")],
            &[rule("apps", "deployments/scale", "", "get")],
            &[],
        );
    }
}
