//! Custom resources: served as long as their definition is established.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_fieldset::schema::{self, KindSchema};
use underpin_model::GroupKind;

use super::{
    conditions::{Condition, holds, set_condition},
    delete::set_finalizers,
};
use crate::{
    Kind, State,
    kind::{Kinds, Scale},
    object,
    state::Change,
};

/// Finalizer of a definition whose instances are still to be deleted.
pub(crate) const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The definition as the first deletion leaves it. Unlike other objects it gets no grace period.
pub(super) fn mark(current: &Value, now: Timestamp) -> Value {
    let mut marked = current.clone();
    let mut finalizers: Vec<String> = object::finalizers(current).map(str::to_owned).collect();
    if !finalizers.iter().any(|one| one == CLEANUP_FINALIZER) {
        finalizers.push(CLEANUP_FINALIZER.to_owned());
    }
    set_finalizers(&mut marked, &finalizers);
    if let Some(metadata) = object::metadata(&mut marked) {
        metadata.insert("deletionTimestamp".to_owned(), json!(object::seconds(now)));
    }
    let terminating = Condition::new(
        "Terminating",
        true,
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    );
    set_condition(&mut marked, &terminating, now);
    marked
}

/// The kind whose instances a definition describes.
pub(crate) fn defined_kind(definition: &Value) -> GroupKind {
    GroupKind::new(
        object::text(definition, "/spec/group"),
        object::text(definition, "/spec/names/kind"),
    )
}

/// Serves what an established definition defines, and stops when the definition is gone.
pub(super) fn observe(state: &mut State, change: &Change) {
    if !change
        .kind
        .is("apiextensions.k8s.io", "CustomResourceDefinition")
    {
        return;
    }
    let definition = &change.object;
    let group = object::text(definition, "/spec/group");
    let plural = object::text(definition, "/spec/names/plural");
    let old: Vec<Arc<Kind>> = state
        .kinds
        .all()
        .filter(|kind| kind.kind.group == group && kind.plural == plural)
        .cloned()
        .collect();
    if old.iter().any(|kind| kind.definition.is_none()) {
        // A built-in resource of the same name stays what it is.
        return;
    }
    if change.deleted {
        state.kinds.remove(group, plural);
        return;
    }
    if !holds(definition, "Established") {
        return;
    }
    let unchanged = change
        .before
        .as_ref()
        .is_some_and(|before| before.get("spec") == definition.get("spec"));
    state.kinds.remove(group, plural);
    let versions = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array);
    let yes = |version: &Value, field: &str| version.get(field) == Some(&Value::Bool(true));
    let mut served: Vec<&Value> = versions
        .into_iter()
        .flatten()
        .filter(|version| yes(version, "served"))
        .collect();
    // The stored version last: it is the one that stands for the kind.
    served.sort_by_key(|version| yes(version, "storage"));
    for version in served {
        let known = old
            .iter()
            .find(|kind| unchanged && kind.version == object::text(version, "/name"));
        let schema = known.map(|kind| kind.schema.clone());
        register(&mut state.kinds, definition, version, schema);
    }
}

fn register(
    kinds: &mut Kinds,
    definition: &Arc<Value>,
    version: &Value,
    schema: Option<KindSchema>,
) {
    let name = object::text(version, "/name");
    // A definition that the server took but whose schema nothing can be made of merges by value.
    let schema = schema.unwrap_or_else(|| {
        schema::crd::of_definition(definition, name).unwrap_or_else(|_| KindSchema::deduced())
    });
    let names = |field: &str| -> Vec<String> {
        definition
            .pointer(&format!("/status/acceptedNames/{field}"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    kinds.insert(Kind {
        kind: defined_kind(definition),
        version: name.to_owned(),
        plural: object::text(definition, "/spec/names/plural").to_owned(),
        singular: object::text(definition, "/status/acceptedNames/singular").to_owned(),
        short_names: names("shortNames"),
        categories: names("categories"),
        namespaced: object::text(definition, "/spec/scope") == "Namespaced",
        has_status: version.pointer("/subresources/status").is_some(),
        scale: version.pointer("/subresources/scale").map(scale),
        is_review: false,
        schema,
        definition: Some(definition.clone()),
    });
}

fn scale(subresource: &Value) -> Scale {
    // Paths of plain names, such as `.spec.replicas`: the server takes no others.
    let pointer = |field: &str| object::text(subresource, field).replace('.', "/");
    let selector = pointer("/labelSelectorPath");
    Scale {
        spec_replicas: pointer("/specReplicasPath"),
        status_replicas: pointer("/statusReplicasPath"),
        selector: (!selector.is_empty()).then_some(selector),
    }
}
