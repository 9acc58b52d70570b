//! What a kubelet makes of the pods of a CronJob: its volumes as folders, and its containers one after the
//! other, each as a process of the program with the arguments and the environment that it is given, and with
//! the rights of its ServiceAccount.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use underpin_tests::{ControlPlane, Kubectl, Output, Proxy, Underpin};

/// The context of a pod without a kubeconfig.
const IN_CLUSTER: &str = "in-cluster";

/// The pods of one CronJob, one after the other. What they keep in claims stays between them.
pub(crate) struct Pods {
    kubectl: Kubectl,
    namespace: String,
    name: String,
    kubeconfig: PathBuf,
    proxy: Proxy,
    folder: TempDir,
}

impl Pods {
    pub(crate) fn of(cluster: &ControlPlane, namespace: &str, name: &str) -> Result<Self> {
        let kubectl = Kubectl::new(cluster);
        let template = template(&kubectl, namespace, name)?;
        let account = text(&template["serviceAccountName"])?;
        kubectl.get(&["serviceaccount", account, "-n", namespace])?;
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let proxy = Proxy::start_as(&cluster.user(&user)?)?;
        let folder = tempfile::tempdir().context("a folder for the volumes")?;
        let mut config: Value = serde_json::from_slice(&fs::read(proxy.kubeconfig())?)?;
        config["contexts"][0]["name"] = json!(IN_CLUSTER);
        config["current-context"] = json!(IN_CLUSTER);
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, config.to_string())?;
        Ok(Self {
            kubectl,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kubeconfig,
            proxy,
            folder,
        })
    }

    /// Where a claim's files are.
    pub(crate) fn claim(&self, name: &str) -> PathBuf {
        self.folder.path().join("claims").join(name)
    }

    /// One pod: what each container that was started said; the last one is that which failed, if one did.
    pub(crate) fn run(&self) -> Result<Vec<(String, Output)>> {
        self.proxy.clear();
        let template = template(&self.kubectl, &self.namespace, &self.name)?;
        // At the same place in every pod, as in a cluster: a source is known by its path.
        let own = self.folder.path().join("pod");
        if own.exists() {
            fs::remove_dir_all(&own)?;
        }
        let mut volumes = BTreeMap::new();
        for volume in list(&template["volumes"]) {
            let at = self.volume(volume, &own)?;
            volumes.insert(text(&volume["name"])?.to_owned(), at);
        }
        // All containers have the same mounts.
        if let Some(container) = list(&template["containers"]).next() {
            let mounts = mounts(container, &volumes)?;
            for (_, folder) in &mounts {
                map_images_file(folder, &mounts)?;
            }
        }
        let mut said = Vec::new();
        let containers = list(&template["initContainers"]).chain(list(&template["containers"]));
        for container in containers {
            let output = self.container(container, &volumes)?;
            let is_done = output.code == Some(0);
            said.push((text(&container["name"])?.to_owned(), output));
            if !is_done {
                break;
            }
        }
        Ok(said)
    }

    /// Requests of the last pod that the server refused for want of a right.
    pub(crate) fn refused(&self) -> BTreeSet<String> {
        let records = self.proxy.records().into_iter();
        let refused = records.filter(|record| record.upstream == Some(403));
        let lines =
            refused.map(|record| format!("{} {}", record.request.method, record.request.path));
        lines.collect()
    }

    /// Verbs of all requests of the last pod.
    pub(crate) fn methods(&self) -> BTreeSet<String> {
        let records = self.proxy.records().into_iter();
        records.map(|record| record.request.method).collect()
    }

    fn volume(&self, volume: &Value, own: &Path) -> Result<PathBuf> {
        let at = match volume["persistentVolumeClaim"]["claimName"].as_str() {
            Some(claim) => {
                let claims = ["persistentvolumeclaim", claim, "-n", &self.namespace];
                self.kubectl.get(&claims)?;
                self.claim(claim)
            }
            None => own.join(text(&volume["name"])?),
        };
        fs::create_dir_all(&at)?;
        if let Some(map) = volume["configMap"]["name"].as_str() {
            let map = self
                .kubectl
                .get(&["configmap", map, "-n", &self.namespace])?;
            for (name, content) in map["data"].as_object().into_iter().flatten() {
                fs::write(at.join(name), text(content)?)?;
            }
        }
        if let Some(secret) = volume["secret"]["secretName"].as_str() {
            for item in list(&volume["secret"]["items"]) {
                let key = text(&item["key"])?;
                let shown = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
                let asked = ["get", "secret", secret, "-n", &self.namespace, "-o", &shown];
                fs::write(at.join(text(&item["path"])?), self.kubectl.run(asked)?)?;
            }
        }
        Ok(at)
    }

    fn container(&self, container: &Value, volumes: &BTreeMap<String, PathBuf>) -> Result<Output> {
        ensure!(
            container["command"].is_null(),
            "the image has no other program"
        );
        let mounts = mounts(container, volumes)?;
        let mut underpin = Underpin::new(self.folder.path(), &self.kubeconfig)?;
        for variable in list(&container["env"]) {
            let value = mapped(text(&variable["value"])?, &mounts);
            underpin = underpin.env(text(&variable["name"])?, value);
        }
        let mut arguments = Vec::new();
        for argument in list(&container["args"]) {
            let argument = text(argument)?;
            arguments.push(match argument.split_once('=') {
                Some((name, value)) => format!("{name}={}", mapped(value, &mounts)),
                None => mapped(argument, &mounts),
            });
        }
        underpin.run(arguments)
    }
}

fn template(kubectl: &Kubectl, namespace: &str, name: &str) -> Result<Value> {
    let mut object = kubectl.get(&["cronjob", name, "-n", namespace])?;
    Ok(object["spec"]["jobTemplate"]["spec"]["template"]["spec"].take())
}

/// A path inside the container, where it is outside of it.
fn mapped(path: &str, mounts: &[(&str, &Path)]) -> String {
    let mut found = mounts.iter().filter_map(|(at, folder)| {
        let rest = path.strip_prefix(at)?;
        let is_whole = rest.is_empty() || rest.starts_with('/');
        is_whole.then(|| format!("{}{rest}", folder.display()))
    });
    found.next().unwrap_or_else(|| path.to_owned())
}

/// The folders of a container, by the paths at which it finds them.
fn mounts<'p>(
    container: &'p Value,
    volumes: &'p BTreeMap<String, PathBuf>,
) -> Result<Vec<(&'p str, &'p Path)>> {
    let mut mounts: Vec<(&str, &Path)> = Vec::new();
    for mount in list(&container["volumeMounts"]) {
        let folder = volumes.get(text(&mount["name"])?);
        let folder = folder.with_context(|| format!("there is no volume for {mount}"))?;
        mounts.push((text(&mount["mountPath"])?, folder));
    }
    Ok(mounts)
}

/// The images file names the folder of the state as the container finds it.
fn map_images_file(folder: &Path, mounts: &[(&str, &Path)]) -> Result<()> {
    let path = folder.join("images.yaml");
    let Ok(content) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let lines = content
        .lines()
        .map(|line| match line.split_once("state: ") {
            Some((indent, at)) => format!("{indent}state: {}\n", mapped(at, mounts)),
            None => format!("{line}\n"),
        });
    fs::write(path, lines.collect::<String>())?;
    Ok(())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("no text: {value}"))
}
