//! The incident: a real registry, a cluster with the releases in it, and the files beside.

use std::{fs, path::Path, sync::Mutex, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use underpin_testenv::registry::{DockerRegistry, Options};
use underpin_tests::{Kubectl, Output, Underpin, eventually, shared};

use crate::push;

/// How long a cluster may take to serve what was defined.
const SERVED: Duration = Duration::from_mins(1);

/// One registry and the objects that name it; each scene replaces those of the one before.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) struct Scene {
    pub(crate) registry: DockerRegistry,
    pub(crate) kubectl: Kubectl,
    underpin: Underpin,
    folder: TempDir,
    _alone: std::sync::MutexGuard<'static, ()>,
}

impl Scene {
    pub(crate) fn new() -> Result<Self> {
        let alone = ONE_AT_A_TIME
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let cluster = shared()?;
        let registry = DockerRegistry::start(Options::default())?;
        let kubectl = Kubectl::new(cluster);
        let folder = tempfile::tempdir().context("a folder for the files")?;
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, fleet(&cluster.admin().to_json()).to_string())?;
        let scene = Self {
            underpin: Underpin::new(folder.path(), &kubeconfig)?,
            registry,
            kubectl,
            folder,
            _alone: alone,
        };
        scene.push();
        scene.deploy()?;
        scene.write(
            "pins.txt",
            "container/cms-plugins==production\ncontainer/web==1.0.0\n",
        )?;
        let host = scene.registry.host();
        scene.write(
            "images.yaml",
            &format!(
                "registry: {{host: '{host}', owners: [kotkan]}}\nsources: {{paths: [k8s]}}\n\
                 pins: [pins.txt]\nstate: state\n\
                 limits: {{minimumAge: 0s, apart: 0s, minimumKept: 0, maximumShare: 100, pause: 0s}}\n"
            ),
        )?;
        scene.write("k8s/chart/Chart.yaml", "name: cms\nversion: 1.0.0\n")?;
        scene.write(
            "k8s/cron.yaml",
            &format!(
                "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: report, namespace: kotkan}}\n\
                 spec:\n  schedule: '0 3 * * *'\n  jobTemplate:\n    spec:\n      template:\n        \
                 spec:\n          restartPolicy: Never\n          containers: [{{name: report, image: \
                 '{host}/kotkan/report:3.0.0'}}]\n"
            ),
        )?;
        Ok(scene)
    }

    /// What CI has pushed: builds with tags of their own, and tags that move.
    fn push(&self) {
        let host = self.registry.host();
        for build in 40..=44 {
            let repository = "kotkan/cms-plugins";
            let one = |platform: &str| format!("cms-plugins {build} {platform}");
            let children = [
                push::image(&host, repository, &one("amd64"), &[]),
                push::image(&host, repository, &one("arm64"), &[]),
            ];
            let own = format!("0.1.{build}");
            let mut tags = vec![own.as_str()];
            match build {
                43 => tags.extend(["production", "production-latest"]),
                44 => tags.extend(["staging", "staging-latest"]),
                _ => {}
            }
            push::index(&host, repository, &tags, &children);
        }
        for tag in ["0.9.0", "1.0.0", "1.1.0", "1.2.0"] {
            push::image(&host, "kotkan/web", &format!("web {tag}"), &[tag]);
        }
        push::image(&host, "kotkan/builder", "builder", &["1.0.0"]);
        push::image(&host, "kotkan/report", "report", &["3.0.0"]);
        push::image(&host, "kotkan/report", "old report", &["2.0.0"]);
    }

    fn deploy(&self) -> Result<()> {
        let kubectl = &self.kubectl;
        kubectl.apply("flux", include_str!("flux.yaml"))?;
        eventually("the kinds of Flux are served", SERVED, || {
            for kind in ["helmreleases", "imagerepositories", "imagepolicies"] {
                kubectl.run(["get", kind, "--all-namespaces"])?;
            }
            Ok(Some(()))
        })?;
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: { name: kotkan }\n";
        kubectl.apply("flux", namespace)?;
        for gone in ["pod/web", "job/migrate"] {
            kubectl.run([
                "delete",
                gone,
                "-n",
                "kotkan",
                "--ignore-not-found",
                "--now",
            ])?;
        }
        let releases = include_str!("releases.yaml").replace("REGISTRY", &self.registry.host());
        // A pod waits for the ServiceAccount of its namespace.
        eventually("the releases are stored", SERVED, || {
            kubectl.apply("flux", &releases).map(Some)
        })?;
        Ok(())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, text).with_context(|| format!("write {name}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }

    /// One run of a command about images.
    pub(crate) fn images(&self, command: &str, arguments: &[&str]) -> Result<Output> {
        let all = [&["images", command, "--config", "images.yaml"], arguments].concat();
        self.underpin.run(all)
    }

    /// One run of `images plan`.
    pub(crate) fn plan(&self, arguments: &[&str]) -> Result<Output> {
        self.images("plan", arguments)
    }

    /// One run of `images golive`.
    pub(crate) fn golive(&self, arguments: &[&str]) -> Result<Output> {
        let all = [&["images", "golive", "--config", "images.yaml"], arguments].concat();
        self.underpin.run(all)
    }

    /// Somebody deletes the image of one platform.
    pub(crate) fn lose(&self, name: &str) {
        let host = self.registry.host();
        let digest = push::image(&host, "kotkan/cms-plugins", name, &[]);
        push::delete(&host, "kotkan/cms-plugins", &digest);
    }

    /// Somebody deletes what a tag points to, and with it all its tags.
    pub(crate) fn lose_tag(&self, tag: &str) {
        let host = self.registry.host();
        let digest = push::index(&host, "kotkan/cms-plugins", &[tag], &[]);
        push::delete(&host, "kotkan/cms-plugins", &digest);
    }

    /// The document of one run.
    pub(crate) fn document(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.plan(&[arguments, &["--output", "json"]].concat())?;
        serde_json::from_str(&output.stdout).with_context(|| output.transcript())
    }

    /// What would be left of a cleaner that keeps what pods run.
    pub(crate) fn lost_by_live_pods(&self) -> Result<Vec<String>> {
        let host = self.registry.host();
        let pods = self.kubectl.get(&["pods", "--all-namespaces"])?;
        let mut running = Vec::new();
        for pod in pods["items"].as_array().into_iter().flatten() {
            for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
                running.extend(container["image"].as_str().map(str::to_owned));
            }
        }
        let mut lost = Vec::new();
        for repository in [
            "kotkan/cms-plugins",
            "kotkan/web",
            "kotkan/builder",
            "kotkan/report",
        ] {
            let tags = push::tags(&host, repository).into_iter();
            let names = tags.map(|tag| format!("{repository}:{tag}"));
            lost.extend(names.filter(|name| !running.contains(&format!("{host}/{name}"))));
        }
        lost.sort();
        Ok(lost)
    }
}

/// A kubeconfig with three clusters: two that answer, and one that nobody can reach.
fn fleet(one: &Value) -> Value {
    let mut all = one.clone();
    let entry = |name: &str, cluster: &str| json!({"name": name, "context": {"cluster": cluster, "user": "test"}});
    all["contexts"] = json!([
        entry("production", "test"),
        entry("staging", "test"),
        entry("edge", "gone"),
    ]);
    if let Some(clusters) = all["clusters"].as_array_mut() {
        clusters.push(json!({"name": "gone", "cluster": {"server": "https://127.0.0.1:1"}}));
    }
    all["current-context"] = json!("production");
    all
}

/// Tags of what may go, sorted.
pub(crate) fn going(document: &Value) -> Vec<String> {
    let mut going = Vec::new();
    for repository in document["repositories"].as_array().into_iter().flatten() {
        let name = repository["name"].as_str().unwrap_or_default();
        for manifest in repository["manifests"].as_array().into_iter().flatten() {
            let tags = manifest["tags"].as_array().into_iter().flatten();
            let tags = tags
                .filter(|_| manifest["goes"] == true)
                .filter_map(Value::as_str);
            going.extend(tags.map(|tag| format!("{name}:{tag}")));
        }
    }
    going.sort();
    going
}

/// Why a tag stays.
pub(crate) fn reasons(document: &Value, repository: &str, tag: &str) -> Vec<String> {
    let repositories = document["repositories"].as_array().into_iter().flatten();
    let of = repositories.filter(|one| one["name"] == repository);
    let manifests = of.flat_map(|one| one["manifests"].as_array().into_iter().flatten());
    let tagged = manifests.filter(|one| {
        let mut tags = one["tags"].as_array().into_iter().flatten();
        tags.any(|one| one == tag)
    });
    let reasons = tagged.flat_map(|one| one["reasons"].as_array().into_iter().flatten());
    let said = reasons.filter_map(|one| one["says"].as_str());
    said.map(str::to_owned).collect()
}
