//! What a revision applied, as it is kept, and the difference between two.

use std::collections::BTreeMap;

use serde_json::Value;
use underpin_model::{Action, Depth, FieldChange, KeepReason, Object, ObjectKey, Origin, names};

use crate::{
    Fingerprints, Plan,
    diff::{changes_as_shown, strip},
    redact::redacted,
};

/// What differs between what two revisions applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RevisionDiff {
    /// Objects of the second alone.
    pub added: Vec<ObjectKey>,
    /// Objects of the first alone.
    pub removed: Vec<ObjectKey>,
    /// Objects of both, with the fields that differ.
    pub changed: BTreeMap<ObjectKey, Vec<FieldChange>>,
    /// Objects of both that are the same.
    pub unchanged: usize,
}

impl RevisionDiff {
    /// Whether both applied the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Everything that a plan applies or finds as it would be applied, sorted, without secrets and
/// without what every run of an environment adds by itself.
pub fn applied_content(plan: &Plan, fingerprints: &Fingerprints) -> Vec<Value> {
    let ours = plan
        .steps
        .iter()
        .filter(|step| step.action.applies() || step.action == Action::Keep(KeepReason::Unchanged));
    let mut objects: Vec<(&ObjectKey, Value)> = ours
        .filter_map(|step| Some((&step.key, step.declared()?)))
        .map(|(key, declared)| {
            let mut value = redacted(&declared, fingerprints);
            strip(
                &mut value,
                &[names::STAMP_ANNOTATION, names::ENVIRONMENT_ANNOTATION],
            );
            (key, value)
        })
        .collect();
    objects.sort_by_key(|(key, _)| *key);
    objects.into_iter().map(|(_, value)| value).collect()
}

/// The difference between two contents. What is not an object is passed over: it was written by no
/// run.
pub fn revision_diff(before: &[Value], after: &[Value]) -> RevisionDiff {
    let (before, after) = (by_key(before), by_key(after));
    let mut diff = RevisionDiff::default();
    for (key, object) in &after {
        let Some(former) = before.get(key) else {
            diff.added.push(key.clone());
            continue;
        };
        let changes = changes_as_shown(former, object);
        if changes.is_empty() {
            diff.unchanged += 1;
        } else {
            diff.changed.insert(key.clone(), changes);
        }
    }
    let removed = before.into_keys().filter(|key| !after.contains_key(key));
    diff.removed.extend(removed);
    diff
}

fn by_key(objects: &[Value]) -> BTreeMap<ObjectKey, Object> {
    let origin = || Origin::Recorded("a revision".to_owned());
    objects
        .iter()
        .filter_map(|value| Object::from_value(value.clone(), Depth::Full, origin()))
        .map(|object| (object.key.clone(), object))
        .collect()
}
