//! A Lease: of several programs that run all the time, one does the work.
//!
//! As with [`crate::lock`], no two clocks are compared: who holds the lease loses it to whoever has
//! watched its renewals stand still for its length.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use underpin_model::{Depth, Object, ObjectKey, Origin, ResourceKind, UnknownParts};

use crate::{ApplyOptions, Cluster, ClusterError, Precondition};

/// How often a write that met a conflict is decided anew in one attempt.
const SWAPS: usize = 3;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseHolder {
    /// This program.
    Us(Tenure),
    /// Somebody else.
    Other(String),
}

/// That a program holds a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Until when, if it does not renew.
    pub until: Instant,
    /// Counts how often the program came by the lease: while it is the same, nobody else has held it
    /// between, whether or not a renewal came late.
    pub term: u64,
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
    /// How often this program came by it.
    term: u64,
    /// Whether this program's write may have come by it, though its answer was lost.
    uncertain: bool,
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
            term: 0,
            uncertain: false,
        }
    }

    /// How long it lasts without being renewed.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Takes the lease if nobody holds it, renews it if this program does, and tells who holds it.
    /// An answer that was lost is told from somebody else's write by the identity in it: a write that
    /// met a conflict is decided anew on what is there.
    pub async fn attempt(&mut self) -> Result<LeaseHolder, ClusterError> {
        for _ in 0..SWAPS {
            if let Some(holder) = self.attempt_once().await? {
                return Ok(holder);
            }
        }
        Ok(LeaseHolder::Other("others that are faster".to_owned()))
    }

    /// `None` when somebody wrote between the look and the write, this program itself perhaps.
    async fn attempt_once(&mut self) -> Result<Option<LeaseHolder>, ClusterError> {
        let begun = Instant::now();
        let Some(live) = self.cluster.get(&lease_kind(), &self.key).await? else {
            let created = self.create().await;
            return self.taken(created, begun);
        };
        let holder = live.text("/spec/holderIdentity").unwrap_or_default();
        let version = live.resource_version().unwrap_or_default();
        let is_ours = holder == self.identity;
        if !is_ours && !holder.is_empty() {
            let seen = self.seen.take();
            let since = match seen {
                Some((seen, since)) if seen == version => since,
                // It may have been renewed after this look began.
                _ => Instant::now(),
            };
            self.seen = Some((version.to_owned(), since));
            let seconds = live
                .at("/spec/leaseDurationSeconds")
                .and_then(Value::as_u64);
            let length = seconds.map_or(self.length, Duration::from_secs);
            if since.elapsed() < length {
                self.uncertain = false;
                return Ok(Some(LeaseHolder::Other(holder.to_owned())));
            }
        }
        let now = self.now();
        let mut spec = json!({
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.length.as_secs(),
            "renewTime": now,
        });
        if !is_ours {
            spec["acquireTime"] = json!(now);
            let swapped = self.swap(&live, &spec).await;
            return self.taken(swapped, begun);
        }
        match self.swap(&live, &spec).await {
            Ok(_) => {
                if std::mem::take(&mut self.uncertain) {
                    self.term += 1;
                }
                Ok(Some(self.ours(begun)))
            }
            Err(error) if error.is_conflict() || error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What came of a write by which this program would come by the lease.
    fn taken(
        &mut self,
        outcome: Result<Object, ClusterError>,
        begun: Instant,
    ) -> Result<Option<LeaseHolder>, ClusterError> {
        match outcome {
            Ok(_) => {
                self.uncertain = false;
                self.term += 1;
                Ok(Some(self.ours(begun)))
            }
            Err(error) => {
                // It may have been carried out all the same.
                self.uncertain = true;
                if error.is_conflict() || error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }

    fn ours(&self, begun: Instant) -> LeaseHolder {
        LeaseHolder::Us(Tenure {
            until: begun + self.length,
            term: self.term,
        })
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

    async fn create(&self) -> Result<Object, ClusterError> {
        let now = self.now();
        let object = Object {
            key: self.key.clone(),
            version: lease_kind().version,
            value: json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self.key.name, "namespace": self.key.namespace},
                "spec": {
                    "holderIdentity": self.identity,
                    "leaseDurationSeconds": self.length.as_secs(),
                    "acquireTime": now,
                    "renewTime": now,
                },
            })
            .into(),
            depth: Depth::Full,
            origin: Origin::Live,
            unknown: UnknownParts::default(),
        };
        let options = ApplyOptions {
            dry_run: false,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: self.cluster.timeout(),
        };
        let applied = self.cluster.apply(&lease_kind(), &object, &options).await;
        applied.map(|applied| applied.object)
    }

    /// The wall clock, for people.
    fn now(&self) -> String {
        let now = self.cluster.host().now();
        now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }
}

fn lease_kind() -> ResourceKind {
    ResourceKind::v1("coordination.k8s.io", "Lease", "leases", true)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::Method;

    use super::*;
    use crate::mock::{Answer, cluster, status};

    /// A server with one lease, which compares versions. While `lost` is more than nothing, so many
    /// answers to writes get lost after their effect.
    fn server(lost: &Arc<Mutex<u32>>) -> Cluster {
        raced(lost, &Arc::default())
    }

    /// The same, where somebody else writes behind the next read, before who has read comes to write.
    fn raced(lost: &Arc<Mutex<u32>>, faster: &Arc<Mutex<Option<&'static str>>>) -> Cluster {
        let stored: Arc<Mutex<Option<(u64, Value)>>> = Arc::default();
        let (lost, faster) = (Arc::clone(lost), Arc::clone(faster));
        cluster(move |seen| {
            let mut stored = stored.lock().unwrap();
            let read = stored.clone();
            let other = faster
                .lock()
                .unwrap()
                .take_if(|_| seen.method == Method::GET);
            if let Some(other) = other {
                let version = read.as_ref().map_or(10, |(version, _)| version + 1);
                let spec = json!({"holderIdentity": other, "leaseDurationSeconds": 15});
                *stored = Some((version, spec));
            }
            let spec = seen.body["spec"].clone();
            let next = match (&seen.method, &*stored) {
                (&Method::GET, _) if read.is_none() => {
                    return status(404, "NotFound", "no", json!({"name": "edge"}));
                }
                (&Method::GET, None) => None,
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
                let mut lost = lost.lock().unwrap();
                if *lost > 0 {
                    *lost -= 1;
                    return Answer::Broken;
                }
            }
            let answer = if seen.method == Method::GET {
                read
            } else {
                stored.clone()
            };
            let (version, spec) = answer.unwrap();
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
        let cluster = server(&Arc::default());
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

    /// What was read is not what is there when it is written: of two that find nobody, one holds it.
    #[tokio::test(start_paused = true)]
    async fn who_was_slower_between_reading_and_writing_does_not_hold_it() {
        let faster = Arc::default();
        let cluster = raced(&Arc::default(), &faster);
        let (mut one, mut two) = (lease(&cluster, "one"), lease(&cluster, "two"));
        let other = |name: &str| LeaseHolder::Other(name.to_owned());
        // Nobody had it yet.
        *faster.lock().unwrap() = Some("faster");
        assert_eq!(one.attempt().await.unwrap(), other("faster"));
        assert_eq!(two.attempt().await.unwrap(), other("faster"));
        tokio::time::sleep(Duration::from_secs(16)).await;
        // Its time is over.
        *faster.lock().unwrap() = Some("again");
        assert_eq!(one.attempt().await.unwrap(), other("again"));
        assert_eq!(two.attempt().await.unwrap(), other("again"));
        // Nobody has renewed: the one that holds it loses it between.
        tokio::time::sleep(Duration::from_secs(16)).await;
        assert!(holds(&mut two).await);
        *faster.lock().unwrap() = Some("last");
        assert_eq!(two.attempt().await.unwrap(), other("last"));
    }

    async fn term(lease: &mut Lease) -> Option<u64> {
        match lease.attempt().await {
            Ok(LeaseHolder::Us(tenure)) => Some(tenure.term),
            _ => None,
        }
    }

    /// Who writes has to know whether anybody else may have written between.
    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_anothers_between_is_another_term() {
        let cluster = server(&Arc::default());
        let (mut one, mut two) = (lease(&cluster, "one"), lease(&cluster, "two"));
        assert_eq!(term(&mut one).await, Some(1));
        // Late, but nobody has taken it.
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(term(&mut one).await, Some(1));
        assert_eq!(term(&mut two).await, None);
        tokio::time::sleep(Duration::from_secs(16)).await;
        assert_eq!(term(&mut two).await, Some(1));
        two.release().await.unwrap();
        assert_eq!(term(&mut one).await, Some(2));
    }

    /// An answer that got lost is no sign of somebody else.
    #[tokio::test(start_paused = true)]
    async fn a_renewal_whose_answer_was_lost_is_ones_own() {
        let lost = Arc::default();
        let cluster = server(&lost);
        let mut one = lease(&cluster, "one");
        // Of the first write, which takes it.
        *lost.lock().unwrap() = 1;
        let first = one.attempt().await;
        let taken = match first {
            Ok(LeaseHolder::Us(tenure)) => tenure.term,
            Ok(LeaseHolder::Other(other)) => panic!("it is said to be {other}'s"),
            Err(_) => term(&mut one).await.unwrap(),
        };
        assert_eq!(taken, 1);
        // Of a renewal.
        *lost.lock().unwrap() = 1;
        assert!(!matches!(one.attempt().await, Ok(LeaseHolder::Other(_))));
        assert_eq!(term(&mut one).await, Some(1));
    }
}
