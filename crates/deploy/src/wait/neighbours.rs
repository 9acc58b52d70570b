//! The pods of a namespace, and the ReplicaSets between them and Deployments.

use std::collections::BTreeMap;

use underpin_model::{Depth, GroupKind, Object};
use underpin_readiness::diagnosis::{Family, pod_trouble};

use super::look::Timed;
use crate::{StopReason, kinds::Kinds};

/// What one namespace holds of both.
#[derive(Default)]
pub(super) struct Neighbours {
    pub(super) replica_sets: Vec<Object>,
    pub(super) pods: Vec<Object>,
    /// What could not be read, and why.
    pub(super) unread: Vec<String>,
}

/// Neighbours by namespace, each read once.
pub(super) struct Neighbourhood<'a> {
    timed: Timed<'a>,
    kinds: &'a Kinds,
    known: BTreeMap<String, Neighbours>,
}

impl<'a> Neighbourhood<'a> {
    pub(super) fn new(timed: Timed<'a>, kinds: &'a Kinds) -> Self {
        Self {
            timed,
            kinds,
            known: BTreeMap::new(),
        }
    }

    /// What a namespace holds, read when it is asked for first.
    pub(super) async fn of(&mut self, namespace: &str) -> Result<&Neighbours, StopReason> {
        if !self.known.contains_key(namespace) {
            let mut found = Neighbours::default();
            let sets = GroupKind::new("apps", "ReplicaSet");
            found.replica_sets = self.list(&sets, namespace, &mut found.unread).await?;
            let pods = GroupKind::core("Pod");
            found.pods = self.list(&pods, namespace, &mut found.unread).await?;
            self.known.insert(namespace.to_owned(), found);
        }
        Ok(self.known.entry(namespace.to_owned()).or_default())
    }

    async fn list(
        &self,
        kind: &GroupKind,
        namespace: &str,
        unread: &mut Vec<String>,
    ) -> Result<Vec<Object>, StopReason> {
        let Some(served) = self.kinds.get(kind) else {
            unread.push(format!("the cluster serves no {kind}"));
            return Ok(Vec::new());
        };
        let listed = (self.timed)()?
            .list(served, Some(namespace), Depth::Full)
            .await;
        Ok(listed.unwrap_or_else(|error| {
            unread.push(error.to_string());
            Vec::new()
        }))
    }
}

impl Neighbours {
    /// What keeps the pods of an object from being ready, in a few words.
    pub(super) fn trouble(&self, object: &Object) -> Option<String> {
        let family = Family::of(object, &self.replica_sets, &self.pods);
        Some(pod_trouble(family.worst()?)?.cause)
    }
}
