//! Label selectors with Kubernetes' semantics (apimachinery `metav1.LabelSelector`).

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

/// One requirement of a selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// The label is there with one of these values.
    In(String, Vec<String>),
    /// The label is absent or has none of these values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is absent.
    DoesNotExist(String),
}

/// A conjunction of requirements; an empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSelector(pub Vec<Requirement>);

impl LabelSelector {
    /// A plain map of labels, as in a Service's `spec.selector`. `None` if it is not a map of
    /// strings.
    pub fn from_map(value: &Value) -> Option<Self> {
        let requirements = value.as_object()?.iter().map(|(key, value)| {
            Some(Requirement::In(
                key.clone(),
                vec![value.as_str()?.to_owned()],
            ))
        });
        requirements.collect::<Option<Vec<_>>>().map(Self)
    }

    /// A structured selector with `matchLabels` and `matchExpressions`. `None` if malformed: an
    /// unreadable selector is unknown, not empty.
    pub fn from_structured(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let mut requirements = match map.get("matchLabels") {
            Some(labels) if !labels.is_null() => Self::from_map(labels)?.0,
            _ => Vec::new(),
        };
        let expressions = match map.get("matchExpressions") {
            Some(expressions) if !expressions.is_null() => expressions.as_array()?.as_slice(),
            _ => &[],
        };
        for expression in expressions {
            let key = expression.get("key")?.as_str()?.to_owned();
            let values = || -> Option<Vec<String>> {
                let values = expression.get("values")?.as_array()?;
                values
                    .iter()
                    .map(|value| value.as_str().map(str::to_owned))
                    .collect()
            };
            requirements.push(match expression.get("operator")?.as_str()? {
                "In" => Requirement::In(key, values()?),
                "NotIn" => Requirement::NotIn(key, values()?),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::DoesNotExist(key),
                _ => return None,
            });
        }
        Some(Self(requirements))
    }

    /// The command-line form: `app=web,tier in (a,b),!legacy`. `None` if malformed.
    pub fn parse(text: &str) -> Option<Self> {
        split_outside_parentheses(text)
            .into_iter()
            .map(parse_requirement)
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Whether labels satisfy every requirement.
    pub fn matches(&self, labels: &BTreeMap<&str, &str>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels
                .get(key.as_str())
                .is_some_and(|have| values.iter().any(|v| v == have)),
            Requirement::NotIn(key, values) => labels
                .get(key.as_str())
                .is_none_or(|have| values.iter().all(|v| v != have)),
            Requirement::Exists(key) => labels.contains_key(key.as_str()),
            Requirement::DoesNotExist(key) => !labels.contains_key(key.as_str()),
        })
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (position, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(text: &str) -> Option<Requirement> {
    let text = text.trim();
    let key_ok = |key: &str| {
        !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
    };
    let list = |text: &str| -> Option<Vec<String>> {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(
            inner
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
        )
    };
    let checked = |key: &str| key_ok(key.trim()).then(|| key.trim().to_owned());
    if let Some((key, values)) = text.split_once(" notin ") {
        return Some(Requirement::NotIn(checked(key)?, list(values)?));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Some(Requirement::In(checked(key)?, list(values)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Requirement::NotIn(
            checked(key)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(Requirement::In(
            checked(key)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some(key) = text.strip_prefix('!') {
        return Some(Requirement::DoesNotExist(checked(key)?));
    }
    Some(Requirement::Exists(checked(text)?))
}

/// The command-line form.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match requirement {
                Requirement::In(key, values) if values.len() == 1 => {
                    write!(f, "{key}={}", values[0])?;
                }
                Requirement::In(key, values) => write!(f, "{key} in ({})", values.join(","))?,
                Requirement::NotIn(key, values) => write!(f, "{key} notin ({})", values.join(","))?,
                Requirement::Exists(key) => f.write_str(key)?,
                Requirement::DoesNotExist(key) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(selector: &str, labels: &[(&str, &str)], expect: bool) {
        let selector = LabelSelector::parse(selector).expect("a valid selector");
        assert_eq!(selector.matches(&labels.iter().copied().collect()), expect);
        assert_eq!(LabelSelector::parse(&selector.to_string()), Some(selector));
    }

    #[test]
    fn every_operator_matches_as_kubernetes_does() {
        check("app=web", &[("app", "web")], true);
        check("app==web", &[("app", "api")], false);
        check("app!=web", &[], true);
        check(
            "app in (web, api),tier",
            &[("app", "api"), ("tier", "")],
            true,
        );
        check("app notin (web)", &[("app", "web")], false);
        check("!legacy", &[("legacy", "x")], false);
    }

    #[test]
    fn an_empty_structured_selector_matches_all_and_a_malformed_one_is_unknown() {
        let empty = LabelSelector::from_structured(&json!({})).unwrap();
        assert!(empty.matches(&BTreeMap::new()));
        for bad in [
            json!({"matchExpressions": [{"key": "a", "operator": "Sounds"}]}),
            json!({"matchLabels": {"a": 1}}),
            json!("app"),
        ] {
            assert_eq!(LabelSelector::from_structured(&bad), None);
        }
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in ["", "a b c=d", "=x", "a in b", "app=a,,b"] {
            assert_eq!(LabelSelector::parse(text), None, "{text}");
        }
    }
}
