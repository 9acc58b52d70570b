//! Fields that are applied at creation and then left as they are live (R2.9).

use serde_json::Value;
use underpin_model::{Object, names};

/// One segment of a field expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    Named { field: String, value: String },
}

/// A field expression: `spec.replicas`, `spec.template.spec.containers[name=web].image`,
/// `metadata.annotations["a.b/c"]`, `spec.rules[0].host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldExpression(Vec<Segment>);

/// A text that is not a field expression.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a field path; write it like spec.replicas, \
     spec.template.spec.containers[name=web].image or metadata.annotations[\"a.b/c\"]"
)]
pub struct FieldExpressionError(String);

impl std::str::FromStr for FieldExpression {
    type Err = FieldExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || FieldExpressionError(text.to_owned());
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (segment, after) = bracket(inside).ok_or_else(error)?;
                segments.push(segment);
                rest = after;
                continue;
            }
            if !segments.is_empty() {
                rest = rest.strip_prefix('.').ok_or_else(error)?;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(error());
            }
            segments.push(Segment::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        if segments.is_empty() {
            Err(error())
        } else {
            Ok(Self(segments))
        }
    }
}

fn bracket(inside: &str) -> Option<(Segment, &str)> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let (key, after) = quoted.split_once("\"]")?;
        return Some((Segment::Key(key.to_owned()), after));
    }
    let (content, after) = inside.split_once(']')?;
    let segment = match content.split_once('=') {
        Some((field, value)) if !field.is_empty() && !value.is_empty() => Segment::Named {
            field: field.to_owned(),
            value: value.to_owned(),
        },
        Some(_) => return None,
        None => Segment::Index(content.parse().ok()?),
    };
    Some((segment, after))
}

impl FieldExpression {
    /// The same expression with its first segment under another name: what is declared as
    /// `stringData` is applied as `data`.
    pub(crate) fn under(mut self, name: &str, other: &str) -> Self {
        if let Some(Segment::Key(first)) = self.0.first_mut()
            && first == name
        {
            other.clone_into(first);
        }
        self
    }

    /// The value there, if the object has it.
    pub fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |at, segment| match segment {
            Segment::Key(key) => at.get(key),
            Segment::Index(index) => at.get(index),
            Segment::Named { field, value } => at
                .as_array()?
                .iter()
                .find(|item| is_named(item, field, value)),
        })
    }

    /// Sets the field where its parent exists; nothing is invented on the way.
    fn set(&self, value: &mut Value, new: Value) {
        let Some((last, path)) = self.0.split_last() else {
            return;
        };
        let Some(parent) = descend(value, path) else {
            return;
        };
        match last {
            Segment::Key(key) => {
                if let Some(map) = parent.as_object_mut() {
                    map.insert(key.clone(), new);
                }
            }
            Segment::Index(_) | Segment::Named { .. } => {
                if let Some(slot) = descend(parent, std::slice::from_ref(last)) {
                    *slot = new;
                }
            }
        }
    }

    /// Removes the field, if it is there.
    fn remove(&self, value: &mut Value) {
        let Some((last, path)) = self.0.split_last() else {
            return;
        };
        let Some(parent) = descend(value, path) else {
            return;
        };
        match (last, parent) {
            (Segment::Key(key), Value::Object(map)) => {
                map.remove(key);
            }
            (Segment::Index(index), Value::Array(items)) if *index < items.len() => {
                items.remove(*index);
            }
            (Segment::Named { field, value }, Value::Array(items)) => {
                items.retain(|item| !is_named(item, field, value));
            }
            _ => {}
        }
    }
}

fn is_named(item: &Value, field: &str, value: &str) -> bool {
    match item.get(field) {
        Some(Value::String(text)) => text == value,
        Some(other) => {
            let text = other.to_string();
            text == value
        }
        None => false,
    }
}

fn descend<'v>(value: &'v mut Value, path: &[Segment]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |at, segment| match segment {
        Segment::Key(key) => at.get_mut(key),
        Segment::Index(index) => at.get_mut(index),
        Segment::Named { field, value } => at
            .as_array_mut()?
            .iter_mut()
            .find(|item| is_named(item, field, value)),
    })
}

/// The expressions named on the object itself, in its own annotation.
pub(crate) fn annotated_paths(object: &Object) -> impl Iterator<Item = &str> {
    let annotation = object
        .annotation(names::IGNORE_FIELDS_ANNOTATION)
        .unwrap_or_default();
    annotation
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
}

/// Takes ignored fields of `desired` as they are live. A field that we own must be sent again with
/// its live value, else the server would remove it; one that we do not own is left out.
pub(crate) fn leave_alone(desired: &mut Value, live: &Object, expressions: &[FieldExpression]) {
    let ours = live
        .managers()
        .iter()
        .any(|(manager, _)| *manager == names::FIELD_MANAGER);
    for expression in expressions {
        match expression.get(&live.value) {
            Some(value) if ours => expression.set(desired, value.clone()),
            _ => expression.remove(desired),
        }
    }
}

/// Leaves `spec.replicas` out of what is applied, because an autoscaler sets it. Where our own
/// apply still owns the field, the live value is sent along: dropping an owned field resets it to
/// its default, and the workload would shrink to one replica. Returns what was declared.
pub(crate) fn leave_replicas(desired: &mut Value, live: Option<&Object>) -> Option<Value> {
    let owned = live.is_some_and(owns_replicas);
    let value = live
        .and_then(|live| live.at("/spec/replicas"))
        .filter(|_| owned)
        .cloned();
    let spec = desired.get_mut("spec").and_then(Value::as_object_mut)?;
    match value {
        Some(value) => spec.insert("replicas".to_owned(), value),
        None => spec.remove("replicas"),
    }
}

fn owns_replicas(live: &Object) -> bool {
    let entries = live.at("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(names::FIELD_MANAGER)
            && entry
                .get("subresource")
                .is_none_or(|subresource| subresource == "")
            && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn live(manager: &str) -> Object {
        let value = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]},
            "spec": {"replicas": 7, "template": {"spec": {"containers": [
                {"name": "sidecar", "image": "s:1"}, {"name": "web", "image": "web:live"},
            ]}}},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn desired() -> Value {
        json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "web", "image": "web:declared"},
        ]}}}})
    }

    #[track_caller]
    fn check(expression: &str, manager: &str, expect: Option<&Value>) {
        let expression: FieldExpression = expression.parse().unwrap();
        let mut value = desired();
        leave_alone(
            &mut value,
            &live(manager),
            std::slice::from_ref(&expression),
        );
        assert_eq!(expression.get(&value), expect);
    }

    /// R2.9
    #[test]
    fn ignored_fields_follow_the_live_object() {
        check("spec.replicas", names::FIELD_MANAGER, Some(&json!(7)));
        check("spec.replicas", "somebody", None);
        let image = "spec.template.spec.containers[name=web].image";
        check(image, names::FIELD_MANAGER, Some(&json!("web:live")));
        check(image, "somebody", None);
        check("spec.paused", names::FIELD_MANAGER, None);
    }

    #[test]
    fn replicas_of_autoscaled_workloads_are_left_out_unless_we_own_them() {
        for (live, expect) in [
            (None, None),
            (Some(live("hpa")), None),
            (Some(live("underpin")), Some(json!(7))),
        ] {
            let mut value = desired();
            let declared = leave_replicas(&mut value, live.as_ref());
            assert_eq!(declared, Some(json!(2)));
            assert_eq!(value.pointer("/spec/replicas").cloned(), expect);
        }
    }

    #[test]
    fn a_first_segment_goes_by_another_name() {
        for (text, expect) in [
            ("stringData.password", "data.password"),
            ("stringData[\"a.b\"]", "data[\"a.b\"]"),
            ("data.password", "data.password"),
            ("metadata.stringData", "metadata.stringData"),
        ] {
            let expression: FieldExpression = text.parse().unwrap();
            let expect: FieldExpression = expect.parse().unwrap();
            assert_eq!(expression.under("stringData", "data"), expect, "{text}");
        }
    }

    #[test]
    fn expressions_that_are_none_are_refused() {
        for text in [
            "", ".", "a..b", "a.", "[", "a[", "a[x]", "a[=b]", "a[name=]", "a[\"b]", "a[0]b",
        ] {
            assert!(text.parse::<FieldExpression>().is_err(), "{text}");
        }
        for text in ["a", "a.b[0].c", "a[\"x.y/z\"].b", "[0]", "a[name=b].c"] {
            assert!(text.parse::<FieldExpression>().is_ok(), "{text}");
        }
    }
}
