//! The objects that simulated stacks are made of.

use serde_json::{Value, json};

use crate::kinds::Kind;

/// Where objects are declared for.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The namespace of objects that name none of their own.
    pub home: &'a str,
    /// Unique among all environments of the scenario.
    pub environment: &'a str,
    /// Ends every name, so that environments can share a namespace; may be empty.
    pub suffix: &'a str,
}

impl Setting<'_> {
    /// A name in this setting.
    pub fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }
}

/// One declared object. Names are short, so that different stacks meet in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// A ConfigMap whose value is its revision.
    ConfigMap {
        /// Name.
        name: &'static str,
        /// Changes its content.
        revision: u8,
    },
    /// A Secret whose value is its revision.
    Secret {
        /// Name.
        name: &'static str,
        /// Changes its content.
        revision: u8,
    },
    /// A ServiceAccount.
    ServiceAccount {
        /// Name.
        name: &'static str,
    },
    /// A Service that selects the Deployment of its name.
    Service {
        /// Name.
        name: &'static str,
    },
    /// A Deployment that mounts a Secret and reads a ConfigMap, where they are named.
    Deployment {
        /// Name.
        name: &'static str,
        /// The Secret it mounts.
        secret: Option<&'static str>,
        /// The ConfigMap it reads.
        config_map: Option<&'static str>,
        /// Changes its pods.
        revision: u8,
    },
    /// A StatefulSet with a volume claim template.
    StatefulSet {
        /// Name.
        name: &'static str,
    },
    /// A claim of a volume.
    VolumeClaim {
        /// Name.
        name: &'static str,
    },
    /// A Job that is made anew when it changes.
    Job {
        /// Name.
        name: &'static str,
        /// Changes an immutable field.
        revision: u8,
    },
    /// A Role and its binding.
    Role {
        /// Name.
        name: &'static str,
    },
    /// A ClusterRole; its name holds the environment's.
    ClusterRole,
    /// A definition of a custom resource. At most one environment of a scenario declares it.
    Definition,
    /// An instance of that definition.
    Widget {
        /// Name.
        name: &'static str,
        /// Changes its content.
        revision: u8,
    },
    /// The home namespace, declared.
    Home,
    /// A further namespace of the environment's own, and a ConfigMap in it.
    Annex,
    /// A further namespace of the environment's own, with so many Services that the next wave begins before
    /// all of them are there, and with what controllers make more of: a workload, an account.
    Crowd,
}

/// Services of a [`Template::Crowd`].
const CROWD: usize = 24;

impl Template {
    /// The objects.
    pub fn objects(&self, setting: &Setting<'_>) -> Vec<Value> {
        let Setting {
            home, environment, ..
        } = *setting;
        match self {
            Self::ConfigMap { name, revision } => {
                let data = json!({"revision": revision.to_string()});
                vec![with(
                    object("ConfigMap", home, &setting.name(name)),
                    "data",
                    data,
                )]
            }
            Self::Secret { name, revision } => {
                let data = json!({"revision": format!("secret-{revision}")});
                vec![with(
                    object("Secret", home, &setting.name(name)),
                    "stringData",
                    data,
                )]
            }
            Self::ServiceAccount { name } => {
                vec![object("ServiceAccount", home, &setting.name(name))]
            }
            Self::Service { name } => vec![service(home, &setting.name(name))],
            Self::Deployment { .. } => vec![self.deployment(setting)],
            Self::StatefulSet { name } => vec![stateful_set(home, &setting.name(name))],
            Self::VolumeClaim { name } => {
                let spec = json!({
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                });
                vec![with(
                    object("PersistentVolumeClaim", home, &setting.name(name)),
                    "spec",
                    spec,
                )]
            }
            Self::Job { name, revision } => vec![job(home, &setting.name(name), *revision)],
            Self::Role { name } => role(home, &setting.name(name)),
            Self::ClusterRole => {
                let name = format!("reader-{environment}");
                let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
                vec![with(object("ClusterRole", "", &name), "rules", rules)]
            }
            Self::Definition => vec![definition()],
            Self::Widget { name, revision } => {
                let spec = json!({"size": revision});
                vec![with(
                    object("Widget", home, &setting.name(name)),
                    "spec",
                    spec,
                )]
            }
            Self::Home => vec![object("Namespace", "", home)],
            Self::Annex => {
                let annex = format!("annex-{environment}");
                vec![
                    object("Namespace", "", &annex),
                    with(
                        object("ConfigMap", &annex, "annexed"),
                        "data",
                        json!({"a": "b"}),
                    ),
                ]
            }
            Self::Crowd => {
                let namespace = format!("crowd-{environment}");
                let services = (0..CROWD).map(|number| service(&namespace, &format!("s{number}")));
                let mut objects = vec![object("Namespace", "", &namespace)];
                objects.extend(services);
                let there = Setting {
                    home: &namespace,
                    ..*setting
                };
                for what in [
                    Self::ServiceAccount { name: "app" },
                    Self::Deployment {
                        name: "worker",
                        secret: None,
                        config_map: None,
                        revision: 0,
                    },
                ] {
                    objects.extend(what.objects(&there));
                }
                objects
            }
        }
    }

    fn deployment(&self, setting: &Setting<'_>) -> Value {
        let Self::Deployment {
            name,
            secret,
            config_map,
            revision,
        } = self
        else {
            return Value::Null;
        };
        let name = &setting.name(name);
        let named = |other: &&'static str| setting.name(other);
        let (secret, config_map) = (secret.as_ref().map(named), config_map.as_ref().map(named));
        let mut container = json!({
            "name": "main", "image": format!("example.org/{name}:{revision}"),
        });
        let mut pod = json!({});
        if let Some(config_map) = config_map {
            container["envFrom"] = json!([{"configMapRef": {"name": config_map}}]);
        }
        if let Some(secret) = secret {
            container["volumeMounts"] = json!([{"name": "secret", "mountPath": "/secret"}]);
            pod["volumes"] = json!([{"name": "secret", "secret": {"secretName": secret}}]);
        }
        pod["containers"] = json!([container]);
        let spec = json!({
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        });
        with(object("Deployment", setting.home, name), "spec", spec)
    }
}

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    let api_version = Kind::named(kind).map(Kind::api_version).unwrap_or_default();
    let mut object = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name},
    });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

fn service(namespace: &str, name: &str) -> Value {
    let spec = json!({
        "selector": {"app": name},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
    });
    with(object("Service", namespace, name), "spec", spec)
}

fn stateful_set(home: &str, name: &str) -> Value {
    let spec = json!({
        "replicas": 1,
        "serviceName": name,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{
                "name": "main", "image": "example.org/store:1",
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }]},
        },
        "volumeClaimTemplates": [{
            "metadata": {"name": "data"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }],
    });
    with(object("StatefulSet", home, name), "spec", spec)
}

fn job(home: &str, name: &str, revision: u8) -> Value {
    let mut job = object("Job", home, name);
    job["metadata"]["annotations"] = json!({"underpin.dev/on-immutable": "recreate"});
    let image = format!("example.org/migrate:{revision}");
    let spec = json!({
        "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": image}],
        }},
    });
    with(job, "spec", spec)
}

fn role(home: &str, name: &str) -> Vec<Value> {
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]);
    let mut binding = object("RoleBinding", home, name);
    binding["roleRef"] =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
    binding["subjects"] = json!([{"kind": "ServiceAccount", "name": "default", "namespace": home}]);
    vec![with(object("Role", home, name), "rules", rules), binding]
}

fn definition() -> Value {
    let schema = json!({"openAPIV3Schema": {
        "type": "object",
        "properties": {"spec": {
            "type": "object",
            "properties": {"size": {"type": "integer"}},
        }},
    }});
    let spec = json!({
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
    });
    with(
        object("CustomResourceDefinition", "", "widgets.example.org"),
        "spec",
        spec,
    )
}
