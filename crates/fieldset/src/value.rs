//! Order and equality of JSON values as the API server sees them, and how it writes them.
//!
//! Source: the order of structured-merge-diff's `value` package (numbers, strings, booleans,
//! lists, maps, null), and the escapes of Go's JSON encoder.

use std::{cmp::Ordering, fmt::Write};

use serde_json::{Number, Value};

/// A total order over values; numbers compare as numbers, whatever they are written as.
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => left
            .iter()
            .zip(right)
            .map(|(left, right)| compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| left.len().cmp(&right.len())),
        (Value::Object(left), Value::Object(right)) => {
            // By sorted keys, whatever order the map type keeps.
            let (left, right) = (sorted(left), sorted(right));
            left.iter()
                .zip(&right)
                .map(|(left, right)| left.0.cmp(right.0).then_with(|| compare(left.1, right.1)))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

/// Whether two values are the same to the server: `1` and `1.0` are.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right).is_eq(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, l)| right.get(key).is_some_and(|r| equal(l, r)))
        }
        _ => left == right,
    }
}

fn sorted(map: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|entry| entry.0);
    entries
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

fn integer(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => compare_integer(left, float(right)),
        (None, Some(right)) => compare_integer(right, float(left)).reverse(),
        // JSON has neither NaN nor infinities; -0 equals 0.
        (None, None) => float(left)
            .partial_cmp(&float(right))
            .unwrap_or(Ordering::Equal),
    }
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(0.0)
}

/// Exact, unlike a conversion of the integer to a float, so that the order stays transitive.
fn compare_integer(integer: i128, float: f64) -> Ordering {
    /// Integers of JSON lie well within; floats beyond it are larger than any of them.
    const LIMIT: f64 = 1e30;
    if float >= LIMIT {
        return Ordering::Less;
    }
    if float <= -LIMIT {
        return Ordering::Greater;
    }
    #[allow(clippy::cast_possible_truncation, reason = "bounded by LIMIT above")]
    let whole = float.floor() as i128;
    integer.cmp(&whole).then_with(|| {
        if float > float.floor() {
            Ordering::Less
        } else {
            Ordering::Equal
        }
    })
}

/// Writes a value as the server does in a key of FieldsV1: compact, keys sorted, numbers in
/// their shortest form, and with `<`, `>` and `&` escaped.
pub(crate) fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text, true),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, item)) in sorted(map).into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, key, true);
                out.push(':');
                write_json(out, item);
            }
            out.push('}');
        }
    }
}

/// Writes a number in its shortest form: `1` for `1.0`.
pub(crate) fn write_number(out: &mut String, number: &Number) {
    // Writing to a String cannot fail.
    let _ = match integer(number) {
        Some(integer) => write!(out, "{integer}"),
        None => write!(out, "{}", float(number)),
    };
}

/// Writes a JSON string; `html` escapes what Go's encoder escapes for HTML's sake.
pub(crate) fn write_string(out: &mut String, text: &str, html: bool) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => unicode(out, character),
            '\0'..='\u{1f}' => unicode(out, character),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn unicode(out: &mut String, character: char) {
    let _ = write!(out, "\\u{:04x}", u32::from(character));
}

/// Writes a value as the server's messages show it inside a field path.
pub(crate) fn write_readable(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => write_quoted(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_readable(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            for (key, item) in sorted(map) {
                out.push_str(key);
                out.push('=');
                write_readable(out, item);
            }
        }
        Value::Number(number) => write_number(out, number),
        Value::Null | Value::Bool(_) => write_json(out, value),
    }
}

/// Quotes as Go's `%q` does: printable characters as they are, others escaped.
pub(crate) fn write_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            _ if character.is_control() => unicode(out, character),
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(left: &Value, right: &Value, expected: Ordering) {
        assert_eq!(compare(left, right), expected, "{left} {right}");
        assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
        assert_eq!(equal(left, right), expected == Equal, "{left} {right}");
    }

    #[test]
    fn values_are_ordered_as_the_server_orders_them() {
        check(&json!(1), &json!(1.0), Equal);
        check(&json!(80), &json!(443), Less);
        check(&json!(1.5), &json!(2), Less);
        check(&json!(-1.5), &json!(-1), Less);
        check(&json!(u64::MAX), &json!(i64::MIN), Greater);
        check(
            &json!(9_007_199_254_740_993_u64),
            &json!(9_007_199_254_740_992.0),
            Greater,
        );
        check(&json!(1), &json!(1e40), Less);
        check(&json!(1), &json!(-1e40), Greater);
        check(&json!(9), &json!("1"), Less);
        check(&json!("z"), &json!(false), Less);
        check(&json!(true), &json!([]), Less);
        check(&json!([1]), &json!([1, 0]), Less);
        check(&json!([9]), &json!({}), Less);
        check(&json!({"a": 1}), &json!({"a": 1.0}), Equal);
        check(&json!({"a": 2}), &json!({"b": 1}), Less);
        check(&json!({"z": 1}), &json!(null), Less);
        check(&json!(null), &json!(null), Equal);
    }

    #[test]
    fn strings_are_escaped_as_the_server_escapes_them() {
        let mut out = String::new();
        write_json(
            &mut out,
            &json!({"b<": "a\"\\\n\u{1}<&>\u{2028}é", "a": [1.0, null]}),
        );
        assert_eq!(
            out,
            r#"{"a":[1,null],"b\u003c":"a\"\\\n\u0001\u003c\u0026\u003e\u2028é"}"#
        );
        let mut quoted = String::new();
        write_quoted(&mut quoted, "a\"\\\n\u{1}<\u{7f}\u{85}é");
        assert_eq!(quoted, "\"a\\\"\\\\\\n\\x01<\\x7f\\u0085é\"");
    }
}
