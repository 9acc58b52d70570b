//! What a kubelet makes of a pod's template: its volumes as folders, its containers as programs to be
//! started, and what it may ask the API server as its ServiceAccount.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{ControlPlane, Kubectl, Proxy};

/// The context of a pod without a kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

/// A pod.
#[derive(Debug)]
pub struct Pod {
    template: Value,
    volumes: BTreeMap<String, PathBuf>,
}

/// A container, with paths as they are outside of it.
#[derive(Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The program and its first arguments, where they are not those of its image.
    pub command: Vec<String>,
    /// Further arguments.
    pub args: Vec<String>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// The whole of it, as it was declared.
    pub declared: Value,
}

impl Pod {
    /// Makes the volumes of a pod in the folder `own`, but those of claims in `claims`, where they stay.
    /// `template` is the `spec` of a template of pods.
    pub fn new(
        kubectl: &Kubectl,
        namespace: &str,
        template: Value,
        own: &Path,
        claims: &Path,
    ) -> Result<Self> {
        let mut volumes = BTreeMap::new();
        for volume in list(&template["volumes"]) {
            let name = text(&volume["name"])?;
            let at = match volume["persistentVolumeClaim"]["claimName"].as_str() {
                Some(claim) => {
                    kubectl.get(&["persistentvolumeclaim", claim, "-n", namespace])?;
                    claims.join(claim)
                }
                None => own.join(name),
            };
            fs::create_dir_all(&at)?;
            fill(kubectl, namespace, volume, &at)?;
            volumes.insert(name.to_owned(), at);
        }
        Ok(Self { template, volumes })
    }

    /// The containers that run before all others, one after the other.
    pub fn init_containers(&self) -> Result<Vec<Container>> {
        self.read("initContainers")
    }

    /// The containers that run at the same time.
    pub fn containers(&self) -> Result<Vec<Container>> {
        self.read("containers")
    }

    /// Where the files of a volume are.
    pub fn volume(&self, name: &str) -> Result<&Path> {
        let volume = self.volumes.get(name);
        let volume = volume.with_context(|| format!("there is no volume {name}"))?;
        Ok(volume)
    }

    /// A path as a container finds it, where it is outside of it.
    pub fn outside(&self, container: &Value, path: &str) -> Result<String> {
        for mount in list(&container["volumeMounts"]) {
            let at = text(&mount["mountPath"])?;
            let rest = path.strip_prefix(at);
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                let volume = self.volume(text(&mount["name"])?)?;
                return Ok(format!("{}{rest}", volume.display()));
            }
        }
        Ok(path.to_owned())
    }

    fn read(&self, which: &str) -> Result<Vec<Container>> {
        let containers = list(&self.template[which]);
        containers.map(|one| self.container(one)).collect()
    }

    fn container(&self, declared: &Value) -> Result<Container> {
        let argument = |value: &Value| {
            let written = text(value)?;
            Ok(match written.split_once('=') {
                Some((name, value)) => format!("{name}={}", self.outside(declared, value)?),
                None => self.outside(declared, written)?,
            })
        };
        let arguments = |which: &str| list(&declared[which]).map(argument).collect();
        let mut env = Vec::new();
        for variable in list(&declared["env"]) {
            let value = self.outside(declared, text(&variable["value"])?)?;
            env.push((text(&variable["name"])?.to_owned(), value));
        }
        let (command, args): (Result<_>, Result<_>) = (arguments("command"), arguments("args"));
        Ok(Container {
            name: text(&declared["name"])?.to_owned(),
            command: command?,
            args: args?,
            env,
            declared: declared.clone(),
        })
    }
}

/// Writes what a volume brings along.
fn fill(kubectl: &Kubectl, namespace: &str, volume: &Value, at: &Path) -> Result<()> {
    if let Some(map) = volume["configMap"]["name"].as_str() {
        let map = kubectl.get(&["configmap", map, "-n", namespace])?;
        for (name, content) in map["data"].as_object().into_iter().flatten() {
            fs::write(at.join(name), text(content)?)?;
        }
    }
    if let Some(secret) = volume["secret"]["secretName"].as_str() {
        for item in list(&volume["secret"]["items"]) {
            let key = text(&item["key"])?;
            let shown = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
            let asked = ["get", "secret", secret, "-n", namespace, "-o", &shown];
            fs::write(at.join(text(&item["path"])?), kubectl.run(asked)?)?;
        }
    }
    Ok(())
}

/// The way of a pod with this template to the API server; beside it, the kubeconfig that stands for what a
/// pod is given is written into `folder`.
pub fn service_account(
    cluster: &ControlPlane,
    namespace: &str,
    template: &Value,
    folder: &Path,
) -> Result<(Proxy, PathBuf)> {
    let account = text(&template["serviceAccountName"])?;
    Kubectl::new(cluster).get(&["serviceaccount", account, "-n", namespace])?;
    let user = format!("system:serviceaccount:{namespace}:{account}");
    let proxy = Proxy::start_as(&cluster.user(&user)?)?;
    let mut config: Value = serde_json::from_slice(&fs::read(proxy.kubeconfig())?)?;
    config["contexts"][0]["name"] = json!(IN_CLUSTER);
    config["current-context"] = json!(IN_CLUSTER);
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, config.to_string())?;
    Ok((proxy, kubeconfig))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("no text: {value}"))
}
