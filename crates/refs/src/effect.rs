//! What a reference makes of the one who refers once its target is gone, and when it shows.

use underpin_model::{Reference, Relation};

use crate::pods::bears_pods;

/// What happens to the one who refers when the target goes.
///
/// Kubernetes resolves some references all the time and others when a pod starts: whoever runs
/// already does not notice that its Secret is gone, until it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It is deleted along with the target.
    Dies,
    /// It breaks at once: the reference is resolved all the time.
    AtOnce,
    /// It breaks when one of its pods is started next: the reference is resolved then.
    AtStart,
    /// It works on, and cannot be provisioned or renewed next time.
    AtRenewal,
    /// Nothing: it selects, guards or mentions the target and does not live by it.
    Nothing,
}

impl Effect {
    /// Whether the one who refers lives by the target in any way.
    pub fn is_need(self) -> bool {
        self != Self::Nothing
    }
}

/// What happens to the one who refers when the target of `reference` goes. How sure that is says
/// its strength.
pub fn effect(reference: &Reference) -> Effect {
    let from = &reference.from.kind;
    let starts_pods = bears_pods(from);
    match reference.relation {
        Relation::Contained | Relation::Owned | Relation::InstanceOf => Effect::Dies,
        // A Service has its endpoints, and an aggregated role its rules, from what they select.
        // Budgets, policies and monitors merely speak of it.
        Relation::Selects => {
            let lives_by_it =
                from.is("", "Service") || from.is("rbac.authorization.k8s.io", "ClusterRole");
            when(lives_by_it, Effect::AtOnce, Effect::Nothing)
        }
        // The secrets of a volume's driver are read when it is attached and mounted.
        Relation::Secret if from.is("", "PersistentVolume") => Effect::AtStart,
        Relation::ConfigMap | Relation::Secret | Relation::Class | Relation::Claim => {
            when(starts_pods, Effect::AtStart, Effect::AtOnce)
        }
        Relation::PullSecret | Relation::ServiceAccount => Effect::AtStart,
        // A volume keeps no tie to its claim that it would miss; the other way, a finalizer holds
        // the volume until no pod uses it.
        Relation::Volume => when(
            from.is("", "PersistentVolume"),
            Effect::Nothing,
            Effect::AtStart,
        ),
        Relation::StorageClass | Relation::Made => Effect::AtRenewal,
        Relation::Service
        | Relation::Upstream
        | Relation::Host
        | Relation::ScaleTarget
        | Relation::Role => Effect::AtOnce,
        Relation::Subject | Relation::NamespaceName => Effect::Nothing,
    }
}

fn when(condition: bool, then: Effect, otherwise: Effect) -> Effect {
    if condition { then } else { otherwise }
}
