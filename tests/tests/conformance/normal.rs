//! Takes out of an answer what no two runs have in common, and keeps what relates to what: the
//! second version of an object is called that on both sides.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use serde_json::Value;

/// Times of this century's years that sequences do not use themselves.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"\b20(?:2[1-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
});
static UID: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"));
/// Addresses of Services.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b10\.96\.\d+\.\d+\b"));
/// A version in a message.
static VERSION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(resourceversion[^0-9]{0,30}?)\d+"));
/// An address of the server's memory in a message.
static POINTER: LazyLock<Regex> = LazyLock::new(|| pattern(r"0xc[0-9a-f]{6,}"));
/// The token of a page.
const CONTINUE: &str = "continue";
/// Length of the random part of a generated name.
const GENERATED_LENGTH: usize = 5;
/// As much of the base as stands before it.
const GENERATED_BASE_LIMIT: usize = 58;
/// What a conflict of field managers is called.
const MANAGER_CONFLICT: &str = "FieldManagerConflict";

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// What one side has called things so far.
#[derive(Default)]
pub(crate) struct Names {
    uids: HashMap<String, String>,
    versions: HashMap<(String, String), usize>,
    generated: HashMap<String, String>,
    /// How many different ones each has had.
    counts: BTreeMap<String, usize>,
}

impl Names {
    /// An answer that can be compared. The uids of dry runs are nobody's.
    pub(crate) fn normal(&mut self, mut value: Value, is_dry_run: bool) -> Value {
        let uid = value["metadata"]["uid"].as_str();
        if let Some(uid) = uid.filter(|uid| is_dry_run && !self.uids.contains_key(*uid)) {
            self.uids
                .insert(uid.to_owned(), "<uid of a dry run>".to_owned());
        }
        self.learn(&value);
        self.replace(&mut value, "");
        value
    }

    fn count(&mut self, of: &str) -> usize {
        let count = self.counts.entry(of.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Remembers the identities of all objects in a document.
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(metadata) = fields.get("metadata") {
                    self.learn_metadata(metadata);
                }
                fields.values().for_each(|value| self.learn(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    fn learn_metadata(&mut self, metadata: &Value) {
        let text = |field: &str| metadata[field].as_str().unwrap_or_default();
        let (name, base, uid) = (text("name"), text("generateName"), text("uid"));
        let kept = base.get(..GENERATED_BASE_LIMIT).unwrap_or(base);
        let random = name.strip_prefix(kept).unwrap_or_default();
        if !base.is_empty()
            && random.len() == GENERATED_LENGTH
            && !self.generated.contains_key(name)
        {
            let number = self.count(base);
            self.generated
                .insert(name.to_owned(), format!("{base}<{number}>"));
        }
        let name = self.generated.get(name).cloned().unwrap_or(name.to_owned());
        if !uid.is_empty() && !self.uids.contains_key(uid) {
            let number = self.count(&format!("uid {name}"));
            self.uids
                .insert(uid.to_owned(), format!("<uid {number} of {name}>"));
        }
    }

    fn replace(&mut self, value: &mut Value, field: &str) {
        match value {
            Value::Object(fields) => {
                let uid = fields.get("uid").and_then(Value::as_str);
                let uid = uid.unwrap_or_default().to_owned();
                // Older servers spell out that an embedded object has no such time.
                if fields.get("creationTimestamp").is_some_and(Value::is_null) {
                    fields.remove("creationTimestamp");
                }
                // Uids are keys where a list is merged by them.
                if fields.keys().any(|key| UID.is_match(key)) {
                    let renamed = std::mem::take(fields).into_iter();
                    *fields = renamed
                        .map(|(key, value)| (self.text(&key), value))
                        .collect();
                }
                for (field, value) in fields.iter_mut() {
                    match (field.as_str(), value.as_str()) {
                        ("resourceVersion", Some(version)) if !version.is_empty() => {
                            *value = self.version(&uid, version).into();
                        }
                        (CONTINUE, Some(token)) if !token.is_empty() => *value = "<token>".into(),
                        _ => self.replace(value, field),
                    }
                }
            }
            Value::Array(items) => {
                for item in items.iter_mut() {
                    self.replace(item, field);
                }
                // The server collects conflicts of several managers in no order.
                if items.iter().all(|item| item["reason"] == MANAGER_CONFLICT) {
                    items.sort_by_cached_key(Value::to_string);
                }
            }
            Value::String(text) => *text = self.text(&sorted_errors(text)),
            Value::Number(_) if matches!(field, "nodePort" | "healthCheckNodePort") => {
                *value = "<port>".into();
            }
            _ => {}
        }
    }

    /// The how-manieth version of an object; of a list there is but one.
    fn version(&mut self, uid: &str, version: &str) -> String {
        if uid.is_empty() {
            return "<version>".to_owned();
        }
        let key = (uid.to_owned(), version.to_owned());
        let known = self.versions.get(&key).copied();
        let number = known.unwrap_or_else(|| {
            let number = self.count(&format!("version {uid}"));
            self.versions.insert(key, number);
            number
        });
        format!("<version {number}>")
    }

    fn text(&self, text: &str) -> String {
        let text = UID.replace_all(text, |found: &Captures<'_>| {
            let known = self.uids.get(&found[0]);
            known.cloned().unwrap_or_else(|| found[0].to_owned())
        });
        let text = TIME.replace_all(&text, "<time>");
        let text = ADDRESS.replace_all(&text, "<address>");
        let text = VERSION.replace_all(&text, "${1}<version>");
        let text = POINTER.replace_all(&text, "0x…");
        let mut text = text.into_owned();
        let mut generated: Vec<_> = self.generated.iter().collect();
        generated.sort();
        for (name, normal) in generated {
            text = text.replace(name, normal);
        }
        text
    }
}

/// A message with several errors, which the server finds in no order.
fn sorted_errors(text: &str) -> String {
    match text.split_once("errors:\n") {
        Some((before, errors)) => {
            let mut lines: Vec<&str> = errors.lines().collect();
            lines.sort_unstable();
            format!("{before}errors:\n{}", lines.join("\n"))
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Names;

    #[test]
    fn what_relates_stays_related() {
        let mut names = Names::default();
        let uid = "0a8c9d2e-0000-4000-8000-00000000000a";
        let object = |version: &str| {
            json!({"metadata": {"name": "a", "uid": uid, "resourceVersion": version,
                                "creationTimestamp": "2031-01-02T03:04:05Z"},
                   "spec": {"renewTime": "2020-01-01T00:00:00Z"}})
        };
        let first = names.normal(object("17"), false);
        assert_eq!(
            first,
            json!({"metadata": {"name": "a", "uid": "<uid 1 of a>",
                                "resourceVersion": "<version 1>",
                                "creationTimestamp": "<time>"},
                   "spec": {"renewTime": "2020-01-01T00:00:00Z"}})
        );
        assert_eq!(names.normal(object("17"), false), first);
        assert_eq!(
            names.normal(object("21"), false)["metadata"]["resourceVersion"],
            "<version 2>"
        );
        assert_eq!(
            names.normal(json!(format!("no {uid}")), false),
            "no <uid 1 of a>"
        );
    }
}
