//! From JSON to the normal form that a Go server gives back: the fields it knows, empty ones left
//! out where its types say so, nested structures written even when they are empty.

use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Map, Number, Value, json};

use super::{
    quantity::Quantity,
    shape::{FieldShape, Shape, Type, shape, short},
};
use crate::admission::path::Path;

/// A value that cannot be read, as Go's decoder puts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem(pub(crate) String);

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The normal form.
    pub(crate) value: Value,
    /// Fields that the type does not have.
    pub(crate) unknown: Vec<String>,
    /// The first value of a wrong type; it is left out of the normal form.
    pub(crate) problem: Option<Problem>,
}

/// How Go writes the layout of times with microseconds.
const MICRO_LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";

/// Fields in lists are deeper than any real object's.
const DEPTH_LIMIT: usize = 128;

/// Reads an object of a type.
pub(crate) fn read(shape: &'static Shape, value: &Value) -> Found {
    let mut reader = Reader {
        unknown: Vec::new(),
        problem: None,
    };
    let value = match value {
        Value::Object(map) => reader.structure(shape, map, None, 0),
        other => {
            reader.mismatch(kind_of(other), None, shape, short(shape.name));
            Value::Object(Map::new())
        }
    };
    Found {
        value,
        unknown: reader.unknown,
        problem: reader.problem,
    }
}

struct Reader {
    unknown: Vec<String>,
    problem: Option<Problem>,
}

/// Where a value stands: its path and the structure that holds it.
#[derive(Clone, Copy)]
struct Place<'p> {
    path: Path<'p>,
    within: &'static Shape,
    depth: usize,
}

impl Reader {
    fn structure(
        &mut self,
        shape: &'static Shape,
        map: &Map<String, Value>,
        path: Option<&Path<'_>>,
        depth: usize,
    ) -> Value {
        let mut result = Map::new();
        for (name, value) in map {
            let path = path.map_or(Path::root(name), |path| path.child(name));
            let Some(field) = shape.fields.get(name.as_str()) else {
                self.unknown.push(path.to_string());
                continue;
            };
            let place = Place {
                path,
                within: shape,
                depth: depth + 1,
            };
            if let Some(value) = self.value(&field.value, value, place)
                && !(field.omit_empty && is_left_out(&field.value, &value))
            {
                let value = if is_empty_list(&field.value, &value) {
                    // What is stored tells no empty list from none.
                    Value::Null
                } else {
                    value
                };
                result.insert(name.clone(), value);
            }
        }
        for (name, field) in &shape.fields {
            if !result.contains_key(*name)
                && let Some(value) = empty(name, field, depth)
            {
                result.insert((*name).to_owned(), value);
            }
        }
        Value::Object(result)
    }

    /// The normal form of a value; `None` for null and for what cannot be read.
    fn value(&mut self, expected: &Type, value: &Value, place: Place<'_>) -> Option<Value> {
        if place.depth > DEPTH_LIMIT {
            self.say("exceeded max depth".to_owned());
            return None;
        }
        if value.is_null() {
            return (matches!(expected, Type::Raw)).then_some(Value::Null);
        }
        match (expected, value) {
            (Type::Pointer(inner), _) => self.value(inner, value, place),
            (Type::Raw, _) | (Type::String, Value::String(_)) | (Type::Boolean, Value::Bool(_)) => {
                Some(value.clone())
            }
            (Type::Int32 | Type::Int64 | Type::Float, Value::Number(number)) => {
                self.number(expected, number, place)
            }
            (Type::Struct(name), Value::Object(map)) => match shape(name) {
                Some(shape) => Some(self.structure(shape, map, Some(&place.path), place.depth)),
                None => Some(value.clone()),
            },
            (Type::List(inner), Value::Array(items)) => {
                let read = items.iter().enumerate().map(|(at, item)| {
                    let path = place.path.index(at);
                    let item = self.value(
                        inner,
                        item,
                        Place {
                            path,
                            depth: place.depth + 1,
                            ..place
                        },
                    );
                    item.unwrap_or_else(|| zero(inner, place.depth))
                });
                Some(Value::Array(read.collect()))
            }
            (Type::Map(inner), Value::Object(map)) => {
                let read = map.iter().map(|(key, item)| {
                    let path = place.path.key(key);
                    let item = self.value(
                        inner,
                        item,
                        Place {
                            path,
                            depth: place.depth + 1,
                            ..place
                        },
                    );
                    let item = item.unwrap_or_else(|| zero(inner, place.depth));
                    (key.clone(), item)
                });
                Some(Value::Object(read.collect()))
            }
            (Type::IntOrString, Value::String(_)) => Some(value.clone()),
            (Type::IntOrString, Value::Number(number)) => self.number(&Type::Int32, number, place),
            (Type::Bytes, Value::String(text)) => self.bytes(text),
            (Type::Quantity, Value::String(_) | Value::Number(_)) => {
                self.quantity(value, place.path.is_entry())
            }
            (Type::Time | Type::MicroTime, Value::String(text)) => self.time(expected, text),
            (Type::Duration, Value::String(_)) => Some(value.clone()),
            (_, other) => {
                let found = kind_of(other);
                let expected = expected.go_name();
                self.mismatch(found, Some(&place.path), place.within, &expected);
                None
            }
        }
    }

    fn number(&mut self, expected: &Type, number: &Number, place: Place<'_>) -> Option<Value> {
        let fits = match expected {
            Type::Int32 => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            Type::Int64 => number.as_i64().is_some(),
            _ => true,
        };
        if fits {
            return Some(Value::Number(number.clone()));
        }
        let found = format!("number {number}");
        let expected = expected.go_name();
        self.mismatch(&found, Some(&place.path), place.within, &expected);
        None
    }

    fn bytes(&mut self, text: &str) -> Option<Value> {
        let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        match illegal_base64_at(&clean) {
            None => Some(Value::String(clean)),
            Some(at) => {
                self.say(format!("illegal base64 data at input byte {at}"));
                None
            }
        }
    }

    /// Entries of resource lists are rounded up to thousandths; other quantities are kept exactly.
    fn quantity(&mut self, value: &Value, in_resource_list: bool) -> Option<Value> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        if text.is_empty() {
            return Some(json!("0"));
        }
        match Quantity::parse(&text) {
            Ok(quantity) if in_resource_list => {
                Some(Value::String(quantity.rounded_to_milli().canonical()))
            }
            Ok(quantity) => Some(Value::String(quantity.canonical())),
            Err(error) => {
                self.say(error.to_string());
                None
            }
        }
    }

    fn time(&mut self, expected: &Type, text: &str) -> Option<Value> {
        let is_micro = matches!(expected, Type::MicroTime);
        if is_micro
            && !text.contains('.')
            && text.ends_with('Z')
            && Timestamp::from_str(text).is_ok()
        {
            self.say(format!(
                "parsing time {text:?} as {MICRO_LAYOUT:?}: cannot parse \"Z\" as \".000000\""
            ));
            return None;
        }
        if let Some((_, fraction)) = text.split_once('.').filter(|_| is_micro)
            && fraction.bytes().take_while(u8::is_ascii_digit).count() != 6
        {
            self.say(format!(
                "parsing time {text:?} as {MICRO_LAYOUT:?}: cannot parse \".{fraction}\" as \".000000\""
            ));
            return None;
        }
        match Timestamp::from_str(text) {
            Ok(time) if matches!(expected, Type::MicroTime) => Some(Value::String(
                time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            )),
            Ok(time) => Some(Value::String(crate::object::seconds(time))),
            Err(_) => {
                let layout = match expected {
                    Type::MicroTime => MICRO_LAYOUT,
                    _ => "2006-01-02T15:04:05Z07:00",
                };
                self.say(format!(
                    "parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
                ));
                None
            }
        }
    }

    fn mismatch(
        &mut self,
        found: &str,
        path: Option<&Path<'_>>,
        within: &'static Shape,
        expected: &str,
    ) {
        self.say(match path {
            Some(path) => format!(
                "json: cannot unmarshal {found} into Go struct field {}.{} of type {expected}",
                short(within.name),
                path.fields()
            ),
            None => format!("json: cannot unmarshal {found} into Go value of type v1.{expected}"),
        });
    }

    fn say(&mut self, problem: String) {
        self.problem.get_or_insert(Problem(problem));
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_empty_list(expected: &Type, value: &Value) -> bool {
    let items = value.as_array();
    matches!(expected, Type::List(_)) && items.is_some_and(Vec::is_empty)
}

/// Whether Go leaves a value out that is marked so: empty strings, lists and maps, false and zero,
/// but no structure, and nothing behind a pointer.
fn is_left_out(expected: &Type, value: &Value) -> bool {
    match (expected, value) {
        (Type::Pointer(_) | Type::Struct(_), _) => false,
        (Type::IntOrString | Type::Quantity, _) => false,
        (_, Value::Null) => true,
        (Type::Raw, _) => false,
        (_, Value::Bool(value)) => !value,
        (_, Value::Number(number)) => number.as_f64() == Some(0.0),
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Array(items)) => items.is_empty(),
        (_, Value::Object(map)) => map.is_empty(),
    }
}

/// What Go writes for a field that is not there; `None` if nothing.
fn empty(name: &str, field: &FieldShape, depth: usize) -> Option<Value> {
    match &field.value {
        Type::Struct(of) => {
            // The object's own metadata always has more; what is nested may be empty.
            Some(shape(of).map_or_else(|| json!({}), |shape| empty_structure(shape, depth + 1)))
        }
        Type::Time | Type::MicroTime if name != "creationTimestamp" => Some(Value::Null),
        Type::Quantity if !field.omit_empty => Some(json!("0")),
        _ if field.omit_empty => None,
        Type::Pointer(_) => Some(Value::Null),
        other => Some(zero(other, depth)),
    }
}

fn empty_structure(shape: &Shape, depth: usize) -> Value {
    if depth > DEPTH_LIMIT {
        return json!({});
    }
    let fields = shape.fields.iter().filter_map(|(name, field)| {
        let value = empty(name, field, depth)?;
        Some(((*name).to_owned(), value))
    });
    Value::Object(fields.collect())
}

fn zero(of: &Type, depth: usize) -> Value {
    match of {
        Type::String => json!(""),
        Type::Boolean => json!(false),
        Type::Int32 | Type::Int64 | Type::Float | Type::IntOrString => json!(0),
        Type::Duration => json!("0s"),
        Type::Quantity => json!("0"),
        Type::Struct(name) => {
            shape(name).map_or_else(|| json!({}), |shape| empty_structure(shape, depth + 1))
        }
        Type::Bytes | Type::Time | Type::MicroTime | Type::Raw => Value::Null,
        Type::Pointer(_) | Type::List(_) | Type::Map(_) => Value::Null,
    }
}

/// Where standard base64 with padding goes wrong, as Go's decoder counts it.
fn illegal_base64_at(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = bytes.iter().take_while(|byte| is_digit(byte)).count();
    let padding = &bytes[digits..];
    let wanted = match digits % 4 {
        0 => 0,
        2 => 2,
        3 => 1,
        _ if padding.is_empty() => return Some(bytes.len()),
        _ => return Some(digits),
    };
    match padding.iter().position(|byte| *byte != b'=') {
        Some(at) => Some(digits + at),
        None if padding.len() == wanted => None,
        None if padding.len() > wanted => Some(digits + wanted),
        None => Some(bytes.len()),
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "cases are written as values")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, given: Value, expected: Value) {
        let found = read(shape(name).unwrap(), &given);
        assert_eq!(found.value, expected);
        assert_eq!(found.problem, None);
    }

    #[test]
    fn empty_things_go_and_structures_stay() {
        check(
            "core.Container",
            json!({"name": "a", "image": "", "args": [], "tty": false, "resources": {"limits": {"cpu": "1000m"}},
                   "env": [{"name": "X", "value": ""}], "securityContext": {}, "stdin": true}),
            json!({"name": "a", "resources": {"limits": {"cpu": "1"}}, "env": [{"name": "X"}],
                   "securityContext": {}, "stdin": true}),
        );
        check(
            "core.Container",
            json!({"name": "a"}),
            json!({"name": "a", "resources": {}}),
        );
        check(
            "core.EmptyDirVolumeSource",
            json!({"sizeLimit": 1024}),
            json!({"sizeLimit": "1024"}),
        );
        check("rbac.PolicyRule", json!({}), json!({"verbs": null}));
        check(
            "networking.NetworkPolicyPeer",
            json!({"podSelector": {"matchLabels": {}}}),
            json!({"podSelector": {}}),
        );
    }

    #[track_caller]
    fn check_problem(name: &str, given: Value, expected: &str) {
        let found = read(shape(name).unwrap(), &given);
        assert_eq!(found.problem, Some(Problem(expected.to_owned())));
    }

    #[test]
    fn wrong_types() {
        check_problem(
            "apps.Deployment",
            json!({"spec": {"replicas": "three"}}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        );
        check_problem(
            "core.Pod",
            json!({"metadata": {"labels": {"a": 1}}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        );
        check_problem(
            "core.Pod",
            json!({"spec": {"containers": {}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        );
        check_problem(
            "core.Secret",
            json!({"data": {"a": "***"}}),
            "illegal base64 data at input byte 0",
        );
        check_problem(
            "apps.Deployment",
            json!({"spec": {"replicas": 1.5}}),
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        );
    }

    #[test]
    fn unknown_fields_have_their_paths() {
        let given = json!({"spec": {"containers": [{"name": "a", "imagee": "x"}]}, "foo": 1});
        let mut found = read(shape("core.Pod").unwrap(), &given);
        found.unknown.sort();
        assert_eq!(found.unknown, ["foo", "spec.containers[0].imagee"]);
    }

    #[track_caller]
    fn check_base64(text: &str, expected: Option<usize>) {
        assert_eq!(illegal_base64_at(text), expected, "{text}");
    }

    #[test]
    fn base64() {
        check_base64("", None);
        check_base64("YQ==", None);
        check_base64("YWI=", None);
        check_base64("YWJj", None);
        check_base64("Y", Some(1));
        check_base64("YQ", Some(2));
        check_base64("YQ=", Some(3));
        check_base64("*", Some(0));
        check_base64("YWJj=", Some(4));
    }
}
