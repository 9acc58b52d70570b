//! Strategic merge patch: a merge patch that knows the keys of lists.
//!
//! Source: Kubernetes documentation, "Update API Objects in Place Using kubectl patch", and its
//! directives' description. Lists merge by the first of the keys that server-side apply tells
//! their items apart by, which is the merge key for built-in kinds.

use serde_json::{Map, Value};
use underpin_fieldset::schema::{KindSchema, ListRelation, Schema, Type};

use super::body::go_printed;
use crate::Failure;

/// Deepest nesting of a patch.
const DEPTH_LIMIT: usize = 128;
/// Says what to do with the object that it stands in: `delete`, `replace`, `merge`.
const DIRECTIVE: &str = "$patch";
/// Lists the only fields that are to be left.
const RETAIN_KEYS: &str = "$retainKeys";
/// Followed by a field: items to take out of its list of scalars.
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
/// Followed by a field: the order of the items of its list.
const ORDER: &str = "$setElementOrder/";

/// Merges a patch into an object of a built-in kind.
pub(super) fn merge(
    object: &mut Value,
    patch: &Map<String, Value>,
    kind: &KindSchema,
) -> Result<(), Failure> {
    let patcher = Patcher {
        schema: &kind.schema,
    };
    patcher.merge_object(object, patch, &kind.root, 0)
}

struct Patcher<'s> {
    schema: &'s Schema,
}

impl Patcher<'_> {
    /// The type of a field.
    fn field<'t>(&'t self, of: &'t Type, name: &str) -> &'t Type {
        match self.schema.resolve(of) {
            Type::Map(map) => match (map.fields.get(name), &map.element) {
                (Some(field), _) => &field.value,
                (None, Some(element)) => element,
                (None, None) => &Type::Deduced,
            },
            _ => &Type::Deduced,
        }
    }

    fn merge_object(
        &self,
        object: &mut Value,
        patch: &Map<String, Value>,
        of: &Type,
        depth: usize,
    ) -> Result<(), Failure> {
        if depth > DEPTH_LIMIT {
            return Err(Failure::bad_request("the patch is nested too deeply"));
        }
        match directive(patch)? {
            Directive::Merge => {}
            Directive::Replace => {
                *object = Value::Object(without_directives(patch));
                return Ok(());
            }
            Directive::Delete => {
                *object = Value::Object(Map::new());
                return Ok(());
            }
        }
        if !object.is_object() {
            *object = Value::Object(Map::new());
        }
        let Value::Object(fields) = object else {
            return Ok(());
        };
        retain(fields, patch)?;
        for (name, value) in patch {
            if let Some(field) = name.strip_prefix(DELETE_FROM) {
                delete_from(fields, field, value)?;
            }
        }
        for (name, value) in patch.iter().filter(|(name, _)| !is_directive(name)) {
            let before = fields.get(name).cloned();
            self.merge_field(fields, name, value, of, depth)?;
            if let (Some(Value::Array(before)), Value::Array(changed)) = (before, value)
                && !patch.contains_key(&format!("{ORDER}{name}"))
            {
                self.put_changed_first(fields, name, of, &before, changed);
            }
        }
        for (name, value) in patch {
            if let Some(field) = name.strip_prefix(ORDER) {
                self.order(fields, field, value, of)?;
            }
        }
        Ok(())
    }

    fn merge_field(
        &self,
        fields: &mut Map<String, Value>,
        name: &str,
        value: &Value,
        of: &Type,
        depth: usize,
    ) -> Result<(), Failure> {
        let of = self.field(of, name);
        match value {
            Value::Null => {
                fields.remove(name);
                Ok(())
            }
            Value::Object(patch) if matches!(directive(patch)?, Directive::Delete) => {
                fields.remove(name);
                Ok(())
            }
            Value::Object(patch) => {
                let field = fields.entry(name).or_insert(Value::Null);
                self.merge_object(field, patch, of, depth + 1)
            }
            Value::Array(patch) => {
                let field = fields.entry(name).or_insert(Value::Null);
                self.merge_list(field, patch, of, depth + 1)
            }
            scalar => {
                fields.insert(name.to_owned(), scalar.clone());
                Ok(())
            }
        }
    }

    fn merge_list(
        &self,
        field: &mut Value,
        patch: &[Value],
        of: &Type,
        depth: usize,
    ) -> Result<(), Failure> {
        let (element, relation) = match self.schema.resolve(of) {
            Type::List(list) => (list.element.as_ref(), &list.relation),
            _ => (&Type::Deduced, &ListRelation::Atomic),
        };
        let mut items = match field.take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        match relation {
            ListRelation::Atomic => items = patch.to_vec(),
            ListRelation::Set => {
                for item in patch {
                    if !items.contains(item) {
                        items.push(item.clone());
                    }
                }
            }
            ListRelation::Map(keys) => {
                let key = keys.first().map_or("", AsRef::as_ref);
                items = self.merge_items(items, patch, element, key, depth)?;
            }
        }
        *field = Value::Array(items);
        Ok(())
    }

    fn merge_items(
        &self,
        mut items: Vec<Value>,
        patch: &[Value],
        element: &Type,
        key: &str,
        depth: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut patches = Vec::with_capacity(patch.len());
        for item in patch {
            let Value::Object(item) = item else {
                return Err(Failure::bad_request("Invalid JSON document"));
            };
            patches.push((item, directive(item)?));
        }
        // One item that says so makes the patch the whole list.
        if patches
            .iter()
            .any(|(_, it)| matches!(it, Directive::Replace))
        {
            let kept = patches
                .into_iter()
                .map(|(item, _)| without_directives(item));
            return Ok(kept
                .filter(|item| !item.is_empty())
                .map(Value::Object)
                .collect());
        }
        for (item, directive) in patches {
            let Some(wanted) = item.get(key) else {
                let shown = go_printed(&Value::Object(item.clone()));
                return Err(Failure::unexpected(format!(
                    "map: {shown} does not contain declared merge key: {key}"
                )));
            };
            let found = items
                .iter()
                .position(|known| known.get(key) == Some(wanted));
            match (directive, found) {
                (Directive::Delete, _) => items.retain(|known| known.get(key) != Some(wanted)),
                (_, Some(position)) => {
                    self.merge_object(&mut items[position], item, element, depth + 1)?;
                }
                (_, None) => {
                    let mut fresh = Value::Null;
                    self.merge_object(&mut fresh, item, element, depth + 1)?;
                    items.push(fresh);
                }
            }
        }
        Ok(items)
    }

    /// Without an order of its own, a patch puts its items into its order; an item that it does not
    /// name stays before one that it does only if it stood there.
    fn put_changed_first(
        &self,
        fields: &mut Map<String, Value>,
        name: &str,
        of: &Type,
        before: &[Value],
        changed: &[Value],
    ) {
        let key = match self.schema.resolve(self.field(of, name)) {
            Type::List(list) => match &list.relation {
                ListRelation::Map(keys) => keys.first().cloned(),
                ListRelation::Set => None,
                ListRelation::Atomic => return,
            },
            _ => return,
        };
        let Some(Value::Array(items)) = fields.get_mut(name) else {
            return;
        };
        let place = |all: &[Value], item: &Value| {
            all.iter().position(|other| match &key {
                Some(key) => other.get(key.as_ref()) == item.get(key.as_ref()),
                None => other == item,
            })
        };
        let (mut named, others): (Vec<_>, Vec<_>) = items
            .drain(..)
            .partition(|item| place(changed, item).is_some());
        named.sort_by_key(|item| place(changed, item));
        let mut others = others.into_iter().peekable();
        for item in named {
            let was = place(before, &item);
            while let Some(other) =
                others.next_if(|other| was.is_some_and(|was| place(before, other) < Some(was)))
            {
                items.push(other);
            }
            items.push(item);
        }
        items.extend(others);
    }

    /// Puts the items of a list into the order that the patch asks for. Items that it does not
    /// name keep their place among those that it does.
    fn order(
        &self,
        fields: &mut Map<String, Value>,
        name: &str,
        order: &Value,
        of: &Type,
    ) -> Result<(), Failure> {
        let Value::Array(order) = order else {
            return Err(Failure::bad_request("invalid $setElementOrder format"));
        };
        let key = match self.schema.resolve(self.field(of, name)) {
            Type::List(list) => match &list.relation {
                ListRelation::Map(keys) => keys.first().cloned(),
                ListRelation::Set => None,
                ListRelation::Atomic => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Some(Value::Array(items)) = fields.get_mut(name) else {
            return Ok(());
        };
        let rank = |item: &Value| {
            order.iter().position(|wanted| match &key {
                Some(key) => wanted.get(key.as_ref()) == item.get(key.as_ref()),
                None => wanted == item,
            })
        };
        let (mut named, others): (Vec<_>, Vec<_>) = items
            .drain(..)
            .enumerate()
            .partition(|(_, item)| rank(item).is_some());
        named.sort_by_key(|(_, item)| rank(item));
        let mut others = others.into_iter().peekable();
        for (place, item) in named {
            while let Some((_, other)) = others.next_if(|(other, _)| *other < place) {
                items.push(other);
            }
            items.push(item);
        }
        items.extend(others.map(|(_, other)| other));
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Map<String, Value>) -> Result<Directive, Failure> {
    match patch.get(DIRECTIVE) {
        None => Ok(Directive::Merge),
        Some(value) => match value.as_str() {
            Some("merge") => Ok(Directive::Merge),
            Some("replace") => Ok(Directive::Replace),
            Some("delete") => Ok(Directive::Delete),
            _ => Err(Failure::unexpected(format!(
                "unknown patch type: {} in map: {}",
                go_printed(value),
                go_printed(&Value::Object(patch.clone()))
            ))),
        },
    }
}

fn is_directive(name: &str) -> bool {
    matches!(name, DIRECTIVE | RETAIN_KEYS)
        || name.starts_with(DELETE_FROM)
        || name.starts_with(ORDER)
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    let fields = patch.iter().filter(|(name, _)| !is_directive(name));
    fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Removes the fields that are not to be left.
fn retain(fields: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), Failure> {
    let Some(keys) = patch.get(RETAIN_KEYS) else {
        return Ok(());
    };
    let Value::Array(keys) = keys else {
        return Err(Failure::bad_request("invalid patch format of retainKeys"));
    };
    let is_kept = |name: &str| keys.iter().any(|key| key == name);
    let stray = patch
        .iter()
        .find(|(name, value)| !is_directive(name) && !value.is_null() && !is_kept(name));
    if stray.is_some() {
        return Err(Failure::unprocessable());
    }
    fields.retain(|name, _| is_kept(name));
    Ok(())
}

fn delete_from(fields: &mut Map<String, Value>, name: &str, gone: &Value) -> Result<(), Failure> {
    let Value::Array(gone) = gone else {
        return Err(Failure::bad_request(
            "invalid patch format of primitive list",
        ));
    };
    if let Some(Value::Array(items)) = fields.get_mut(name) {
        items.retain(|item| !gone.contains(item));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Config, State};

    #[track_caller]
    fn check(patch: &Value, expect: &Value) {
        let state = State::new(Config::default());
        let kind = state.kinds.find("apps", "v1", "deployments").unwrap();
        let mut object = json!({
            "metadata": {"finalizers": ["a/x", "a/y"], "labels": {"a": "1"}},
            "spec": {
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
                "template": {"spec": {
                    "containers": [
                        {"name": "a", "image": "a:1", "args": ["x"]},
                        {"name": "b", "image": "b:1"},
                    ],
                }},
            },
        });
        let found = match merge(&mut object, patch.as_object().unwrap(), &kind.schema) {
            Ok(()) => object,
            Err(failure) => json!(failure.message),
        };
        let wanted = expect.as_object().unwrap();
        for (pointer, value) in wanted {
            let at = found.pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(at, *value, "{pointer} in {found}");
        }
    }

    const CONTAINERS: &str = "/spec/template/spec/containers";

    fn containers(items: &Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": items}}}})
    }

    #[test]
    fn lists_merge_by_their_key() {
        check(
            &containers(&json!([{"name": "b", "image": "b:2"}, {"name": "c"}])),
            &json!({CONTAINERS: [
                {"name": "a", "image": "a:1", "args": ["x"]},
                {"name": "b", "image": "b:2"},
                {"name": "c"},
            ]}),
        );
        check(
            &containers(&json!([{"name": "a", "args": ["y"], "image": null}])),
            &json!({format!("{CONTAINERS}/0"): {"name": "a", "args": ["y"]}}),
        );
        check(
            &json!({"metadata": {"finalizers": ["a/y", "a/z"]}}),
            &json!({"/metadata/finalizers": ["a/x", "a/y", "a/z"]}),
        );
    }

    #[test]
    fn directives_are_obeyed() {
        check(
            &containers(&json!([{"name": "a", "$patch": "delete"}])),
            &json!({CONTAINERS: [{"name": "b", "image": "b:1"}]}),
        );
        check(
            &containers(&json!([{"name": "z"}, {"$patch": "replace"}])),
            &json!({CONTAINERS: [{"name": "z"}]}),
        );
        check(
            &json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            &json!({"/spec/strategy": {"type": "Recreate"}}),
        );
        check(
            &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}}),
            &json!({"/metadata/finalizers": ["a/y"]}),
        );
        check(
            &json!({"metadata": {"labels": {"$patch": "replace", "b": "2"}}}),
            &json!({"/metadata/labels": {"b": "2"}}),
        );
        check(
            &json!({"spec": {"template": {"spec": {
                "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
                "containers": [{"name": "c"}],
            }}}}),
            &json!({CONTAINERS: [
                {"name": "a", "image": "a:1", "args": ["x"]},
                {"name": "c"},
                {"name": "b", "image": "b:1"},
            ]}),
        );
    }

    #[test]
    fn malformed_patches_are_refused() {
        check(
            &containers(&json!(["a"])),
            &json!({"": "Invalid JSON document"}),
        );
        check(
            &containers(&json!([{"image": "x"}])),
            &json!({"": "map: map[image:x] does not contain declared merge key: name"}),
        );
        check(
            &json!({"spec": {"$patch": "bogus"}}),
            &json!({"": "unknown patch type: bogus in map: map[$patch:bogus]"}),
        );
        check(
            &json!({"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}}),
            &json!({"": "the server rejected our request due to an error in our request"}),
        );
    }
}
