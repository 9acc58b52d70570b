//! Writes YAML in blocks, as people do: parsers treat JSON, which is YAML too, differently.

use serde_json::Value;

/// One document, without the line that begins it.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(&mut text, value, 0);
    text
}

/// Writes a value in lines of its own; the caller has ended the line before.
fn block(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                text.push_str(&format!("{indent}{name}:"));
                nested(text, field, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("{indent}-"));
                nested(text, item, depth + 1);
            }
        }
        // Quoted strings, numbers, and empty containers are written as in JSON.
        other => text.push_str(&format!("{indent}{other}\n")),
    }
}

/// Writes a value behind a key or a dash.
fn nested(text: &mut String, value: &Value, depth: usize) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        text.push('\n');
        block(text, value, depth);
    } else {
        text.push_str(&format!(" {value}\n"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn blocks() {
        let value = json!({
            "a": {"b": ["x: 1", {"c": 2, "d": []}]},
            "e": {},
            "f": "two\nlines",
        });
        let expect =
            "a:\n  b:\n    - \"x: 1\"\n    -\n      c: 2\n      d: []\ne: {}\nf: \"two\\nlines\"\n";
        assert_eq!(super::document(&value), expect);
    }
}
