//! Removes a wave of objects, and takes what is gone out of the claim.

use std::{sync::Arc, time::Duration};

use underpin_cluster::claims::ClaimStore;
use underpin_model::{ClaimIndex, GroupKind, LogicalKey, Step, World};
use underpin_refs::defined_kind;

use crate::{
    Deployment, Observer, Planned, StepResult, Summary,
    closing::Ended,
    count::NamespaceRemoval,
    definition::{self, Instances},
    kinds::Kinds,
    namespace, record, remove,
    tools::Tools,
    waves,
};

/// What removals need besides the shared tools.
pub(crate) struct Removal {
    namespaces: Option<NamespaceRemoval>,
    store: ClaimStore,
    world: Arc<World>,
    kinds: Kinds,
    patience: Duration,
}

impl Removal {
    pub(crate) fn new(deployment: &Deployment, planned: &Planned) -> Self {
        let patience = if deployment.settings.wait {
            deployment.settings.wait_timeout
        } else {
            Duration::ZERO
        };
        let kind = planned.kinds.get(&GroupKind::core("Namespace")).cloned();
        let world = Arc::new(planned.world.clone());
        let claims = Arc::new(ClaimIndex::of(&world.claims));
        let namespaces = kind.map(|kind| NamespaceRemoval {
            store: deployment.store.clone(),
            world: Arc::clone(&world),
            claims,
            kind,
            patience,
        });
        Self {
            namespaces,
            store: deployment.store.clone(),
            world,
            kinds: planned.kinds.clone(),
            patience,
        }
    }
}

/// Removes one wave's objects and takes what is gone out of the claim.
pub(crate) async fn remove_wave(
    tools: &Tools,
    removal: &Removal,
    wave: &[&Step],
    summary: &mut Summary,
    observer: &dyn Observer,
) -> Result<(), Ended> {
    let perform = |step: Step| {
        let (tools, patience) = (tools.clone(), removal.patience);
        let kind = removal.kinds.get(&step.key.kind).cloned();
        let namespaces = removal.namespaces.clone();
        let defined = step.before.as_ref().and_then(defined_kind);
        let instances = defined.map(|kind| Instances {
            resource: removal.kinds.get(&kind).cloned(),
            kind,
            store: removal.store.clone(),
            world: Arc::clone(&removal.world),
        });
        async move {
            if let (Some(kind), Some(instances)) = (&kind, instances) {
                return definition::delete_step(tools, kind.clone(), instances, step, patience)
                    .await;
            }
            match (step.key.is_namespace(), kind, namespaces) {
                (true, _, Some(namespaces)) => {
                    namespace::delete_step(tools, namespaces, step).await
                }
                (false, Some(kind), _) => remove::delete_step(tools, kind, step, patience).await,
                _ => {
                    let why = "the cluster no longer serves its kind".to_owned();
                    Ok((StepResult::Failed(why), None))
                }
            }
        }
    };
    let ended = waves::run_wave(wave, &mut summary.results, observer, perform).await;
    let gone = ended.outputs.into_iter().map(|gone| gone.step.logical);
    let gone: Vec<LogicalKey> = gone.collect();
    if !gone.is_empty() {
        tools
            .guard
            .update(|claim| record::removed(claim, &gone))
            .await?;
    }
    match ended.stopped {
        Some(reason) => Err(reason.into()),
        None => Ok(()),
    }
}
