//! Server-side apply.

use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    conflict::{Conflict, conflict_message},
    entry::{ManagedFields, ManagedFieldsError, ManagerEntry, Operation},
    last_applied,
    object::{api_version, set_managed_fields, stripped, without_managed_fields},
    update::{Writer, track},
};
use crate::{
    FieldSet,
    schema::KindSchema,
    typed::{
        TypeError, compare, describe, ensure_named, fields_unchecked, merge_into, reconcile,
        remove_from, remove_to_null, validate, validate_live,
    },
    value,
};

/// The owner of what an object held before its first apply.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// One apply.
#[derive(Clone, Copy, Debug)]
pub struct ApplyRequest<'a> {
    /// What is applied: the whole intent of the manager.
    pub config: &'a Value,
    /// Who applies.
    pub manager: &'a str,
    /// Whether to take over what others own, instead of failing.
    pub force: bool,
    /// The subresource applied through; empty for the object itself.
    pub subresource: &'a str,
    /// The time, RFC 3339 to the second.
    pub now: &'a str,
}

/// Why an apply is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// It would change what other managers own. In the server's order; displayed as its Status.
    #[error("{}", conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration or the live object does not fit the schema.
    #[error("{}", describe(.0))]
    Type(Vec<TypeError>),
    /// The live `managedFields` cannot be read, or the configuration holds some.
    #[error(transparent)]
    ManagedFields(ManagedFieldsError),
}

/// The live object with the configuration applied to it, `managedFields` included.
///
/// What the manager applied before and does not now is removed, unless another manager owns it
/// too. An apply that changes nothing keeps the times of the entries.
pub fn apply(
    live: Option<&Value>,
    request: ApplyRequest<'_>,
    schema: &KindSchema,
) -> Result<Value, ApplyError> {
    apply_resetting(live, request, schema, &FieldSet::new())
}

/// [`apply`] through an endpoint that takes back changes to some fields: nobody comes to own
/// them, nor what is below.
pub fn apply_resetting(
    live: Option<&Value>,
    request: ApplyRequest<'_>,
    schema: &KindSchema,
    reset: &FieldSet,
) -> Result<Value, ApplyError> {
    let mut applying = Applying::prepare(live, request, schema, reset)?;
    let (mut object, changes) = applying.merged();
    let conflicts = applying.conflicts(changes.as_ref());
    if !request.force && !conflicts.is_empty() {
        // None are left if all stem from the client-side apply that this one succeeds.
        let left = last_applied::left_over(&applying.live, request.manager, conflicts, schema);
        if !left.is_empty() {
            return Err(ApplyError::Conflicts(left));
        }
    }
    let managed = applying.managed(changes.as_ref());
    last_applied::refresh(&mut object, request.manager, request.config);
    set_managed_fields(&mut object, &managed).map_err(ApplyError::ManagedFields)?;
    Ok(object)
}

struct Applying<'a> {
    /// Without `managedFields`.
    live: Value,
    config: &'a Value,
    /// The entries of all others.
    others: ManagedFields,
    /// The manager's entry before.
    last: Option<ManagerEntry>,
    /// The manager's entry, with everything that it applies.
    own: ManagerEntry,
    schema: &'a KindSchema,
    reset: &'a FieldSet,
}

/// What an apply changes.
struct Changes {
    /// Added and modified.
    set: FieldSet,
    removed: FieldSet,
}

impl<'a> Applying<'a> {
    fn prepare(
        live: Option<&Value>,
        request: ApplyRequest<'a>,
        schema: &'a KindSchema,
        reset: &'a FieldSet,
    ) -> Result<Self, ApplyError> {
        let config = request.config;
        let version = api_version(config).map_err(ApplyError::ManagedFields)?;
        if config
            .pointer("/metadata/managedFields")
            .is_some_and(|entries| !entries.is_null())
        {
            let error = ManagedFieldsError::InConfiguration;
            return Err(ApplyError::ManagedFields(error));
        }
        validate(config, schema).map_err(ApplyError::Type)?;
        let managed = live.map_or_else(|| Ok(ManagedFields::default()), ManagedFields::of_object);
        let mut managed = managed.map_err(ApplyError::ManagedFields)?;
        let writer = Writer {
            manager: request.manager,
            subresource: request.subresource,
            now: request.now,
            reset,
        };
        let before = match live {
            Some(live) => {
                let before = without_managed_fields(live);
                validate_live(&before, schema).map_err(ApplyError::Type)?;
                if managed.0.is_empty() {
                    let writer = Writer {
                        manager: BEFORE_FIRST_APPLY,
                        ..writer
                    };
                    let nothing = Value::Object(Map::new());
                    managed = track(&nothing, &before, managed, &writer, version, schema);
                }
                before
            }
            None => Value::Object(Map::new()),
        };
        for entry in &mut managed.0 {
            reconcile(&mut entry.fields, schema);
        }
        let mut own = writer.entry(Operation::Apply, version);
        own.fields = fields_unchecked(config, schema);
        if !reset.is_empty() {
            own.fields = own.fields.recursive_difference(reset);
        }
        let last = managed.take(&own);
        Ok(Self {
            live: before,
            config,
            others: managed,
            last,
            own,
            schema,
            reset,
        })
    }

    /// The object as it becomes, and how it differs from the live one; `None` if it does not.
    fn merged(&mut self) -> (Value, Option<Changes>) {
        let mut object = self.live.clone();
        merge_into(&mut object, self.config, self.schema);
        self.prune(&mut object);
        if value::equal(&object, &self.live) {
            // As it is stored, down to the form of its numbers.
            return (std::mem::take(&mut self.live), None);
        }
        let changes = compare(&self.live, &object, self.schema);
        let changes = Changes {
            set: changes.set().recursive_difference(self.reset),
            removed: changes.removed.recursive_difference(self.reset),
        };
        (object, Some(changes))
    }

    /// The others' fields that would change, in the server's order.
    fn conflicts(&self, changes: Option<&Changes>) -> Vec<Conflict> {
        let Some(changes) = changes else {
            return Vec::new();
        };
        let mut conflicts: Vec<_> = self
            .others
            .0
            .iter()
            .map(|entry| (entry, entry.fields.intersection(&changes.set)))
            .filter(|(_, taken)| !taken.is_empty())
            .map(|(entry, taken)| (entry.identifier(), Conflict::with(entry, &taken)))
            .collect();
        conflicts.sort_by(|left, right| left.0.cmp(&right.0));
        conflicts
            .into_iter()
            .flat_map(|(_, conflicts)| conflicts)
            .collect()
    }

    /// All entries afterwards: the others' without what the apply takes over or removes.
    fn managed(self, changes: Option<&Changes>) -> ManagedFields {
        let mut managed = self.others;
        for entry in &mut managed.0 {
            if let Some(changes) = changes {
                entry.fields.subtract(&changes.set);
                entry.fields.subtract(&changes.removed);
            }
        }
        let mut own = self.own;
        own.fields = stripped(own.fields);
        // A manager that only joins the owners gets a time, which recent servers forget.
        if let (None, Some(last)) = (changes, self.last) {
            own.time = last.time;
        }
        managed.0.push(own);
        managed.0.retain(|entry| !entry.fields.is_empty());
        managed
    }

    /// Removes what the manager applied before and does not now, unless somebody else owns it,
    /// or something in it that the manager never applied.
    fn prune(&self, object: &mut Value) {
        let Some(last) = &self.last else {
            return;
        };
        // Nothing was given up: there is nothing to remove.
        if last.fields.is_subset(&self.own.fields) {
            return;
        }
        prune(object, &last.fields, &self.managed_by_anyone(), self.schema);
    }

    fn managed_by_anyone(&self) -> FieldSet {
        let mut managed = self.own.fields.clone();
        for entry in &self.others.0 {
            managed.extend(&entry.fields);
        }
        managed
    }
}

/// In three steps, as KEP-555 describes them: remove all that was applied before, bring back
/// what anybody manages, bring back what was never the manager's.
fn prune(object: &mut Value, last: &FieldSet, managed: &FieldSet, schema: &KindSchema) {
    let named = |set: &FieldSet| ensure_named(set, schema);
    let fields = |value: &Value| named(&fields_unchecked(value, schema));
    let last = named(last);
    let all = fields(object);
    let mut kept = fields(&remove_to_null(object, &last, schema));
    kept.extend(&named(managed));
    let kept = fields(&remove_to_null(object, &all.difference(&kept), schema));
    let given_up = all.difference(&kept).intersection(&last);
    remove_from(object, &given_up, managed, schema);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn config() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(1)), Just(json!({})), Just(json!([1, 2]))];
        let inner = leaf.prop_recursive(3, 12, 3, |inner| {
            prop::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| json!(map))
        });
        prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| json!(map))
    }

    proptest! {
        /// The short way out of pruning is no other way: where nothing was given up, the long
        /// way removes nothing.
        #[test]
        fn nothing_is_pruned_where_nothing_was_given_up(
            live in config(), config in config(), other in config(),
        ) {
            let schema = KindSchema::deduced();
            let mut object = live;
            merge_into(&mut object, &config, &schema);
            let own = fields_unchecked(&config, &schema);
            let mut managed = own.clone();
            managed.extend(&fields_unchecked(&other, &schema));
            let mut pruned = object.clone();
            prune(&mut pruned, &own, &managed, &schema);
            prop_assert_eq!(pruned, object);
        }
    }
}
