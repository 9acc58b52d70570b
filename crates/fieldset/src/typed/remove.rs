//! Taking fields out of a value, or leaving only them.

use serde_json::{Map, Value};

use super::shape::{ListShape, MapShape, Shape};
use crate::{
    path::PathElement,
    schema::{KindSchema, Schema, Type},
    set::FieldSet,
};

/// The value without the members of a set. What loses all its parts goes too; an empty root is
/// an empty object.
pub fn remove(value: &Value, fields: &FieldSet, schema: &KindSchema) -> Value {
    let mut value = value.clone();
    remove_from(&mut value, fields, &FieldSet::new(), schema);
    value
}

/// [`remove`] in place. What loses all its parts stays, empty, if it is a member of `owned`.
pub(crate) fn remove_from(
    value: &mut Value,
    fields: &FieldSet,
    owned: &FieldSet,
    schema: &KindSchema,
) {
    remove_in_place(value, fields, owned, schema, Emptied::Goes);
}

/// [`remove`] for a value that is only looked at: what loses all its parts is null, and so still
/// seen to be there.
pub(crate) fn remove_to_null(value: &Value, fields: &FieldSet, schema: &KindSchema) -> Value {
    let mut value = value.clone();
    remove_in_place(
        &mut value,
        fields,
        &FieldSet::new(),
        schema,
        Emptied::IsNull,
    );
    value
}

/// What becomes of a field that loses all its parts.
#[derive(Clone, Copy, PartialEq)]
enum Emptied {
    Goes,
    IsNull,
}

fn remove_in_place(
    value: &mut Value,
    fields: &FieldSet,
    owned: &FieldSet,
    schema: &KindSchema,
    emptied: Emptied,
) {
    let removing = Removing {
        schema: &schema.schema,
        emptied,
        nothing: &FieldSet::new(),
    };
    if !fields.is_empty() && removing.take_out(value, fields, owned, &schema.root) {
        *value = Value::Object(Map::new());
    }
}

struct Removing<'s> {
    schema: &'s Schema,
    emptied: Emptied,
    nothing: &'s FieldSet,
}

impl<'s> Removing<'s> {
    /// Whether it has lost all its parts.
    fn take_out(
        &self,
        value: &mut Value,
        fields: &FieldSet,
        owned: &FieldSet,
        value_type: &'s Type,
    ) -> bool {
        match Shape::of(self.schema, value_type, Some(value)) {
            Shape::Scalar(_) => false,
            // Members below something atomic are of another schema: it goes as a whole.
            Shape::Map(shape) if shape.is_atomic() => value.is_object(),
            Shape::List(shape) if shape.is_atomic() => value.is_array(),
            Shape::Map(shape) => match value {
                Value::Object(map) => self.take_out_of_map(map, fields, owned, shape),
                _ => false,
            },
            Shape::List(shape) => match value {
                Value::Array(items) => self.take_out_of_list(items, fields, owned, shape),
                _ => false,
            },
        }
    }

    fn take_out_of_map(
        &self,
        map: &mut Map<String, Value>,
        fields: &FieldSet,
        owned: &FieldSet,
        shape: MapShape<'s>,
    ) -> bool {
        let was_empty = map.is_empty();
        for (element, node) in fields.nodes() {
            let PathElement::Field(name) = element else {
                continue;
            };
            if node.member {
                map.remove(name);
                continue;
            }
            let Some(value) = map.get_mut(name) else {
                continue;
            };
            let owner = owned.node(element);
            let owned = owner.map_or(self.nothing, |owner| &owner.children);
            let child = shape.child(name).value;
            if !self.take_out(value, &node.children, owned, child) {
                continue;
            }
            match self.emptied {
                Emptied::Goes if owner.is_some_and(|owner| owner.member) => {}
                Emptied::Goes => {
                    map.remove(name);
                }
                Emptied::IsNull => *value = Value::Null,
            }
        }
        map.is_empty() && !was_empty
    }

    fn take_out_of_list(
        &self,
        items: &mut Vec<Value>,
        fields: &FieldSet,
        owned: &FieldSet,
        shape: ListShape<'s>,
    ) -> bool {
        let was_empty = items.is_empty();
        items.retain_mut(|item| {
            let Ok(element) = shape.element(self.schema, item) else {
                return true;
            };
            let Some(node) = fields.node(&element) else {
                return true;
            };
            if node.member {
                return false;
            }
            let owned = owned
                .node(&element)
                .map_or(self.nothing, |owner| &owner.children);
            if self.take_out(item, &node.children, owned, shape.element) {
                *item = Value::Object(Map::new());
            }
            true
        });
        items.is_empty() && !was_empty
    }
}

/// Only the members of a set, with the objects and items that hold them.
pub fn extract(value: &Value, fields: &FieldSet, schema: &KindSchema) -> Value {
    leave(value, fields, &schema.schema, &schema.root).unwrap_or_else(|| Value::Object(Map::new()))
}

fn leave(value: &Value, fields: &FieldSet, schema: &Schema, value_type: &Type) -> Option<Value> {
    match (Shape::of(schema, value_type, Some(value)), value) {
        (Shape::Map(shape), Value::Object(map)) if !shape.is_atomic() && !map.is_empty() => {
            let left: Map<String, Value> = map
                .iter()
                .filter_map(|(name, value)| {
                    let node = fields.node(&PathElement::Field(name.clone()))?;
                    let child = shape.child(name).value;
                    if node.member && node.children.is_empty() {
                        // A leaf, or a container that is owned without anything in it.
                        return Some((name.clone(), bare(value, schema, child)));
                    }
                    let left = leave(value, &node.children, schema, child);
                    Some((
                        name.clone(),
                        left.or_else(|| node.member.then(|| bare(value, schema, child)))?,
                    ))
                })
                .collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        (Shape::List(shape), Value::Array(items)) if !shape.is_atomic() && !items.is_empty() => {
            let left: Vec<Value> = items
                .iter()
                .filter_map(|item| {
                    let element = shape.element(schema, item).ok()?;
                    let node = fields.node(&element)?;
                    if node.children.is_empty() {
                        return Some(item.clone());
                    }
                    leave(item, &node.children, schema, shape.element)
                })
                .collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        _ => Some(value.clone()),
    }
}

/// A value whose parts are not in the set: itself if it has none, else empty.
fn bare(value: &Value, schema: &Schema, value_type: &Type) -> Value {
    match (Shape::of(schema, value_type, Some(value)), value) {
        (Shape::Map(shape), Value::Object(_)) if !shape.is_atomic() => Value::Object(Map::new()),
        (Shape::List(shape), Value::Array(_)) if !shape.is_atomic() => Value::Array(Vec::new()),
        _ => value.clone(),
    }
}
