//! Which fields a value sets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    error::TypeError,
    shape::{ListShape, MapShape, Shape},
    validate_live,
};
use crate::{
    path::PathElement,
    schema::{KindSchema, Schema, Type},
    set::{FieldSet, Node},
};

/// Every leaf and every item that a value mentions; what an apply of it would own, before the
/// fields that nobody owns are stripped.
pub fn fields_of(value: &Value, schema: &KindSchema) -> Result<FieldSet, Vec<TypeError>> {
    validate_live(value, schema)?;
    Ok(fields_unchecked(value, schema))
}

/// [`fields_of`] a value that is known to fit; where it does not, the result is the deduced one.
pub(crate) fn fields_unchecked(value: &Value, schema: &KindSchema) -> FieldSet {
    collect(value, &schema.schema, &schema.root, None).1
}

/// [`fields_unchecked`], where an object that the schema takes as one is divided as `owned` divides
/// it, if that is all of it. A server whose schema is another one, most often an older, owns the
/// fields of such an object one by one.
pub(crate) fn fields_as_owned(value: &Value, schema: &KindSchema, owned: &FieldSet) -> FieldSet {
    collect(value, &schema.schema, &schema.root, Some(owned)).1
}

/// Whether the value is a leaf itself, and the members below it; `owned` is what is owned below it.
fn collect(
    value: &Value,
    schema: &Schema,
    value_type: &Type,
    owned: Option<&FieldSet>,
) -> (bool, FieldSet) {
    match Shape::of(schema, value_type, Some(value)) {
        Shape::Scalar(_) => (true, FieldSet::new()),
        Shape::Map(shape) if shape.is_atomic() => match owned {
            Some(owned) if !owned.is_empty() && is_all_of(owned, value) => (false, owned.clone()),
            _ => (true, FieldSet::new()),
        },
        Shape::List(shape) if shape.is_atomic() => (true, FieldSet::new()),
        Shape::Map(shape) => (false, map_fields(value, schema, shape, owned)),
        Shape::List(shape) => (false, list_fields(value, schema, shape, owned)),
    }
}

/// Whether the members are the fields of an object, each of them and no others. What is no object
/// must be a member as one: how items of lists are told apart is not known here.
fn is_all_of(owned: &FieldSet, value: &Value) -> bool {
    let Value::Object(map) = value else {
        return false;
    };
    let is_field = |(name, value): (&String, &Value)| {
        let node = owned.node(&PathElement::Field(name.clone()));
        node.is_some_and(|node| node.children.is_empty() || is_all_of(&node.children, value))
    };
    owned.nodes().len() == map.len() && map.iter().all(is_field)
}

/// What is owned below a child.
fn owned_below<'o>(owned: Option<&'o FieldSet>, element: &PathElement) -> Option<&'o FieldSet> {
    owned?.node(element).map(|node| &node.children)
}

fn map_fields(
    value: &Value,
    schema: &Schema,
    shape: MapShape<'_>,
    owned: Option<&FieldSet>,
) -> FieldSet {
    let Value::Object(map) = value else {
        return FieldSet::new();
    };
    map.iter()
        .map(|(name, value)| {
            let child = shape.child(name);
            let element = PathElement::Field(name.clone());
            let below = owned_below(owned, &element);
            let (leaf, children) = collect(value, schema, child.value, below);
            let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
            // A declared field that has parts is owned through them; an element of a map, or
            // something empty, is a member too.
            let member = leaf || empty || child.field.is_none();
            (element, Node { member, children })
        })
        .collect()
}

fn list_fields(
    value: &Value,
    schema: &Schema,
    shape: ListShape<'_>,
    owned: Option<&FieldSet>,
) -> FieldSet {
    let Value::Array(items) = value else {
        return FieldSet::new();
    };
    let mut nodes = BTreeMap::new();
    let mut duplicates = BTreeSet::new();
    for item in items {
        let Ok(element) = shape.element(schema, item) else {
            continue;
        };
        if nodes.contains_key(&element) {
            duplicates.insert(element);
            continue;
        }
        let below = owned_below(owned, &element);
        let (_, children) = collect(item, schema, shape.element, below);
        let member = true;
        nodes.insert(element, Node { member, children });
    }
    // Items that are there more than once are owned together, as one leaf.
    for element in duplicates {
        let node = Node {
            member: true,
            children: FieldSet::new(),
        };
        nodes.insert(element, node);
    }
    nodes.into_iter().collect()
}

/// Adds the declared fields that the set only has members below.
pub(crate) fn ensure_named(set: &FieldSet, schema: &KindSchema) -> FieldSet {
    add_named(set, &schema.schema, &schema.root)
}

fn add_named(set: &FieldSet, schema: &Schema, value_type: &Type) -> FieldSet {
    set.nodes()
        .iter()
        .map(|(element, node)| {
            let (declared, child) = child_type(schema, value_type, element);
            let children = add_named(&node.children, schema, child);
            let member = node.member || (declared && !children.is_empty());
            (element.clone(), Node { member, children })
        })
        .collect()
}

/// Whether an element is a declared field, and its type.
pub(super) fn child_type<'s>(
    schema: &'s Schema,
    value_type: &'s Type,
    element: &PathElement,
) -> (bool, &'s Type) {
    match (Shape::of(schema, value_type, None), element) {
        (Shape::Map(shape), PathElement::Field(name)) => {
            let child = shape.child(name);
            (child.field.is_some(), child.value)
        }
        (Shape::List(shape), _) => (false, shape.element),
        _ => (false, &Type::Deduced),
    }
}
