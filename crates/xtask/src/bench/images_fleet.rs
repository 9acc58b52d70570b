//! A registry as a team has it after a year of builds, and clusters that run some of what is in it.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use underpin_image::Digest;
use underpin_testenv::api::Client;
use underpin_testenv::push::{self, IMAGE};

use super::floors::IN_FLIGHT;

/// Tags of one repository.
const TAGS_EACH: u32 = 100;
/// Of so many tags one is an index of two images.
const INDEX_EVERY: u32 = 10;
/// Pods of one workload: they run the same image.
const REPLICAS: u32 = 5;
/// Clusters.
pub(super) const CLUSTERS: u32 = 3;

/// How large the registry and each cluster are.
#[derive(Clone, Copy)]
pub(super) struct Fleet {
    pub(super) tags: u32,
    pub(super) pods: u32,
}

/// A manifest, and the tag that points to it.
pub(super) struct Pushed {
    pub(super) tag: Option<String>,
    pub(super) digest: Digest,
    pub(super) document: Value,
}

impl Pushed {
    fn new(tag: Option<String>, document: Value) -> Self {
        let digest = Digest::of(document.to_string().as_bytes());
        Self {
            tag,
            digest,
            document,
        }
    }

    /// The bytes of which the digest is.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.document.to_string().into_bytes()
    }
}

impl Fleet {
    pub(super) fn repositories(self) -> u32 {
        self.tags.div_ceil(TAGS_EACH)
    }

    pub(super) fn repository(number: u32) -> String {
        format!("team{}/service{number}", number % 7)
    }

    /// The manifests of a repository, children before their indexes.
    pub(super) fn manifests(self, repository: u32) -> Vec<Pushed> {
        let first = repository * TAGS_EACH;
        let last = self.tags.min(first + TAGS_EACH);
        (first..last).flat_map(tagged).collect()
    }

    /// What is pushed under a tag.
    fn image(self, workload: u32) -> (String, Pushed) {
        let tag = workload % self.tags;
        let repository = Self::repository(tag / TAGS_EACH);
        let mut all = tagged(tag);
        // The last one has the tag.
        let image = all.swap_remove(all.len() - 1);
        (repository, image)
    }

    /// The objects of one cluster: pods, and of each other kind that holds images at least one.
    pub(super) fn objects(self, cluster: u32, host: &str) -> Vec<Value> {
        let workloads = self.pods.div_ceil(REPLICAS);
        let others = [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "Job",
            "CronJob",
        ];
        let mut objects = vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": "ns0"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": "ns0"}}),
        ];
        for (at, kind) in (0..).zip(others) {
            objects.push(self.controller(cluster * workloads + at, kind, host));
        }
        for pod in 0..self.pods {
            let workload = cluster * workloads + pod / REPLICAS;
            objects.push(self.pod(workload, pod, host));
        }
        objects
    }

    fn controller(self, workload: u32, kind: &str, host: &str) -> Value {
        let (repository, image) = self.image(workload);
        let tag = image.tag.unwrap_or_default();
        let containers = json!([{"name": "app", "image": format!("{host}/{repository}:{tag}")}]);
        let template = json!({"spec": {"containers": containers}});
        let (group, spec) = match kind {
            "Job" => ("batch/v1", json!({"template": template})),
            "CronJob" => (
                "batch/v1",
                json!({"jobTemplate": {"spec": {"template": template}}}),
            ),
            _ => ("apps/v1", json!({"template": template})),
        };
        json!({
            "apiVersion": group, "kind": kind, "spec": spec,
            "metadata": {"name": format!("w{workload}"), "namespace": "ns0"},
        })
    }

    fn pod(self, workload: u32, number: u32, host: &str) -> Value {
        let (repository, image) = self.image(workload);
        let name = format!("{host}/{repository}:{}", image.tag.unwrap_or_default());
        let id = format!("{host}/{repository}@{}", image.digest);
        let env: Vec<Value> = (0..8)
            .map(|at| json!({"name": format!("SETTING_{at}"), "value": format!("http://s{at}.ns:80/v1")}))
            .collect();
        let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("w{workload}-{number}"), "namespace": format!("ns{}", workload % 50),
                "labels": {"app": format!("w{workload}"), "pod-template-hash": "5d4f8c7b9"},
                "annotations": {"checksum/config": "0f343b0931126a20f133d67c2b018a3b"},
            },
            "spec": {
                "containers": [{
                    "name": "app", "image": name, "env": env,
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                    "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/token"}],
                }],
                "nodeName": format!("node{}", number % 100), "serviceAccountName": "default",
                "volumes": [{"name": "token", "projected": {"sources": []}}],
            },
            "status": {
                "phase": "Running", "podIP": "10.0.0.1", "conditions": conditions,
                "containerStatuses": [{
                    "name": "app", "image": name, "imageID": id, "ready": true, "restartCount": 0,
                }],
            },
        })
    }

    /// Pushes everything, by the registry's API.
    pub(super) async fn push(self, client: &Client) -> Result<()> {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut running = JoinSet::new();
        for number in 0..self.repositories() {
            let (client, slots) = (client.clone(), Arc::clone(&slots));
            running.spawn(async move {
                let _slot = slots.acquire().await;
                self.push_repository(&client, number).await
            });
        }
        while let Some(joined) = running.join_next().await {
            joined.context("a push")??;
        }
        Ok(())
    }

    async fn push_repository(self, client: &Client, number: u32) -> Result<()> {
        let repository = Self::repository(number);
        push::blob(client, &repository, &content()).await?;
        for pushed in self.manifests(number) {
            let reference = pushed.tag.clone().unwrap_or(pushed.digest.to_string());
            push::manifest(client, &repository, &reference, &pushed.document).await?;
        }
        Ok(())
    }
}

/// The manifests under a tag; the last one has it.
fn tagged(number: u32) -> Vec<Pushed> {
    let tag = format!("1.{}.{}", number / TAGS_EACH, number % TAGS_EACH);
    if !number.is_multiple_of(INDEX_EVERY) {
        return vec![Pushed::new(Some(tag), image(&format!("{number}")))];
    }
    let children = ["amd64", "arm64"].map(|platform| {
        let document = image(&format!("{number} {platform}"));
        (platform, Pushed::new(None, document))
    });
    let listed = children.iter().map(|(platform, child)| {
        let mut described = push::described(IMAGE, &child.document);
        described["platform"] = json!({"os": "linux", "architecture": platform});
        described
    });
    let listed: Vec<Value> = listed.collect();
    let mut all: Vec<Pushed> = children.into_iter().map(|(_, child)| child).collect();
    all.push(Pushed::new(Some(tag), push::index(&listed)));
    all
}

/// What every image is made of; a registry keeps it once.
fn content() -> Value {
    json!({"architecture": "amd64", "os": "linux"})
}

fn image(name: &str) -> Value {
    let mut image = push::image(&content(), &content());
    image["annotations"] = json!({"org.opencontainers.image.version": name});
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_tag_is_an_index_and_pods_run_what_was_pushed() {
        let fleet = Fleet {
            tags: 250,
            pods: 50,
        };
        assert_eq!(fleet.repositories(), 3);
        let all: Vec<Pushed> = (0..3).flat_map(|number| fleet.manifests(number)).collect();
        assert_eq!(all.len(), 250 + 2 * 25);
        assert_eq!(all.iter().filter(|one| one.tag.is_some()).count(), 250);
        let pods = fleet.objects(2, "registry.example.com");
        assert_eq!(pods.iter().filter(|one| one["kind"] == "Pod").count(), 50);
        let id = pods.last().unwrap()["status"]["containerStatuses"][0]["imageID"].as_str();
        let (_, digest) = id.unwrap().split_once('@').unwrap();
        assert!(all.iter().any(|one| one.digest.to_string() == digest));
    }
}
