//! Label selectors in the form that objects carry: `matchLabels` and `matchExpressions`.
//!
//! Source: Kubernetes API reference, `meta/v1` `LabelSelector`.

use serde_json::Value;

/// Whether labels (an object, or null) are selected. An empty selector selects everything; an
/// expression with an unknown operator nothing.
pub(crate) fn matches_selector(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let mut wanted = wanted.into_iter().flatten();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    let mut expressions = expressions.into_iter().flatten();
    wanted.all(|(key, value)| label(key) == value.as_str())
        && expressions.all(|expression| {
            let text = |field: &str| expression.get(field).and_then(Value::as_str);
            let value = label(text("key").unwrap_or_default());
            let values = expression.get("values").and_then(Value::as_array);
            let listed = value.is_some_and(|value| {
                let mut values = values.into_iter().flatten();
                values.any(|known| known.as_str() == Some(value))
            });
            match text("operator").unwrap_or_default() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(selector: &Value, expect: bool) {
        let labels = json!({"app": "shop", "tier": "web"});
        assert_eq!(matches_selector(selector, &labels), expect, "{selector}");
    }

    #[test]
    fn selectors() {
        let expression = |key: &str, operator: &str, values: &[&str]| {
            let one = json!({"key": key, "operator": operator, "values": values});
            json!({"matchExpressions": [one]})
        };
        check(&json!({}), true);
        check(&Value::Null, true);
        check(&json!({"matchLabels": {"app": "shop"}}), true);
        check(
            &json!({"matchLabels": {"app": "shop", "tier": "db"}}),
            false,
        );
        check(&expression("app", "In", &["shop", "bar"]), true);
        check(&expression("app", "NotIn", &["shop"]), false);
        check(&expression("gone", "NotIn", &["shop"]), true);
        check(&expression("gone", "In", &["shop"]), false);
        check(&expression("tier", "Exists", &[]), true);
        check(&expression("tier", "DoesNotExist", &[]), false);
        check(&expression("tier", "Near", &[]), false);
    }
}
