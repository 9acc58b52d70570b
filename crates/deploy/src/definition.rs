//! Deletes a CustomResourceDefinition: counted once more, since every object of its kind goes
//! along, wherever it lives.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use underpin_cluster::claims::ClaimStore;
use underpin_model::{Claim, GroupKind, Object, ObjectKey, ResourceKind, Step, World};

use crate::{StepResult, StopReason, remove, tools::Tools, waves::StepEnd};

/// Names of objects that are listed before the rest is only counted.
const NAMED: usize = 3;

/// The objects of a definition's kind, and where to look for them.
pub(crate) struct Instances {
    pub(crate) kind: GroupKind,
    /// As the cluster served it when the plan was made.
    pub(crate) resource: Option<ResourceKind>,
    pub(crate) store: ClaimStore,
    /// The world that the plan was judged in.
    pub(crate) world: Arc<World>,
}

/// Carries out one delete step on a CustomResourceDefinition. What was there or recorded when the
/// plan was judged has been judged; whatever came later keeps the definition.
pub(crate) async fn delete_step(
    tools: Tools,
    kind: ResourceKind,
    instances: Instances,
    step: Step,
    patience: Duration,
) -> StepEnd<()> {
    let new = match instances.unjudged(&tools).await? {
        Ok(new) => new,
        Err(why) => {
            let why = format!("whether there are new objects of its kind: {why}");
            return Ok((StepResult::Failed(why), None));
        }
    };
    if new.is_empty() {
        return remove::delete_step(tools, kind, step, patience).await;
    }
    let names = new.iter().take(NAMED).map(ObjectKey::to_string);
    let names = names.collect::<Vec<_>>().join(", ");
    let more = match new.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let why = format!(
        "made or planned meanwhile, and would be deleted with it: {names}{more}; run again to see \
         it planned"
    );
    Ok((StepResult::Kept(why), None))
}

impl Instances {
    /// Objects that were not there, and not recorded by others, when the plan was judged. The
    /// claims are read first: who records an object makes it afterwards.
    async fn unjudged(
        &self,
        tools: &Tools,
    ) -> Result<Result<BTreeSet<ObjectKey>, String>, StopReason> {
        let Some(resource) = &self.resource else {
            let kind = &self.kind;
            return Ok(Err(format!("the cluster serves no {kind} to count")));
        };
        let (claims, unread) = match self.store.with_timeout(tools.time()?).load_all().await {
            Ok(read) => read,
            Err(error) => return Ok(Err(format!("the claims could not be read: {error}"))),
        };
        if let Some(unread) = unread.first() {
            return Ok(Err(format!("a claim could not be read: {unread}")));
        }
        let listed = match tools.timed()?.list_metadata(resource, None).await {
            Ok(listed) => listed,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let known = |object: &Object| {
            let before = self.world.get(&object.key).and_then(Object::uid);
            before.is_some() && before == object.uid()
        };
        let recorded_before = self.recorded(&self.world.claims, tools);
        let mut new = self.recorded(&claims, tools);
        new.retain(|key| !recorded_before.contains(key));
        let made = listed.into_iter().filter(|object| !known(object));
        new.extend(made.map(|object| object.key));
        Ok(Ok(new))
    }

    /// What claims other than our own record of the kind.
    fn recorded(&self, claims: &[Claim], tools: &Tools) -> BTreeSet<ObjectKey> {
        let others = claims.iter().filter(|claim| claim.id != tools.claim);
        let entries = others.flat_map(|claim| claim.entries.values());
        entries
            .filter(|entry| entry.key.kind == self.kind)
            .map(|entry| entry.key.clone())
            .collect()
    }
}
