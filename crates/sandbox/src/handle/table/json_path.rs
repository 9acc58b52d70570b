//! The simple paths of printer columns: `.spec.replicas`, `.spec.hosts[0]`,
//! `.metadata.labels['a\.b']`, `.status.conditions[?(@.type=="Ready")].status`.
//!
//! Source: client-go `util/jsonpath`, the subset that apiextensions allows.

use serde_json::Value;

/// A path that was understood.
#[derive(Debug, PartialEq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    /// From the end if negative.
    Index(i64),
    All,
    /// The elements whose field at the path has that value.
    Where(JsonPath, String),
}

impl JsonPath {
    /// Reads a path; `None` if it is more than these paths can be.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text.trim();
        rest = rest
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(rest);
        rest = rest.strip_prefix('$').unwrap_or(rest);
        while !rest.is_empty() {
            let (step, after) = if let Some(inside) = rest.strip_prefix('[') {
                let (content, after) = bracket(inside)?;
                (bracketed(content)?, after)
            } else {
                let (name, after) = field(rest.strip_prefix('.')?);
                // A lone dot is the object itself.
                if name.is_empty() && after.is_empty() && steps.is_empty() {
                    break;
                }
                if name.is_empty() {
                    return None;
                }
                (
                    if name == "*" {
                        Step::All
                    } else {
                        Step::Key(name)
                    },
                    after,
                )
            };
            steps.push(step);
            rest = after;
        }
        Some(Self(steps))
    }

    /// What is found there, in order.
    pub(super) fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        found
    }
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Key(name), _) => value.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let at = if *index < 0 {
                    length.saturating_add(*index)
                } else {
                    *index
                };
                let item = usize::try_from(at).ok().and_then(|at| items.get(at));
                item.into_iter().collect()
            }
            (Self::All, Value::Array(items)) => items.iter().collect(),
            (Self::All, Value::Object(fields)) => fields.values().collect(),
            (Self::Where(path, wanted), Value::Array(items)) => {
                let fits = |item: &&Value| path.find(item).first().is_some_and(|at| is(at, wanted));
                items.iter().filter(fits).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn is(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Bool(flag) => wanted.parse() == Ok(*flag),
        other => other
            .as_f64()
            .is_some_and(|number| wanted.parse() == Ok(number)),
    }
}

/// A field's name with its escapes taken away, and what follows it.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' => return (name, &text[at..]),
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            other => name.push(other),
        }
    }
    (name, "")
}

/// What is within brackets, quotes respected, and what follows them.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quote) = (1, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

fn bracketed(content: &str) -> Option<Step> {
    let content = content.trim();
    if content == "*" {
        return Some(Step::All);
    }
    if let Some(key) = quoted(content) {
        return Some(Step::Key(key));
    }
    if let Some(filter) = content
        .strip_prefix("?(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        let (path, wanted) = filter.split_once("==")?;
        let path = JsonPath::parse(path.trim().strip_prefix('@')?)?;
        let wanted = wanted.trim();
        return Some(Step::Where(
            path,
            quoted(wanted).unwrap_or_else(|| wanted.to_owned()),
        ));
    }
    content.parse().ok().map(Step::Index)
}

fn quoted(text: &str) -> Option<String> {
    let inside = ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))?;
    let mut name = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.extend(characters.next()),
            other => name.push(other),
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(path: &str, expect: &Value) {
        let object = json!({
            "metadata": {"labels": {"a.b/c": "dotted"}},
            "spec": {"hosts": ["one", "two"], "replicas": 3},
            "status": {"conditions": [
                {"type": "Ready", "status": "True"}, {"type": "Live", "status": "False"},
            ]},
        });
        let path = JsonPath::parse(path).expect("a path");
        assert_eq!(json!(path.find(&object)), *expect);
    }

    #[test]
    fn paths_of_printer_columns_are_followed() {
        check(".spec.replicas", &json!([3]));
        check("{.spec.replicas}", &json!([3]));
        check(".spec.missing.deeper", &json!([]));
        check(".spec.hosts[0]", &json!(["one"]));
        check(".spec.hosts[-1]", &json!(["two"]));
        check(".spec.hosts[7]", &json!([]));
        check(".spec.hosts[*]", &json!(["one", "two"]));
        check(r".metadata.labels['a\.b/c']", &json!(["dotted"]));
        check(r".metadata.labels.a\.b/c", &json!(["dotted"]));
        check(
            r#".status.conditions[?(@.type=="Live")].status"#,
            &json!(["False"]),
        );
        check(".status.conditions[?(@.type == 'Gone')].status", &json!([]));
    }

    #[test]
    fn what_is_no_such_path_is_refused() {
        for text in [
            "spec",
            ".spec[",
            ".spec[x]",
            "..spec",
            ".a[?(@.b)]",
            ".spec['a]",
        ] {
            assert_eq!(JsonPath::parse(text), None, "{text}");
        }
    }
}
