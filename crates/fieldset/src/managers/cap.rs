//! The bound on the number of update managers.

use std::collections::BTreeMap;

use super::entry::{ManagedFields, ManagerEntry, Operation};
use crate::FieldSet;

/// Update entries that an object keeps apart.
const UPDATE_MANAGERS_LIMIT: usize = 10;
/// The name of the entry that the oldest are merged into, one per version.
const BUCKET: &str = "ancient-changes";

/// Merges the oldest update entries of a version into one until no more than ten are left, or
/// none of the same version.
pub(super) fn cap(managed: &mut ManagedFields) {
    let mut updates: Vec<(i64, String, ManagerEntry)> = managed
        .0
        .iter()
        .filter(|entry| entry.operation == Operation::Update)
        .map(|entry| (entry.seconds(), entry.identifier(), without_fields(entry)))
        .collect();
    if updates.len() <= UPDATE_MANAGERS_LIMIT {
        return;
    }
    updates.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
    let mut left = updates.len();
    let mut first_of_version: BTreeMap<String, ManagerEntry> = BTreeMap::new();
    for (_, _, entry) in updates {
        if left <= UPDATE_MANAGERS_LIMIT {
            return;
        }
        let Some(first) = first_of_version.get(&entry.api_version) else {
            first_of_version.insert(entry.api_version.clone(), entry);
            continue;
        };
        let bucket = ManagerEntry {
            manager: BUCKET.to_owned(),
            subresource: String::new(),
            ..entry.clone()
        };
        if bucket.is_same_manager(&entry) {
            continue;
        }
        let target = managed.take(&bucket).or_else(|| managed.take(first));
        let fields = |entry: Option<ManagerEntry>| entry.map(|entry| entry.fields);
        let mut merged = fields(target).unwrap_or_default();
        merged.extend(&fields(managed.take(&entry)).unwrap_or_default());
        // The entry's time is the later one, for they come by age.
        managed.0.push(ManagerEntry {
            fields: merged,
            ..bucket
        });
        left -= 1;
    }
}

fn without_fields(entry: &ManagerEntry) -> ManagerEntry {
    ManagerEntry {
        manager: entry.manager.clone(),
        operation: entry.operation,
        api_version: entry.api_version.clone(),
        time: entry.time.clone(),
        subresource: entry.subresource.clone(),
        fields: FieldSet::new(),
    }
}
