//! Answers are compared in part.

use serde_json::Value;

/// Whether everything in `part` is in `whole` too. Lists must be equally long.
pub(crate) fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part.iter().all(|(name, part)| {
            let missing = Value::Null;
            contains(whole.get(name).unwrap_or(&missing), part)
        }),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(a, b)| contains(a, b))
        }
        (whole, part) => whole == part,
    }
}
