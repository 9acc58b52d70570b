//! From updates to apply, for tools that change over.

use serde_json::Value;

use super::{
    entry::{ManagedFields, ManagedFieldsError, ManagerEntry, Operation},
    object::set_managed_fields,
};

/// Makes the Update entries of some managers part of a manager's Apply entry, so that what they
/// set and it does not apply is removed by its next apply.
///
/// Without an Apply entry, the first Update entry that is found becomes it. Only an entry of the
/// Apply entry's version is merged; the others of these managers go. Entries of subresources
/// stay.
///
/// Source: client-go's `csaupgrade`.
pub fn migrate(
    mut value: Value,
    from: &[&str],
    to_apply_manager: &str,
) -> Result<Value, ManagedFieldsError> {
    let mut managed = ManagedFields::of_object(&value)?;
    for from in from {
        migrate_one(&mut managed.0, from, to_apply_manager);
    }
    set_managed_fields(&mut value, &managed)?;
    Ok(value)
}

fn migrate_one(entries: &mut Vec<ManagerEntry>, from: &str, to: &str) {
    let is_target = |entry: &ManagerEntry| {
        entry.manager == to && entry.operation == Operation::Apply && entry.subresource.is_empty()
    };
    let is_source = |entry: &ManagerEntry| {
        entry.manager == from
            && entry.operation == Operation::Update
            && entry.subresource.is_empty()
    };
    let mut target = match entries.iter().position(is_target) {
        Some(place) => entries.remove(place),
        None => match entries.iter().position(is_source) {
            Some(place) => ManagerEntry {
                manager: to.to_owned(),
                operation: Operation::Apply,
                ..entries.remove(place)
            },
            None => return,
        },
    };
    let same_version =
        |entry: &&ManagerEntry| is_source(entry) && entry.api_version == target.api_version;
    if let Some(source) = entries.iter().find(same_version) {
        target.fields.extend(&source.fields);
    }
    entries.retain(|entry| !is_source(entry));
    entries.push(target);
}
