//! A pod's quality of service class.

use serde_json::Value;

use super::{
    view::{entries, field, list},
    wire::quantity::Quantity,
};

/// `Guaranteed`, `Burstable` or `BestEffort`, by the containers' processor and memory.
pub(super) fn class(spec: &Value) -> &'static str {
    const NAMES: [&str; 2] = ["cpu", "memory"];
    let containers = || {
        let init = list(spec, "initContainers").iter();
        list(spec, "containers").iter().chain(init)
    };
    let amount = |container: &Value, which: &str, name: &str| -> i128 {
        let found = entries(field(container, "resources"), which).find(|(key, _)| *key == name);
        let text = found.and_then(|(_, value)| value.as_str()).unwrap_or("0");
        Quantity::parse(text).map_or(0, Quantity::nano)
    };
    let any = |which: &str| {
        containers().any(|container| NAMES.iter().any(|name| amount(container, which, name) > 0))
    };
    if !any("requests") && !any("limits") {
        return "BestEffort";
    }
    let guaranteed = containers().all(|container| {
        NAMES.iter().all(|name| {
            let limit = amount(container, "limits", name);
            limit > 0 && amount(container, "requests", name) == limit
        })
    });
    if guaranteed {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "cases are written as values")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(resources: Value, expected: &str) {
        let spec = json!({"containers": [{"name": "a", "resources": resources}]});
        assert_eq!(class(&spec), expected);
    }

    #[test]
    fn classes() {
        check(json!({}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        check(
            json!({"requests": {"ephemeral-storage": "1"}}),
            "BestEffort",
        );
        let all = json!({"cpu": "1", "memory": "1Gi"});
        check(json!({"requests": all, "limits": all}), "Guaranteed");
        check(
            json!({"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": all}),
            "Burstable",
        );
    }
}
