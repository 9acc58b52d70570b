//! Deletes a CustomResourceDefinition: counted once more, since every object of its kind goes
//! along, wherever it lives.

use std::{sync::Arc, time::Duration};

use underpin_model::{Object, ResourceKind, Step, World};

use crate::{StepResult, remove, tools::Tools, waves::StepEnd};

/// Names of objects that are listed before the rest is only counted.
const NAMED: usize = 3;

/// Carries out one delete step on a CustomResourceDefinition of objects of kind `instances`. What
/// was there when the plan was judged has been judged; whatever came later keeps the definition.
pub(crate) async fn delete_step(
    tools: Tools,
    kind: ResourceKind,
    instances: ResourceKind,
    world: Arc<World>,
    step: Step,
    patience: Duration,
) -> StepEnd<()> {
    let listed = match tools.timed()?.list_metadata(&instances, None).await {
        Ok(listed) => listed,
        Err(error) => {
            let why = format!("whether there are new objects of its kind: {error}");
            return Ok((StepResult::Failed(why), None));
        }
    };
    let known = |object: &Object| {
        let before = world.get(&object.key).and_then(Object::uid);
        before.is_some() && before == object.uid()
    };
    let new: Vec<String> = listed
        .iter()
        .filter(|object| !known(object))
        .map(|object| object.key.to_string())
        .collect();
    if new.is_empty() {
        return remove::delete_step(tools, kind, step, patience).await;
    }
    let names = new.iter().take(NAMED).cloned().collect::<Vec<_>>();
    let more = match new.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let why = format!(
        "made meanwhile, and would be deleted with it: {}{more}; run again to see it planned",
        names.join(", ")
    );
    Ok((StepResult::Kept(why), None))
}
