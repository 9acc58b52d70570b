//! Validation against a structural schema, in the words of the server.
//!
//! Source: JSON Schema as `apiextensions.k8s.io/v1` restricts it; the messages are the server's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DEPTH_LIMIT, pattern, properties};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{flag, items, list, text},
};

/// Checks an object against its kind's schema.
pub(super) fn validate(causes: &mut Causes, value: &Value, schema: &Value) {
    check(causes, value, schema, None, 0);
    list_types(causes, value, schema, None, 0);
}

/// Checks a part of a schema's own, which messages place somewhere, but do not name.
pub(super) fn within(causes: &mut Causes, place: &Path<'_>, value: &Value, schema: &Value) {
    let mut found = Causes::default();
    check(&mut found, value, schema, None, 0);
    for mut cause in found.into_inner() {
        cause.field = match cause.field.as_str() {
            "" => place.to_string(),
            below => format!("{place}.{below}"),
        };
        causes.push(cause);
    }
}

/// A path as messages name it: nothing at the top.
fn named(path: Option<&Path<'_>>) -> String {
    path.map(Path::to_string).unwrap_or_default()
}

const TOP: Path<'static> = Path::root("");
/// What the server calls a path that is none.
const NOWHERE: Path<'static> = Path::root("<nil>");

fn invalid(causes: &mut Causes, path: Option<&Path<'_>>, value: &Value, what: &str) {
    let detail = format!("{} in body {what}", named(path));
    causes.invalid(path.unwrap_or(&TOP), value, &detail);
}

fn check(
    causes: &mut Causes,
    value: &Value,
    schema: &Value,
    path: Option<&Path<'_>>,
    depth: usize,
) {
    if depth > DEPTH_LIMIT || (value.is_null() && flag(schema, "nullable")) {
        return;
    }
    let before = causes.len();
    check_type(causes, value, schema, path);
    if causes.len() > before {
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed
            .iter()
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
            .collect();
        let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        causes.not_supported(path.unwrap_or(&TOP), value, &allowed);
    }
    match value {
        Value::String(text) => check_text(causes, text, schema, path),
        Value::Number(_) => check_number(causes, value, schema, path),
        Value::Array(items) => check_items(causes, items, value, schema, path, depth),
        Value::Object(_) => check_object(causes, value, schema, path, depth),
        Value::Null | Value::Bool(_) => {}
    }
    check_combined(causes, value, schema, path, depth);
}

fn check_type(causes: &mut Causes, value: &Value, schema: &Value, path: Option<&Path<'_>>) {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let expected = match text(schema, "type") {
        _ if flag(schema, "x-kubernetes-int-or-string") => "integer,string",
        "" => return,
        expected => expected,
    };
    let is_whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
    let right = match expected {
        "integer,string" => matches!(found, "integer" | "string"),
        "number" => matches!(found, "number" | "integer"),
        "integer" => found == "integer" || (found == "number" && is_whole),
        expected => found == expected,
    };
    if !right {
        let detail = format!(
            "{} in body must be of type {expected}: \"{found}\"",
            named(path)
        );
        causes.type_invalid(path.unwrap_or(&TOP), found, &detail);
    }
}

fn check_text(causes: &mut Causes, value: &str, schema: &Value, path: Option<&Path<'_>>) {
    let shown = json!(value);
    let length = value.chars().count() as u64;
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        causes.too_long(path.unwrap_or(&TOP), most);
    }
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        let what = format!("should be at least {least} chars long");
        invalid(causes, path, &shown, &what);
    }
    let pattern = text(schema, "pattern");
    if !pattern.is_empty() && !pattern::matches(pattern, value) {
        invalid(causes, path, &shown, &format!("should match '{pattern}'"));
    }
    let format = text(schema, "format");
    let right = match format {
        "date-time" => value.parse::<jiff::Timestamp>().is_ok(),
        "date" => value.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => value.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => value.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    };
    if !right {
        let what = format!("must be of type {format}: {shown}");
        invalid(causes, path, &shown, &what);
    }
}

fn check_number(causes: &mut Causes, value: &Value, schema: &Value, path: Option<&Path<'_>>) {
    let Some(number) = value.as_f64() else { return };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(most) = bound("maximum") {
        if flag(schema, "exclusiveMaximum") && number >= most {
            invalid(causes, path, value, &format!("should be less than {most}"));
        } else if number > most {
            let what = format!("should be less than or equal to {most}");
            invalid(causes, path, value, &what);
        }
    }
    if let Some(least) = bound("minimum") {
        if flag(schema, "exclusiveMinimum") && number <= least {
            let what = format!("should be greater than {least}");
            invalid(causes, path, value, &what);
        } else if number < least {
            let what = format!("should be greater than or equal to {least}");
            invalid(causes, path, value, &what);
        }
    }
    if let Some(factor) = bound("multipleOf").filter(|factor| *factor > 0.0)
        && (number / factor).fract() != 0.0
    {
        invalid(
            causes,
            path,
            value,
            &format!("should be a multiple of {factor}"),
        );
    }
}

fn check_items(
    causes: &mut Causes,
    items: &[Value],
    value: &Value,
    schema: &Value,
    path: Option<&Path<'_>>,
    depth: usize,
) {
    let path = path.unwrap_or(&TOP);
    let limit = |name: &str| {
        let limit = schema.get(name).and_then(Value::as_u64);
        limit.and_then(|limit| usize::try_from(limit).ok())
    };
    if let Some(least) = limit("minItems").filter(|least| items.len() < *least) {
        let what = format!("should have at least {least} items");
        invalid(causes, Some(path), value, &what);
    }
    if let Some(most) = limit("maxItems").filter(|most| items.len() > *most) {
        causes.too_many(path, items.len(), most);
    }
    if flag(schema, "uniqueItems") {
        let distinct: BTreeSet<String> = items.iter().map(Value::to_string).collect();
        if distinct.len() < items.len() {
            invalid(causes, Some(path), value, "shouldn't contain duplicates");
        }
    }
    if let Some(schema) = schema.get("items") {
        for (at, item) in items.iter().enumerate() {
            check(causes, item, schema, Some(&path.index(at)), depth + 1);
        }
    }
}

fn check_object(
    causes: &mut Causes,
    value: &Value,
    schema: &Value,
    path: Option<&Path<'_>>,
    depth: usize,
) {
    let Value::Object(map) = value else { return };
    let child = |name| path.map_or(Path::root(name), |path| path.child(name));
    for name in list(schema, "required").iter().filter_map(Value::as_str) {
        if !map.contains_key(name) {
            causes.required(&child(name), "");
        }
    }
    let limit = |name: &str| {
        let limit = schema.get(name).and_then(Value::as_u64);
        limit.and_then(|limit| usize::try_from(limit).ok())
    };
    if let Some(least) = limit("minProperties").filter(|least| map.len() < *least) {
        let what = format!("should have at least {least} properties");
        invalid(causes, path, value, &what);
    }
    if let Some(most) = limit("maxProperties").filter(|most| map.len() > *most) {
        causes.too_many(path.unwrap_or(&TOP), map.len(), most);
    }
    let known = properties(schema);
    let others = schema
        .get("additionalProperties")
        .filter(|schema| schema.is_object());
    for (name, value) in map {
        let is_own = path.is_none() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
        let of_name = known.and_then(|known| known.get(name)).filter(|_| !is_own);
        if let Some(schema) = of_name.or(others) {
            check(causes, value, schema, Some(&child(name)), depth + 1);
        }
    }
}

/// `allOf`, `anyOf`, `oneOf`, `not`.
fn check_combined(
    causes: &mut Causes,
    value: &Value,
    schema: &Value,
    path: Option<&Path<'_>>,
    depth: usize,
) {
    let found = |schema: &Value| {
        let mut found = Causes::default();
        check(&mut found, value, schema, path, depth + 1);
        found
    };
    // What concerns several schemas has no place of its own.
    let say = |causes: &mut Causes, what: &str| {
        let detail = format!("\"{}\" {what}", named(path));
        causes.invalid(&NOWHERE, "", &detail);
    };
    let any: Vec<Causes> = list(schema, "anyOf").iter().map(found).collect();
    if !any.is_empty() && !any.iter().any(Causes::is_empty) {
        say(causes, "must validate at least one schema (anyOf)");
        add_best(causes, any);
    }
    let one: Vec<Causes> = list(schema, "oneOf").iter().map(found).collect();
    match one.iter().filter(|found| found.is_empty()).count() {
        _ if one.is_empty() => {}
        1 => {}
        0 => {
            let what = "must validate one and only one schema (oneOf). Found none valid";
            say(causes, what);
            add_best(causes, one);
        }
        more => {
            let what = format!(
                "must validate one and only one schema (oneOf). Found {more} valid alternatives"
            );
            say(causes, &what);
        }
    }
    let all: Vec<Causes> = list(schema, "allOf").iter().map(found).collect();
    let wrong = all.iter().filter(|found| !found.is_empty()).count();
    let none = if wrong == all.len() {
        ". None validated"
    } else {
        ""
    };
    for cause in all.into_iter().flat_map(Causes::into_inner) {
        causes.push(cause);
    }
    if wrong > 0 {
        say(
            causes,
            &format!("must validate all the schemas (allOf){none}"),
        );
    }
    if let Some(not) = schema.get("not")
        && found(not).is_empty()
    {
        say(causes, "must not validate the schema (not)");
    }
}

/// What is wrong by the alternative that fits best: the one with the least against it, the first
/// of those. (The server takes the one in which most checks passed.)
fn add_best(causes: &mut Causes, alternatives: Vec<Causes>) {
    let best = alternatives.into_iter().min_by_key(Causes::len);
    for cause in best.into_iter().flat_map(Causes::into_inner) {
        causes.push(cause);
    }
}

/// Sets and maps in lists hold nothing twice.
fn list_types(
    causes: &mut Causes,
    value: &Value,
    schema: &Value,
    path: Option<&Path<'_>>,
    depth: usize,
) {
    if depth > DEPTH_LIMIT {
        return;
    }
    match value {
        Value::Object(map) => {
            let known = properties(schema);
            let others = schema
                .get("additionalProperties")
                .filter(|schema| schema.is_object());
            for (name, value) in map {
                let child = path.map_or(Path::root(name), |path| path.child(name));
                if let Some(schema) = known.and_then(|known| known.get(name)).or(others) {
                    list_types(causes, value, schema, Some(&child), depth + 1);
                }
            }
        }
        Value::Array(all) => {
            let path = path.unwrap_or(&TOP);
            let keys: Vec<&str> = items(
                schema
                    .get("x-kubernetes-list-map-keys")
                    .unwrap_or(&Value::Null),
            )
            .iter()
            .filter_map(Value::as_str)
            .collect();
            let key = |item: &Value| match text(schema, "x-kubernetes-list-type") {
                "set" => Some(item.clone()),
                "map" => {
                    let key = |name: &&str| Some(((*name).to_owned(), item.get(*name)?.clone()));
                    Some(Value::Object(keys.iter().filter_map(key).collect()))
                }
                _ => None,
            };
            let mut seen = BTreeSet::new();
            for (at, item) in all.iter().enumerate() {
                if let Some(key) = key(item)
                    && !seen.insert(key.to_string())
                {
                    causes.duplicate(&path.index(at), &key);
                }
                if let Some(schema) = schema.get("items") {
                    list_types(causes, item, schema, Some(&path.index(at)), depth + 1);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "cases are written as values")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: Value, given: Value, expected: &[(&str, &str)]) {
        let schema = json!({"type": "object", "properties": {"spec": schema}});
        let mut causes = Causes::default();
        validate(&mut causes, &json!({"kind": "K", "spec": given}), &schema);
        let found = causes.into_inner();
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|cause| (cause.field.as_str(), cause.message.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_wrong() {
        check(
            json!({"type": "integer"}),
            json!("x"),
            &[(
                "spec",
                "Invalid value: \"string\": spec in body must be of type integer: \"string\"",
            )],
        );
        check(
            json!({"type": "object", "required": ["a"]}),
            json!({}),
            &[("spec.a", "Required value")],
        );
        check(
            json!({"type": "string", "enum": ["a", "b"]}),
            json!("c"),
            &[(
                "spec",
                "Unsupported value: \"c\": supported values: \"a\", \"b\"",
            )],
        );
        check(
            json!({"type": "string", "pattern": "^a+$"}),
            json!("b"),
            &[(
                "spec",
                "Invalid value: \"b\": spec in body should match '^a+$'",
            )],
        );
        check(
            json!({"type": "integer", "minimum": 1, "maximum": 5}),
            json!(0),
            &[(
                "spec",
                "Invalid value: 0: spec in body should be greater than or equal to 1",
            )],
        );
        check(
            json!({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map",
                   "x-kubernetes-list-map-keys": ["name"]}),
            json!([{"name": "a"}, {"name": "a", "x": 1}]),
            &[("spec[1]", "Duplicate value: {\"name\":\"a\"}")],
        );
        check(json!({"x-kubernetes-int-or-string": true}), json!(1), &[]);
        check(
            json!({"type": "string", "nullable": true}),
            json!(null),
            &[],
        );
        check(
            json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({}),
            &[
                (
                    "<nil>",
                    "Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
                ),
                ("spec.a", "Required value"),
            ],
        );
    }
}
