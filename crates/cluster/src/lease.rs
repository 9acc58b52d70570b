//! A Lease: of several programs that run all the time, one does the work.
//!
//! As with [`crate::lock`], no two clocks are compared: who holds the lease loses it to whoever has
//! watched its renewals stand still for its length.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use underpin_model::{Depth, GroupKind, Object, ObjectKey, Origin, ResourceKind};

use crate::{ApplyOptions, Cluster, ClusterError, Precondition};

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseHolder {
    /// This program, until this moment if it does not renew.
    Us(Instant),
    /// Somebody else.
    Other(String),
}

/// A Lease and what has been seen of it.
#[derive(Debug)]
pub struct Lease {
    cluster: Cluster,
    key: ObjectKey,
    identity: String,
    length: Duration,
    /// The renewal that was seen last, and since when.
    seen: Option<(String, Instant)>,
}

impl Lease {
    /// The lease of a namespace and name, for a program of this identity, which must be its own.
    pub fn new(
        cluster: Cluster,
        namespace: &str,
        name: &str,
        identity: String,
        length: Duration,
    ) -> Self {
        Self {
            cluster,
            key: ObjectKey::namespaced(lease_kind().kind, namespace, name),
            identity,
            length,
            seen: None,
        }
    }

    /// How long it lasts without being renewed.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Takes the lease if nobody holds it, renews it if this program does, and tells who holds it.
    pub async fn attempt(&mut self) -> Result<LeaseHolder, ClusterError> {
        let begun = Instant::now();
        let Some(live) = self.cluster.get(&lease_kind(), &self.key).await? else {
            return self.create(begun).await;
        };
        let holder = live.text("/spec/holderIdentity").unwrap_or_default();
        let version = live.resource_version().unwrap_or_default();
        if holder != self.identity && !holder.is_empty() {
            let seen = self.seen.take();
            let since = match seen {
                Some((seen, since)) if seen == version => since,
                _ => begun,
            };
            self.seen = Some((version.to_owned(), since));
            let seconds = live
                .at("/spec/leaseDurationSeconds")
                .and_then(Value::as_u64);
            let length = seconds.map_or(self.length, Duration::from_secs);
            if since.elapsed() < length {
                return Ok(LeaseHolder::Other(holder.to_owned()));
            }
        }
        let (holder, now) = (holder.to_owned(), self.now());
        let mut spec = json!({
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.length.as_secs(),
            "renewTime": now,
        });
        if holder != self.identity {
            spec["acquireTime"] = json!(now);
        }
        match self.swap(&live, &spec).await {
            Ok(_) => Ok(LeaseHolder::Us(begun + self.length)),
            Err(error) if error.is_conflict() || error.is_not_found() => {
                Ok(LeaseHolder::Other("another that was faster".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the lease back, if this program holds it, so that nobody has to wait.
    pub async fn release(&mut self) -> Result<(), ClusterError> {
        let Some(live) = self.cluster.get(&lease_kind(), &self.key).await? else {
            return Ok(());
        };
        if live.text("/spec/holderIdentity") != Some(self.identity.as_str()) {
            return Ok(());
        }
        let spec = json!({"holderIdentity": "", "leaseDurationSeconds": 1});
        match self.swap(&live, &spec).await {
            Err(error) if !error.is_conflict() && !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn swap(&self, live: &Object, spec: &Value) -> Result<Object, ClusterError> {
        let patch = json!({
            "metadata": {"uid": live.uid(), "resourceVersion": live.resource_version()},
            "spec": spec,
        });
        let kind = lease_kind();
        self.cluster.merge_patch(&kind, &self.key, &patch).await
    }

    async fn create(&self, begun: Instant) -> Result<LeaseHolder, ClusterError> {
        let now = self.now();
        let value = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.key.name, "namespace": self.key.namespace},
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": self.length.as_secs(),
                "acquireTime": now,
                "renewTime": now,
            },
        });
        let Some(lease) = Object::from_value(value, Depth::Full, Origin::Live) else {
            return Ok(LeaseHolder::Other(String::new()));
        };
        let options = ApplyOptions {
            dry_run: false,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: self.cluster.timeout(),
        };
        match self.cluster.apply(&lease_kind(), &lease, &options).await {
            Ok(_) => Ok(LeaseHolder::Us(begun + self.length)),
            Err(error) if error.is_already_exists() => {
                Ok(LeaseHolder::Other("another that was faster".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// The wall clock, for people.
    fn now(&self) -> String {
        let now = self.cluster.host().now();
        now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }
}

fn lease_kind() -> ResourceKind {
    ResourceKind {
        kind: GroupKind::new("coordination.k8s.io", "Lease"),
        version: "v1".to_owned(),
        versions: vec!["v1".to_owned()],
        plural: "leases".to_owned(),
        namespaced: true,
        listable: true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::Method;

    use super::*;
    use crate::mock::{Answer, cluster, status};

    /// A server with one lease, which compares versions.
    fn server() -> Cluster {
        let stored: Arc<Mutex<Option<(u64, Value)>>> = Arc::default();
        cluster(move |seen| {
            let mut stored = stored.lock().unwrap();
            let spec = seen.body["spec"].clone();
            let next = match (&seen.method, &*stored) {
                (&Method::GET, None) => {
                    return status(404, "NotFound", "no", json!({"name": "edge"}));
                }
                (&Method::GET, Some(_)) => None,
                (&Method::PATCH, None) => Some((1, spec)),
                (&Method::PATCH, Some((version, _)))
                    if seen.body["metadata"]["resourceVersion"].as_str()
                        != Some(version.to_string().as_str()) =>
                {
                    return status(409, "Conflict", "changed", json!({}));
                }
                (&Method::PATCH, Some((version, _))) => Some((version + 1, spec)),
                _ => panic!("{seen:?}"),
            };
            if next.is_some() {
                *stored = next;
            }
            let (version, spec) = stored.clone().unwrap();
            Answer::Json(
                200,
                json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                    "metadata": {"name": "edge", "namespace": "proxy", "uid": "u",
                        "resourceVersion": version.to_string()},
                    "spec": spec}),
            )
        })
    }

    fn lease(cluster: &Cluster, identity: &str) -> Lease {
        let length = Duration::from_secs(15);
        Lease::new(
            cluster.clone(),
            "proxy",
            "edge",
            identity.to_owned(),
            length,
        )
    }

    async fn holds(lease: &mut Lease) -> bool {
        matches!(lease.attempt().await.unwrap(), LeaseHolder::Us(_))
    }

    #[tokio::test(start_paused = true)]
    async fn one_holds_it_until_it_stands_still_or_gives_it_back() {
        let cluster = server();
        let (mut one, mut two) = (lease(&cluster, "one"), lease(&cluster, "two"));
        assert!(holds(&mut one).await);
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert!(holds(&mut one).await);
            let other = two.attempt().await.unwrap();
            assert_eq!(other, LeaseHolder::Other("one".to_owned()));
        }
        // `one` is gone.
        tokio::time::sleep(Duration::from_secs(14)).await;
        assert!(!holds(&mut two).await);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(holds(&mut two).await);
        assert!(!holds(&mut one).await);
        two.release().await.unwrap();
        assert!(holds(&mut one).await);
        // Who does not hold it gives nothing back.
        two.release().await.unwrap();
        assert!(!holds(&mut two).await);
    }
}
