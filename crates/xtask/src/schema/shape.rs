//! From all that a source knows to what the committed table holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use underpin_fieldset::schema::table::Table;
use underpin_fieldset::schema::{ListRelation, Schema, Type};

/// Leaves out the types that no kind reaches, and the defaults that change nothing: those which
/// are their type's zero, except of fields that are a list's key.
pub(super) fn prune(table: &Table) -> Table {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&str> = table.kinds.values().map(|name| &**name).collect();
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    while let Some(name) = waiting.pop() {
        if let Some(value) = table.schema.get(name)
            && reached.insert(name)
        {
            visit(value, &mut |found| match found {
                Type::Named(other) => waiting.push(other),
                Type::List(list) => {
                    if let (ListRelation::Map(names), Type::Named(element)) =
                        (&list.relation, &*list.element)
                    {
                        let names = names.iter().map(|name| &**name);
                        keys.entry(element).or_default().extend(names);
                    }
                }
                _ => {}
            });
        }
    }
    let none = BTreeSet::new();
    let mut schema = Schema::new();
    for name in reached {
        let mut value = table.schema.get(name).cloned().unwrap_or(Type::Deduced);
        if let Type::Map(map) = &mut value {
            let keys = keys.get(name).unwrap_or(&none);
            for (field, described) in &mut map.fields {
                if !keys.contains(&**field) {
                    described.default.take_if(|default| is_zero(default));
                }
            }
        }
        schema.insert(name, value);
    }
    Table {
        sources: table.sources.clone(),
        kinds: table.kinds.clone(),
        schema: Arc::new(schema),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Calls `found` on a type and all types that stand in it.
fn visit<'t>(value: &'t Type, found: &mut impl FnMut(&'t Type)) {
    found(value);
    match value {
        Type::List(list) => visit(&list.element, found),
        Type::Map(map) => {
            for field in map.fields.values() {
                visit(&field.value, found);
            }
            if let Some(element) = &map.element {
                visit(element, found);
            }
        }
        Type::Scalar(_) | Type::Deduced | Type::Named(_) => {}
    }
}

#[cfg(test)]
mod tests;
