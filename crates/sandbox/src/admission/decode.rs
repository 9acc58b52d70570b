//! From a request's body to an object.

use serde_json::Value;

use super::{FieldValidation, custom, normal};
use crate::{Failure, Kind};

/// Decodes a whole object (not a patch): types are checked, unknown fields dropped, the rest
/// brought into normal form. The second part are warnings for the client.
///
/// # Errors
///
/// 400 if a value has the wrong type, or with [`FieldValidation::Strict`] a field is unknown.
pub(crate) fn decode(
    kind: &Kind,
    value: &Value,
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), Failure> {
    let (value, mut unknown, problem) = match &kind.definition {
        Some(_) => custom::read(kind, value),
        None => match normal::read(kind, value) {
            Some(found) => (found.value, found.unknown, found.problem.map(|p| p.0)),
            None => (value.clone(), Vec::new(), None),
        },
    };
    if let Some(problem) = problem {
        return Err(refused(kind, &problem));
    }
    unknown.sort();
    let say: Vec<String> = unknown
        .iter()
        .map(|field| format!("unknown field \"{field}\""))
        .collect();
    match validation {
        FieldValidation::Ignore => Ok((value, Vec::new())),
        FieldValidation::Warn => Ok((value, say)),
        FieldValidation::Strict if say.is_empty() => Ok((value, say)),
        FieldValidation::Strict => {
            let all = say.join(", ");
            Err(refused(kind, &format!("strict decoding error: {all}")))
        }
    }
}

fn refused(kind: &Kind, problem: &str) -> Failure {
    let name = &kind.kind.kind;
    Failure::bad_request(format!(
        "{name} in version {:?} cannot be handled as a {name}: {problem}",
        kind.version
    ))
}
