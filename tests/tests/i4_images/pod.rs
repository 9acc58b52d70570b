//! The pods of a CronJob, one after the other: each container is a process of the program with the arguments
//! and the environment that it is given, and with the rights of its ServiceAccount.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use underpin_tests::{
    Container, ControlPlane, Kubectl, Output, Pod, Proxy, Underpin, service_account,
};

/// The pods of one CronJob. What they keep in claims stays between them.
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
        let folder = tempfile::tempdir().context("a folder for the volumes")?;
        let (proxy, kubeconfig) = service_account(cluster, namespace, &template, folder.path())?;
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
        self.claims().join(name)
    }

    fn claims(&self) -> PathBuf {
        self.folder.path().join("claims")
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
        let pod = Pod::new(
            &self.kubectl,
            &self.namespace,
            template,
            &own,
            &self.claims(),
        )?;
        let (first, then) = (pod.init_containers()?, pod.containers()?);
        // All containers have the same mounts.
        if let Some(container) = then.first() {
            images_file(&pod, container)?;
        }
        let mut said = Vec::new();
        for container in first.into_iter().chain(then) {
            let output = self.container(&container)?;
            let is_done = output.code == Some(0);
            said.push((container.name, output));
            if !is_done {
                break;
            }
        }
        Ok(said)
    }

    /// Requests of the last pod that the server refused for want of a right.
    pub(crate) fn refused(&self) -> BTreeSet<String> {
        self.proxy.refused()
    }

    /// Verbs of all requests of the last pod.
    pub(crate) fn methods(&self) -> BTreeSet<String> {
        let records = self.proxy.records().into_iter();
        records.map(|record| record.request.method).collect()
    }

    fn container(&self, container: &Container) -> Result<Output> {
        ensure!(
            container.command.is_empty(),
            "the image has no other program"
        );
        let mut underpin = Underpin::new(self.folder.path(), &self.kubeconfig)?;
        for (name, value) in &container.env {
            underpin = underpin.env(name, value);
        }
        underpin.run(&container.args)
    }
}

fn template(kubectl: &Kubectl, namespace: &str, name: &str) -> Result<Value> {
    let mut object = kubectl.get(&["cronjob", name, "-n", namespace])?;
    Ok(object["spec"]["jobTemplate"]["spec"]["template"]["spec"].take())
}

/// The images file names the folder of the state as the container finds it.
fn images_file(pod: &Pod, container: &Container) -> Result<()> {
    let mounts = container.declared["volumeMounts"].as_array();
    for mount in mounts.into_iter().flatten() {
        let volume = mount["name"].as_str().context("a mount without a volume")?;
        let path = pod.volume(volume)?.join("images.yaml");
        if path.exists() {
            state_outside(pod, container, &path)?;
        }
    }
    Ok(())
}

fn state_outside(pod: &Pod, container: &Container, path: &Path) -> Result<()> {
    let mut content = String::new();
    for line in fs::read_to_string(path)?.lines() {
        match line.split_once("state: ") {
            Some((indent, at)) => {
                let at = pod.outside(&container.declared, at)?;
                content.push_str(&format!("{indent}state: {at}\n"));
            }
            None => content.push_str(&format!("{line}\n")),
        }
    }
    fs::write(path, content)?;
    Ok(())
}
