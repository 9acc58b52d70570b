//! A path into an object, as people write it in `ignoreFields`.

use serde_json::Value;

/// One segment of a field expression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Key(String),
    Index(usize),
    Named { field: String, value: String },
}

/// A field expression: `spec.replicas`, `spec.template.spec.containers[name=web].image`,
/// `metadata.annotations["a.b/c"]`, `spec.rules[0].host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The expression of nested keys.
    pub fn of_keys(keys: &[&str]) -> Self {
        let keys = keys.iter().map(|key| Segment::Key((*key).to_owned()));
        Self(keys.collect())
    }

    /// The same expression with its first segment under another name: what is declared as
    /// `stringData` is applied as `data`.
    #[must_use]
    pub fn under(mut self, name: &str, other: &str) -> Self {
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
    pub fn set(&self, value: &mut Value, new: Value) {
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
    pub fn remove(&self, value: &mut Value) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
