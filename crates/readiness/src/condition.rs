//! `status.conditions`, and the generation that a controller has seen.

use serde_json::Value;
use underpin_model::Object;

/// One condition, as far as it is well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition<'o> {
    pub(crate) status: &'o str,
    pub(crate) reason: &'o str,
    pub(crate) message: &'o str,
    observed: Option<i64>,
}

impl Condition<'_> {
    pub(crate) fn is_true(&self) -> bool {
        self.status == "True"
    }

    pub(crate) fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// Reason and message in one text: `Reason: message`, or whichever there is.
    pub(crate) fn text(&self) -> String {
        joined(self.reason, self.message)
    }

    /// Whether it tells of an older generation of its object.
    pub(crate) fn is_stale(&self, object: &Object) -> bool {
        self.observed
            .is_some_and(|observed| observed < generation(object))
    }
}

/// `reason: text`, or whichever there is.
pub(crate) fn joined(reason: &str, text: &str) -> String {
    match (reason, text) {
        ("", text) => text.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, text) => format!("{reason}: {text}"),
    }
}

/// The condition of that name, if the object has it.
pub(crate) fn condition<'o>(object: &'o Object, name: &str) -> Option<Condition<'o>> {
    let conditions = object.at("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition.get("type").and_then(Value::as_str) == Some(name))?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        observed: found.get("observedGeneration").and_then(Value::as_i64),
    })
}

/// The condition, if it is `True`.
pub(crate) fn true_condition<'o>(object: &'o Object, name: &str) -> Option<Condition<'o>> {
    condition(object, name).filter(Condition::is_true)
}

/// Whether any condition says which generation it tells of.
pub(crate) fn any_observes(object: &Object) -> bool {
    let conditions = object.at("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition
            .get("observedGeneration")
            .is_some_and(Value::is_i64)
    })
}

/// `metadata.generation`; zero where the kind has none.
pub(crate) fn generation(object: &Object) -> i64 {
    number(object, "/metadata/generation").unwrap_or(0)
}

/// The generation that the controller says it has seen.
pub(crate) fn observed_generation(object: &Object) -> Option<i64> {
    number(object, "/status/observedGeneration")
}

/// A whole number of the object.
pub(crate) fn number(object: &Object, pointer: &str) -> Option<i64> {
    object.at(pointer).and_then(Value::as_i64)
}

/// Whether a field is `true`.
pub(crate) fn flag(object: &Object, pointer: &str) -> bool {
    object.at(pointer).and_then(Value::as_bool) == Some(true)
}
