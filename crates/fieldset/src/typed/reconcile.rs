//! Field sets that were written under an older schema.

use super::{fields::child_type, shape::is_deduced};
use crate::{
    schema::{KindSchema, ListRelation, Schema, Type},
    set::FieldSet,
};

/// Makes what has become atomic since owned as one. What was atomic and is granular now is left
/// as it is, as the server does.
pub(crate) fn reconcile(set: &mut FieldSet, schema: &KindSchema) {
    below(set, &schema.schema, &schema.root);
}

fn below(set: &mut FieldSet, schema: &Schema, value_type: &Type) {
    if is_deduced(schema, value_type) {
        return;
    }
    for (element, node) in set.nodes_mut() {
        if node.children.is_empty() {
            continue;
        }
        let (_, child) = child_type(schema, value_type, element);
        let atomic = match schema.resolve(child) {
            Type::Map(map) => map.atomic,
            Type::List(list) => list.relation == ListRelation::Atomic,
            _ => false,
        };
        if atomic {
            node.member = true;
            node.children = FieldSet::new();
        } else {
            below(&mut node.children, schema, child);
        }
    }
}
