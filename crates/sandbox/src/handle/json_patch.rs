//! JSON patch.
//!
//! Source: RFC 6902; where the real server differs from it, the server is followed: negative
//! indexes count from the end, a path need not begin with a slash, a missing value is null.

use serde_json::Value;

use super::body::{go_error, go_name};
use crate::Failure;

/// Operations of one patch.
const OPERATION_LIMIT: usize = 10_000;
/// Longest document on the way, counted in copied values: `copy` could double it each time.
const COPY_LIMIT: usize = 1_000_000;

/// Carries out a patch, given as the body of a request.
pub(super) fn apply(document: &mut Value, body: &[u8]) -> Result<(), Failure> {
    let mut copied = 0;
    for operation in parse(body)? {
        let text = |name: &str| operation.get(name).and_then(Value::as_str);
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        let path = pointer(text("path").ok_or_else(Failure::unprocessable)?);
        let from = || text("from").map(pointer).ok_or_else(Failure::unprocessable);
        match text("op").unwrap_or_default() {
            "add" => add(document, &path, value())?,
            "remove" => {
                remove(document, &path)?;
            }
            "replace" => replace(document, &path, value())?,
            "move" => {
                let moved = remove(document, &from()?)?;
                add(document, &path, moved)?;
            }
            "copy" => {
                let found = find(document, &from()?)?.clone();
                copied += size(&found);
                if copied > COPY_LIMIT {
                    return Err(Failure::unprocessable());
                }
                add(document, &path, found)?;
            }
            "test" => {
                let found = find(document, &path).ok();
                if found.unwrap_or(&Value::Null) != &value() {
                    return Err(Failure::unprocessable());
                }
            }
            _ => return Err(Failure::unprocessable()),
        }
    }
    Ok(())
}

fn parse(body: &[u8]) -> Result<Vec<Value>, Failure> {
    let parsed: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::bad_request(go_error(&error, body)))?;
    let cannot = |found: &Value, into: &str| {
        Failure::bad_request(format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.{into}",
            go_name(found)
        ))
    };
    let operations = match parsed {
        Value::Array(operations) => operations,
        Value::Null => Vec::new(),
        other => return Err(cannot(&other, "Patch")),
    };
    if let Some(other) = operations.iter().find(|operation| !operation.is_object()) {
        return Err(cannot(other, "Operation"));
    }
    if operations.len() > OPERATION_LIMIT {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is \
             {OPERATION_LIMIT}, got {}",
            operations.len()
        );
        return Err(Failure::new(413, "RequestEntityTooLarge", message));
    }
    Ok(operations)
}

/// The tokens of a JSON pointer; what stands before the first slash does not count.
fn pointer(text: &str) -> Vec<String> {
    text.split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// Values within a value, itself included.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn find<'v>(document: &'v Value, path: &[String]) -> Result<&'v Value, Failure> {
    path.iter()
        .try_fold(document, |at, token| match at {
            Value::Object(fields) => fields.get(token),
            Value::Array(items) => items.get(existing(token, items.len())?),
            _ => None,
        })
        .ok_or_else(Failure::unprocessable)
}

/// What holds the place that a path names, and the last token of the path.
fn parent<'v, 'p>(
    document: &'v mut Value,
    path: &'p [String],
) -> Result<(&'v mut Value, &'p str), Failure> {
    let (last, parents) = path.split_last().ok_or_else(Failure::unprocessable)?;
    let holder = parents
        .iter()
        .try_fold(document, |at, token| match at {
            Value::Object(fields) => fields.get_mut(token),
            Value::Array(items) => {
                let position = existing(token, items.len())?;
                items.get_mut(position)
            }
            _ => None,
        })
        .ok_or_else(Failure::unprocessable)?;
    Ok((holder, last))
}

/// The position that a token names among the items of a list.
fn existing(token: &str, length: usize) -> Option<usize> {
    let position = token.parse::<i64>().ok()?;
    let position = match usize::try_from(position) {
        Ok(position) => position,
        Err(_) => length.checked_sub(usize::try_from(position.unsigned_abs()).ok()?)?,
    };
    (position < length).then_some(position)
}

fn add(document: &mut Value, path: &[String], value: Value) -> Result<(), Failure> {
    let (holder, last) = parent(document, path)?;
    match holder {
        Value::Object(fields) => {
            fields.insert(last.to_owned(), value);
            Ok(())
        }
        Value::Array(items) => {
            let end = items.len();
            let position = match last {
                "-" => Some(end),
                token if token.parse::<usize>() == Ok(end) => Some(end),
                token => existing(token, end),
            };
            items.insert(position.ok_or_else(Failure::unprocessable)?, value);
            Ok(())
        }
        _ => Err(Failure::unprocessable()),
    }
}

fn remove(document: &mut Value, path: &[String]) -> Result<Value, Failure> {
    let (holder, last) = parent(document, path)?;
    let removed = match holder {
        Value::Object(fields) => fields.remove(last),
        Value::Array(items) => existing(last, items.len()).map(|position| items.remove(position)),
        _ => None,
    };
    removed.ok_or_else(Failure::unprocessable)
}

fn replace(document: &mut Value, path: &[String], value: Value) -> Result<(), Failure> {
    let (holder, last) = parent(document, path)?;
    let place = match holder {
        Value::Object(fields) => fields.get_mut(last),
        Value::Array(items) => {
            let position = existing(last, items.len());
            position.and_then(|position| items.get_mut(position))
        }
        _ => None,
    };
    *place.ok_or_else(Failure::unprocessable)? = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(patch: &str, expect: &str) {
        let mut value = json!({"a": {"b": 1, "x/y": 2}, "l": [1, 2, 3]});
        let found = match apply(&mut value, patch.as_bytes()) {
            Ok(()) => value.to_string(),
            Err(failure) => format!("{} {}", failure.code, failure.message),
        };
        assert_eq!(found, expect, "{patch}");
    }

    const REFUSED: &str = "422 the server rejected our request due to an error in our request";

    #[test]
    fn operations_are_carried_out() {
        let unchanged = r#"{"a":{"b":1,"x/y":2},"l":[1,2,3]}"#;
        check("[]", unchanged);
        check("null", unchanged);
        check(
            r#"[{"op":"add","path":"/a/c","value":5},{"op":"remove","path":"/a/x~1y"}]"#,
            r#"{"a":{"b":1,"c":5},"l":[1,2,3]}"#,
        );
        check(
            r#"[{"op":"add","path":"/l/0","value":0},{"op":"add","path":"/l/-","value":4}]"#,
            r#"{"a":{"b":1,"x/y":2},"l":[0,1,2,3,4]}"#,
        );
        check(
            r#"[{"op":"remove","path":"/l/-1"},{"op":"replace","path":"/l/0","value":9}]"#,
            r#"{"a":{"b":1,"x/y":2},"l":[9,2]}"#,
        );
        check(
            r#"[{"op":"move","from":"/a","path":"/l"},{"op":"copy","from":"/l/b","path":"/c"}]"#,
            r#"{"c":1,"l":{"b":1,"x/y":2}}"#,
        );
        check(r#"[{"op":"test","path":"/a/b","value":1}]"#, unchanged);
        check(r#"[{"op":"test","path":"/a/none"}]"#, unchanged);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        check(r#"[{"op":"test","path":"/a/b","value":2}]"#, REFUSED);
        check(r#"[{"op":"remove","path":"/a/none"}]"#, REFUSED);
        check(r#"[{"op":"remove","path":""}]"#, REFUSED);
        check(r#"[{"op":"replace","path":"/a/none","value":1}]"#, REFUSED);
        check(r#"[{"op":"add","path":"/none/x","value":1}]"#, REFUSED);
        check(r#"[{"op":"add","path":"/l/9","value":1}]"#, REFUSED);
        check(r#"[{"op":"add","path":"/l/x","value":1}]"#, REFUSED);
        check(r#"[{"op":"copy","from":"/none","path":"/x"}]"#, REFUSED);
        check(r#"[{"op":"bogus","path":"/x"}]"#, REFUSED);
        check("[{}]", REFUSED);
        check(
            "{}",
            "400 json: cannot unmarshal object into Go value of type jsonpatch.Patch",
        );
        check(
            "[1]",
            "400 json: cannot unmarshal number into Go value of type jsonpatch.Operation",
        );
        check(
            "x",
            "400 invalid character 'x' looking for beginning of value",
        );
    }

    /// A patch that copies a list into itself doubles it each time.
    #[test]
    fn copies_are_bounded() {
        let copy = r#"{"op":"copy","from":"/l","path":"/l/-"}"#;
        let patch = format!("[{}]", vec![copy; 64].join(","));
        check(&patch, REFUSED);
    }
}
