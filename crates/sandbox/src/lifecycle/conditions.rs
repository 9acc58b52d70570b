//! Conditions in a status.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::object;

/// One condition, without its times.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// `type`.
    pub(crate) name: &'static str,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: &'static str,
    /// Left out if empty.
    pub(crate) reason: &'static str,
    /// Left out if empty.
    pub(crate) message: String,
}

impl Condition {
    pub(crate) fn new(
        name: &'static str,
        holds: bool,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            name,
            status: if holds { "True" } else { "False" },
            reason,
            message: message.into(),
        }
    }
}

/// Writes a condition into the status of an object, in place of the one of the same type. The
/// transition time moves only with the status. Says whether anything changed.
pub(crate) fn set_condition(object: &mut Value, condition: &Condition, now: Timestamp) -> bool {
    let Some(root) = object.as_object_mut() else {
        return false;
    };
    let conditions = object::child(root, "status")
        .entry("conditions")
        .or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else {
        return false;
    };
    let found = conditions
        .iter_mut()
        .filter_map(Value::as_object_mut)
        .find(|found| found.get("type").and_then(Value::as_str) == Some(condition.name));
    if let Some(found) = found {
        replace(found, condition, now)
    } else {
        let mut fresh = Map::new();
        replace(&mut fresh, condition, now);
        conditions.push(Value::Object(fresh));
        true
    }
}

fn replace(found: &mut Map<String, Value>, condition: &Condition, now: Timestamp) -> bool {
    let before = found.clone();
    let turned = found.get("status").and_then(Value::as_str) != Some(condition.status);
    let mut put = |name: &str, value: &str| {
        if value.is_empty() {
            found.remove(name);
        } else {
            found.insert(name.to_owned(), json!(value));
        }
    };
    put("type", condition.name);
    put("status", condition.status);
    put("reason", condition.reason);
    put("message", &condition.message);
    if turned {
        put("lastTransitionTime", &object::seconds(now));
    }
    *found != before
}

/// Takes a condition out of the status of an object; the list goes with its last one.
pub(crate) fn remove_condition(object: &mut Value, name: &str) {
    let status = object.get_mut("status").and_then(Value::as_object_mut);
    let Some(status) = status else {
        return;
    };
    if let Some(list) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        list.retain(|found| object::text(found, "/type") != name);
        if list.is_empty() {
            status.remove("conditions");
        }
    }
}

/// A condition by its type.
pub(crate) fn condition<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object
        .pointer("/status/conditions")?
        .as_array()?
        .iter()
        .find(|found| object::text(found, "/type") == name)
}

/// Whether a condition is there and `True`.
pub(crate) fn holds(object: &Value, name: &str) -> bool {
    condition(object, name).is_some_and(|found| object::text(found, "/status") == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut object = json!({"status": {"conditions": [{"type": "Other", "status": "True"}]}});
        let installing = Condition::new("Ready", false, "Installing", "");
        assert!(set_condition(&mut object, &installing, at(1)));
        assert!(!set_condition(&mut object, &installing, at(2)));
        let broken = Condition::new("Ready", false, "Broken", "it broke");
        assert!(set_condition(&mut object, &broken, at(3)));
        let since = "/status/conditions/1/lastTransitionTime";
        assert_eq!(object::text(&object, since), "1970-01-01T00:00:01Z");
        assert_eq!(
            object.pointer("/status/conditions/1/message"),
            Some(&json!("it broke"))
        );
        assert!(!holds(&object, "Ready") && holds(&object, "Other"));
        set_condition(&mut object, &Condition::new("Ready", true, "", ""), at(4));
        assert_eq!(object::text(&object, since), "1970-01-01T00:00:04Z");
        assert_eq!(object.pointer("/status/conditions/1/message"), None);
        assert!(holds(&object, "Ready"));
    }
}
