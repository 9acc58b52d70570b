//! Which pods belong to an object.

use std::collections::BTreeSet;

use underpin_model::Object;

use super::pod_trouble;

/// An object's newest ReplicaSet, if it makes any, and the pods of its newest revision.
#[derive(Debug, Default)]
pub struct Family<'o> {
    /// The newest ReplicaSet of a Deployment.
    pub replica_set: Option<&'o Object>,
    /// The pods, by name.
    pub pods: Vec<&'o Object>,
}

/// Annotation on a Deployment's ReplicaSets: which of them is the newest.
const REVISION: &str = "deployment.kubernetes.io/revision";

impl<'o> Family<'o> {
    /// The family of an object, through controllers, among what its namespace holds.
    pub fn of(
        object: &'o Object,
        replica_sets: impl IntoIterator<Item = &'o Object>,
        pods: impl IntoIterator<Item = &'o Object>,
    ) -> Self {
        if object.key.kind.is("", "Pod") {
            return Self {
                replica_set: None,
                pods: vec![object],
            };
        }
        let Some(uid) = object.uid() else {
            return Self::default();
        };
        let own: Vec<&Object> = replica_sets
            .into_iter()
            .filter(|set| is_controlled_by(set, uid))
            .collect();
        let newest = own.iter().copied().max_by_key(|set| {
            let revision = set.annotation(REVISION).and_then(|text| text.parse().ok());
            (revision.unwrap_or(0_i64), set.created(), &set.key.name)
        });
        let owners: BTreeSet<&str> = match newest {
            Some(set) => set.uid().into_iter().collect(),
            None => BTreeSet::from([uid]),
        };
        let mut pods: Vec<&Object> = pods
            .into_iter()
            .filter(|pod| !pod.is_terminating())
            .filter(|pod| owners.iter().any(|owner| is_controlled_by(pod, owner)))
            .collect();
        pods.sort_by(|a, b| a.key.name.cmp(&b.key.name));
        Self {
            replica_set: newest,
            pods,
        }
    }
}

impl<'o> Family<'o> {
    /// The pod that is worst off, the first of several.
    pub fn worst(&self) -> Option<&'o Object> {
        let troubled = self
            .pods
            .iter()
            .filter_map(|pod| Some((*pod, pod_trouble(pod)?)));
        let worst = troubled.reduce(|worst, next| {
            if next.1.is_more_telling_than(&worst.1) {
                next
            } else {
                worst
            }
        });
        worst.map(|(pod, _)| pod)
    }
}

fn is_controlled_by(object: &Object, uid: &str) -> bool {
    let owners = object.owner_references();
    owners
        .iter()
        .any(|owner| owner.controller && owner.uid == uid)
}
