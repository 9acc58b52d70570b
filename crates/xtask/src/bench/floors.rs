//! The least that the work can cost: the same requests, bare, from one client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use underpin_testenv::Kubeconfig;
use underpin_testenv::api::{self, Client};

use super::workload::{Item, Workload};

/// Requests under way at once.
pub(super) const IN_FLIGHT: usize = 8;
/// What an apply's body is; JSON is YAML.
const APPLY: &str = "application/apply-patch+yaml";

/// A client that does nothing but send.
pub(super) struct Floor {
    runtime: Runtime,
    client: Client,
}

impl Floor {
    /// Speaks as `kubeconfig` says.
    pub(super) fn connect(kubeconfig: &Kubeconfig) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("runtime")?;
        let client = runtime.block_on(api::client(kubeconfig))?;
        Ok(Self { runtime, client })
    }

    /// Applies every object, namespaces before what lies in them.
    pub(super) fn patches(&self, workload: &Workload, dry_run: bool) -> Result<Duration> {
        let begin = Instant::now();
        self.runtime.block_on(async {
            self.patch_all(&workload.namespaces, dry_run).await?;
            self.patch_all(&workload.objects, dry_run).await
        })?;
        Ok(begin.elapsed())
    }

    async fn patch_all(&self, items: &[Item], dry_run: bool) -> Result<()> {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut tasks = JoinSet::new();
        for item in items {
            let dry = if dry_run { "&dryRun=All" } else { "" };
            let path = format!("{}?fieldManager=bench&force=false{dry}", item.path);
            let (slots, client, body) = (slots.clone(), self.client.clone(), item.body.clone());
            tasks.spawn(async move {
                let _slot = slots.acquire().await;
                api::demand(&client, "PATCH", &path, Some((APPLY, &body))).await
            });
        }
        ended(tasks).await
    }

    /// Lists whole collections, all at once.
    pub(super) fn lists(&self, collections: &[String]) -> Result<Duration> {
        let begin = Instant::now();
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for path in collections {
                let (client, path) = (self.client.clone(), path.clone());
                tasks.spawn(async move { api::demand(&client, "GET", &path, None).await });
            }
            ended(tasks).await
        })?;
        Ok(begin.elapsed())
    }
}

/// Waits for all; the first error counts.
async fn ended<T: 'static>(mut tasks: JoinSet<Result<T>>) -> Result<()> {
    while let Some(joined) = tasks.join_next().await {
        joined.context("a request's task")??;
    }
    Ok(())
}
