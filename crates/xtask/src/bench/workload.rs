//! What is deployed: the same objects for everyone, as a folder of manifests and as requests.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::yaml;

/// Namespaces that the objects are spread over.
const NAMESPACES: usize = 10;
/// The first of them is the stack's home; the others are named after it.
const STACK: &str = "bench";
/// Of so many services (five objects, one of each kind) in a namespace, one is changed: 10 %.
const CHANGED_EVERY: usize = 10;
/// Kinds of which a service consists, with the path of their collections.
const KINDS: [(&str, &str, &str); 5] = [
    ("ConfigMap", "api/v1", "configmaps"),
    ("Secret", "api/v1", "secrets"),
    ("Service", "api/v1", "services"),
    ("ServiceAccount", "api/v1", "serviceaccounts"),
    ("Deployment", "apis/apps/v1", "deployments"),
];

/// One object and where it lies on the server.
pub(super) struct Item {
    pub(super) path: String,
    pub(super) body: Value,
}

/// Namespaces, and in them equal shares of [`KINDS`].
pub(super) struct Workload {
    pub(super) namespaces: Vec<Item>,
    pub(super) objects: Vec<Item>,
}

impl Workload {
    /// `count` objects besides the namespaces; with `changed`, 10 % of every kind differ in a
    /// field each from those without.
    pub(super) fn generate(count: usize, changed: bool) -> Self {
        let namespaces = (0..NAMESPACES).map(|index| {
            let name = namespace(index);
            Item {
                path: format!("/api/v1/namespaces/{name}"),
                body: json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            }
        });
        let objects = (0..count).map(|index| {
            let (service, kind) = (index / KINDS.len(), index % KINDS.len());
            let is_changed = changed && (service / NAMESPACES).is_multiple_of(CHANGED_EVERY);
            item(kind, service, is_changed)
        });
        Self {
            namespaces: namespaces.collect(),
            objects: objects.collect(),
        }
    }

    /// Paths that list everything, a kind each.
    pub(super) fn collections() -> Vec<String> {
        let kinds = KINDS.map(|(_, root, plural)| format!("/{root}/{plural}"));
        let namespaces = "/api/v1/namespaces".to_owned();
        kinds.into_iter().chain([namespaces]).collect()
    }

    /// Writes `underpin.yaml`, and the objects into the folder `manifests` beside it: a file per
    /// namespace, after one with the namespaces, which kubectl must meet first.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let manifests = dir.join("manifests");
        fs::create_dir_all(&manifests)
            .with_context(|| format!("create {}", manifests.display()))?;
        write(&dir.join("underpin.yaml"), &yaml::document(&stack()))?;
        let all = |items: &mut dyn Iterator<Item = &Item>| -> String {
            items
                .map(|item| format!("---\n{}", yaml::document(&item.body)))
                .collect()
        };
        write(
            &manifests.join("00-namespaces.yaml"),
            &all(&mut self.namespaces.iter()),
        )?;
        for index in 0..NAMESPACES {
            let name = namespace(index);
            let mut within = self
                .objects
                .iter()
                .filter(|item| item.body["metadata"]["namespace"] == name);
            write(&manifests.join(format!("{name}.yaml")), &all(&mut within))?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn stack() -> Value {
    json!({
        "apiVersion": "underpin.dev/v1",
        "kind": "Stack",
        "metadata": {"name": STACK},
        "spec": {
            "sources": [{"manifests": "./manifests"}],
            "environments": {"production": {}},
        },
    })
}

fn namespace(index: usize) -> String {
    match index {
        0 => STACK.to_owned(),
        other => format!("{STACK}-{other}"),
    }
}

/// An object of service number `service`; its parts refer to each other as a real one's do.
fn item(kind: usize, service: usize, changed: bool) -> Item {
    let (name, root, plural) = KINDS[kind];
    let namespace = namespace(service % NAMESPACES);
    let app = format!("service-{service:04}");
    let mut body = match name {
        "ConfigMap" => config_map(&app, changed),
        "Secret" => secret(changed),
        "Service" => service_object(&app, changed),
        "ServiceAccount" => account(changed),
        _ => deployment(&app, changed),
    };
    body["kind"] = json!(name);
    body["apiVersion"] = json!(root.trim_start_matches("apis/").trim_start_matches("api/"));
    body["metadata"]["name"] = json!(app);
    body["metadata"]["namespace"] = json!(namespace);
    body["metadata"]["labels"] = json!({
        "app.kubernetes.io/name": app, "app.kubernetes.io/part-of": STACK,
    });
    Item {
        path: format!("/{root}/namespaces/{namespace}/{plural}/{app}"),
        body,
    }
}

fn config_map(app: &str, changed: bool) -> Value {
    json!({"data": {
        "LOG_LEVEL": if changed { "debug" } else { "info" },
        "DATABASE_HOST": format!("{app}.database.example.com"),
        "FEATURES": "search,export,audit",
        "settings.ini": "[server]\nport = 8080\nthreads = 16\n\n[cache]\nsize = 512\nttl = 300\n",
    }})
}

fn secret(changed: bool) -> Value {
    // In base64; they open nothing.
    let (old, new) = ("YmVuY2gtcGFzc3dvcmQtMQ==", "YmVuY2gtcGFzc3dvcmQtMg==");
    json!({"type": "Opaque", "data": {
        "username": "YmVuY2g=",
        "password": if changed { new } else { old },
    }})
}

fn service_object(app: &str, changed: bool) -> Value {
    json!({"spec": {
        "selector": {"app.kubernetes.io/name": app},
        "ports": [{
            "name": "http", "protocol": "TCP", "port": 80,
            "targetPort": if changed { 8081 } else { 8080 },
        }],
    }})
}

fn account(changed: bool) -> Value {
    json!({"automountServiceAccountToken": changed})
}

/// No replicas: neither pods nor what plays them have a share in what is measured.
fn deployment(app: &str, changed: bool) -> Value {
    let labels = json!({"app.kubernetes.io/name": app});
    let tag = if changed { "1.1.0" } else { "1.0.0" };
    let probe = json!({"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10});
    json!({"spec": {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "serviceAccountName": app,
                "containers": [{
                    "name": "app",
                    "image": format!("registry.example.com/{app}:{tag}"),
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "envFrom": [{"configMapRef": {"name": app}}],
                    "env": [{"name": "PASSWORD", "valueFrom": {
                        "secretKeyRef": {"name": app, "key": "password"},
                    }}],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"memory": "256Mi"},
                    },
                    "readinessProbe": probe,
                    "livenessProbe": probe,
                }],
            },
        },
    }})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn by_kind<'w>(items: impl Iterator<Item = &'w Item>) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for item in items {
            *counts.entry(item.body["kind"].to_string()).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    #[test]
    fn a_tenth_of_every_kind_is_changed() {
        let (before, after) = (
            Workload::generate(1_000, false),
            Workload::generate(1_000, true),
        );
        let all = by_kind(before.objects.iter());
        assert_eq!(all.len(), KINDS.len());
        assert!(all.iter().all(|(_, count)| *count == 200), "{all:?}");
        let pairs = before.objects.iter().zip(&after.objects);
        let differ = pairs.filter(|(one, other)| {
            assert_eq!(one.path, other.path);
            one.body != other.body
        });
        let changed = by_kind(differ.map(|(_, other)| other));
        assert_eq!(changed.len(), KINDS.len());
        assert!(changed.iter().all(|(_, count)| *count == 20), "{changed:?}");
    }

    #[test]
    fn every_namespace_has_its_share_of_objects_and_changes() {
        let before = Workload::generate(1_000, false);
        let after = Workload::generate(1_000, true);
        for namespace in &before.namespaces {
            let name = &namespace.body["metadata"]["name"];
            let pairs = before.objects.iter().zip(&after.objects);
            let within: Vec<bool> = pairs
                .filter(|(one, _)| one.body["metadata"]["namespace"] == *name)
                .map(|(one, other)| one.body != other.body)
                .collect();
            assert_eq!(within.len(), 100, "{name}");
            let changed = within.iter().filter(|differs| **differs);
            assert_eq!(changed.count(), 10, "{name}");
        }
    }

    #[test]
    fn every_object_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        Workload::generate(50, false).write(dir.path()).unwrap();
        let files = fs::read_dir(dir.path().join("manifests")).unwrap();
        let documents: usize = files
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
            .map(|text| text.lines().filter(|line| *line == "---").count())
            .sum();
        assert_eq!(documents, 50 + NAMESPACES);
    }
}
