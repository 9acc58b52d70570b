//! FieldsV1: how `managedFields` stores a [`FieldSet`].
//!
//! Source: the Kubernetes API reference, `FieldsV1`: `f:<name>`, `k:<keys>`, `v:<value>`,
//! `i:<index>` and `.` for the element itself.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::{
    path::PathElement,
    set::{FieldSet, Node},
    value,
};

/// Deeper than any object that a JSON parser lets through, so that no input exhausts the stack.
const DEPTH_LIMIT: usize = 256;

/// Why something is not FieldsV1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldsError {
    /// A set, or what is below an element, must be an object.
    #[error("the fields of {element:?} are not an object")]
    NotAnObject {
        /// The element as written; empty for the root.
        element: String,
    },
    /// A key that is not `f:`, `k:`, `v:` or `i:` and a content.
    #[error("{element:?} is not a field path element: {reason}")]
    Element {
        /// The element as written.
        element: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nested beyond any real object.
    #[error("nested deeper than {DEPTH_LIMIT}")]
    TooDeep,
}

impl FieldSet {
    /// Reads FieldsV1. Elements of a kind that a later version may add are ignored, as the
    /// server does; `null` is the empty set.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldsError> {
        read("", fields, 0).map(|(set, _)| set)
    }

    /// Writes FieldsV1.
    pub fn to_fields_v1(&self) -> Value {
        Value::Object(write(self, false))
    }

    /// Writes FieldsV1 with the bytes that the server writes: elements in their own order, which
    /// is not that of their names.
    pub fn to_fields_v1_json(&self) -> String {
        let mut out = String::new();
        write_json(self, false, &mut out);
        out
    }
}

fn read(element: &str, fields: &Value, depth: usize) -> Result<(FieldSet, bool), FieldsError> {
    if depth > DEPTH_LIMIT {
        return Err(FieldsError::TooDeep);
    }
    let fields = match fields {
        Value::Null => return Ok((FieldSet::new(), true)),
        Value::Object(fields) => fields,
        _ => {
            return Err(FieldsError::NotAnObject {
                element: element.to_owned(),
            });
        }
    };
    let mut set = FieldSet::new();
    let mut member = false;
    for (key, below) in fields {
        if key == "." {
            member = true;
            continue;
        }
        let Some(element) = read_element(key)? else {
            continue;
        };
        let (children, is_member) = read(key, below, depth + 1)?;
        set.attach(&element, is_member, children);
    }
    member |= set.is_empty();
    Ok((set, member))
}

/// `None` for an element of an unknown kind.
fn read_element(text: &str) -> Result<Option<PathElement>, FieldsError> {
    let wrong = |reason| FieldsError::Element {
        element: text.to_owned(),
        reason,
    };
    let Some((kind, content)) = text.split_at_checked(2) else {
        return Err(wrong("a kind and a colon are needed"));
    };
    if !kind.ends_with(':') {
        return Err(wrong("the colon is missing"));
    }
    Ok(Some(match kind {
        "f:" => PathElement::Field(content.to_owned()),
        "v:" => PathElement::Value(
            serde_json::from_str(content).map_err(|_| wrong("the value is not JSON"))?,
        ),
        "k:" => match serde_json::from_str(content) {
            Ok(Value::Object(fields)) => PathElement::Key(fields.into_iter().collect()),
            _ => return Err(wrong("the key is not a JSON object")),
        },
        "i:" => PathElement::Index(
            content
                .parse()
                .map_err(|_| wrong("the index is not a number"))?,
        ),
        _ => return Ok(None),
    }))
}

fn write(set: &FieldSet, include_self: bool) -> Map<String, Value> {
    let mut out = Map::new();
    if include_self && !set.is_empty() {
        out.insert(".".to_owned(), Value::Object(Map::new()));
    }
    for (element, Node { member, children }) in set.nodes() {
        out.insert(
            write_element(element),
            Value::Object(write(children, *member)),
        );
    }
    out
}

fn write_json(set: &FieldSet, include_self: bool, out: &mut String) {
    out.push('{');
    let mut first = true;
    let mut separate = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
    };
    if include_self && !set.is_empty() {
        separate(out);
        out.push_str("\".\":{}");
    }
    for (element, Node { member, children }) in set.nodes() {
        separate(out);
        value::write_string(out, &write_element(element), false);
        out.push(':');
        write_json(children, *member, out);
    }
    out.push('}');
}

fn write_element(element: &PathElement) -> String {
    match element {
        PathElement::Field(name) => format!("f:{name}"),
        PathElement::Key(fields) => {
            let mut out = "k:{".to_owned();
            for (index, (name, key)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                value::write_string(&mut out, name, false);
                out.push(':');
                value::write_json(&mut out, key);
            }
            out.push('}');
            out
        }
        PathElement::Value(item) => {
            let mut out = "v:".to_owned();
            value::write_json(&mut out, item);
            out
        }
        PathElement::Index(index) => format!("i:{index}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_round_trip(text: &str) {
        let value: Value = serde_json::from_str(text).unwrap();
        let set = FieldSet::from_fields_v1(&value).unwrap();
        assert_eq!(set.to_fields_v1_json(), text);
        assert_eq!(set.to_fields_v1(), value);
    }

    #[test]
    fn what_the_server_wrote_is_written_again_byte_for_byte() {
        check_round_trip("{}");
        check_round_trip(r#"{"f:data":{"f:a":{}}}"#);
        check_round_trip(r#"{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}"#);
        check_round_trip(
            r#"{"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{}},"k:{\"containerPort\":443,\"protocol\":\"TCP\"}":{}}}"#,
        );
        check_round_trip(r#"{"f:finalizers":{".":{},"v:\"a/b\"":{}},"i:3":{}}"#);
        check_round_trip(r#"{"k:{\"a\":\"\\u003c\\n\"}":{"f:<\"":{}}}"#);
    }

    #[track_caller]
    fn check_read(fields: &Value, expected: &Result<Value, FieldsError>) {
        let read = FieldSet::from_fields_v1(fields).map(|set| set.to_fields_v1());
        assert_eq!(&read, expected);
    }

    #[test]
    fn other_forms_are_understood_or_refused() {
        check_read(&json!(null), &Ok(json!({})));
        check_read(&json!({"f:a": null}), &Ok(json!({"f:a": {}})));
        check_read(&json!({".": {}}), &Ok(json!({})));
        check_read(&json!({"f:a": {".": {}}}), &Ok(json!({"f:a": {}})));
        check_read(&json!({"f:a": {"x:b": {}}}), &Ok(json!({"f:a": {}})));
        check_read(
            &json!({"k:{\"b\": 1.0, \"a\":2}": {}}),
            &Ok(json!({"k:{\"a\":2,\"b\":1}": {}})),
        );
        let element = |element: &str, reason| {
            Err(FieldsError::Element {
                element: element.into(),
                reason,
            })
        };
        check_read(
            &json!([]),
            &Err(FieldsError::NotAnObject {
                element: String::new(),
            }),
        );
        check_read(
            &json!({"f:a": 1}),
            &Err(FieldsError::NotAnObject {
                element: "f:a".into(),
            }),
        );
        check_read(
            &json!({"f": {}}),
            &element("f", "a kind and a colon are needed"),
        );
        check_read(&json!({"é": {}}), &element("é", "the colon is missing"));
        check_read(&json!({"fa": {}}), &element("fa", "the colon is missing"));
        check_read(
            &json!({"v:x": {}}),
            &element("v:x", "the value is not JSON"),
        );
        check_read(
            &json!({"k:1": {}}),
            &element("k:1", "the key is not a JSON object"),
        );
        check_read(
            &json!({"i:-1": {}}),
            &element("i:-1", "the index is not a number"),
        );
    }

    #[test]
    fn depth_is_bounded() {
        let mut fields = json!({});
        for _ in 0..=DEPTH_LIMIT {
            fields = json!({"f:a": fields});
        }
        check_read(&fields, &Err(FieldsError::TooDeep));
    }
}
