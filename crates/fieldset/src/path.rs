//! Where a field is: [`PathElement`] and [`FieldPath`].

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    fmt::{self, Write},
};

use serde_json::Value;

use crate::value;

/// One step from an object or a list into it.
///
/// Ordered as the server orders them: fields, keyed items, set items, indexes.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A field of an object.
    Field(String),
    /// An item of an associative list, by the values of its key fields.
    Key(BTreeMap<String, Value>),
    /// An item of a set, by its value.
    Value(Value),
    /// An item of a list, by its place.
    Index(usize),
}

impl PathElement {
    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(left), Self::Field(right)) => left.cmp(right),
            (Self::Key(left), Self::Key(right)) => left
                .iter()
                .zip(right)
                .map(|(left, right)| {
                    left.0
                        .cmp(right.0)
                        .then_with(|| value::compare(left.1, right.1))
                })
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left.len().cmp(&right.len())),
            (Self::Value(left), Self::Value(right)) => value::compare(left, right),
            (Self::Index(left), Self::Index(right)) => left.cmp(right),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement {}

impl fmt::Display for PathElement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        match self {
            Self::Field(name) => {
                out.push('.');
                out.push_str(name);
            }
            Self::Key(fields) => {
                out.push('[');
                for (index, (name, key)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(name);
                    out.push('=');
                    value::write_readable(&mut out, key);
                }
                out.push(']');
            }
            Self::Value(item) => {
                out.push_str("[=");
                value::write_readable(&mut out, item);
                out.push(']');
            }
            Self::Index(index) => write!(out, "[{index}]")?,
        }
        formatter.write_str(&out)
    }
}

/// A path from the root of an object, displayed as in the server's messages:
/// `.spec.template.spec.containers[name="web"].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<PathElement>);

impl FieldPath {
    /// The root.
    pub fn new() -> Self {
        Self::default()
    }

    /// A path of field names only.
    pub fn of_fields<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        names
            .into_iter()
            .map(|name| PathElement::Field(name.to_owned()))
            .collect()
    }

    /// One step further.
    pub fn push(&mut self, element: PathElement) {
        self.0.push(element);
    }

    /// One step back.
    pub fn pop(&mut self) -> Option<PathElement> {
        self.0.pop()
    }

    /// The steps from the root.
    pub fn elements(&self) -> &[PathElement] {
        &self.0
    }

    /// The same path with one more step in front.
    #[must_use]
    pub fn prefixed(mut self, element: PathElement) -> Self {
        self.0.insert(0, element);
        self
    }
}

impl FromIterator<PathElement> for FieldPath {
    fn from_iter<I: IntoIterator<Item = PathElement>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|element| fmt::Display::fmt(element, formatter))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(value: &Value) -> PathElement {
        PathElement::Key(
            value
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    #[track_caller]
    fn check(elements: impl IntoIterator<Item = PathElement>, expected: &str) {
        assert_eq!(
            elements.into_iter().collect::<FieldPath>().to_string(),
            expected
        );
    }

    #[test]
    fn paths_read_as_in_the_servers_messages() {
        check([], "");
        check(
            [
                PathElement::Field("spec".into()),
                PathElement::Field("containers".into()),
                key(&json!({"name": "web"})),
                PathElement::Field("ports".into()),
                key(&json!({"protocol": "TCP", "containerPort": 80})),
            ],
            r#".spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]"#,
        );
        check(
            [
                PathElement::Field("finalizers".into()),
                PathElement::Value(json!("a/b")),
            ],
            r#".finalizers[="a/b"]"#,
        );
        check([PathElement::Index(3)], "[3]");
        check([PathElement::Value(json!(1.0))], "[=1]");
        check([key(&json!({"a": true, "b": null}))], "[a=true,b=null]");
    }

    #[test]
    fn elements_are_ordered_as_the_server_orders_them() {
        let ordered = [
            PathElement::Field("a".into()),
            PathElement::Field("b".into()),
            key(&json!({"containerPort": 80})),
            key(&json!({"containerPort": 80, "protocol": "TCP"})),
            key(&json!({"containerPort": 443})),
            PathElement::Value(json!(5)),
            PathElement::Value(json!("a")),
            PathElement::Index(0),
            PathElement::Index(1),
        ];
        assert!(ordered.is_sorted_by(|left, right| left < right));
    }
}
