//! Two answers, field by field.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use crate::{glob, server::Answer};

/// Longest value that a difference shows, in characters.
const SHOWN: usize = 600;

/// A field in which the sides differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `topic/sequence`.
    pub(crate) sequence: String,
    /// The number of the request, from 1; what was read in the end is `end/name`.
    pub(crate) step: String,
    /// Of the field, with `/`; `code` where already the status differs.
    pub(crate) path: String,
    /// What each has; `-` for nothing.
    pub(crate) sandbox: String,
    /// The same of the server.
    pub(crate) server: String,
}

impl Difference {
    /// Where it is: what a table's entry names.
    pub(crate) fn place(&self) -> String {
        format!("{} {} {}", self.sequence, self.step, self.path)
    }

    /// Whether the second play may not show it again: an apply that changes nothing counts a version
    /// on old servers when a second ends between it and the one before, for the time of its
    /// managed-fields entry is another then.
    pub(crate) fn may_be_the_clock(&self) -> bool {
        self.path == "/metadata/resourceVersion"
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}\tsandbox {}\tserver {}",
            self.place(),
            self.sandbox,
            self.server
        )
    }
}

/// Compares the answers to one request. Says also how many fields were compared.
pub(crate) fn answers(
    place: (&str, &str),
    ignore: &[String],
    sandbox: &Answer,
    server: &Answer,
) -> (Vec<Difference>, usize) {
    let (sequence, step) = place;
    let difference = |path: &str, sandbox: String, server: String| Difference {
        sequence: sequence.to_owned(),
        step: step.to_owned(),
        path: path.to_owned(),
        sandbox,
        server,
    };
    if sandbox.code != server.code {
        // All else follows from this.
        let differs = difference("code", summary(sandbox), summary(server));
        return (vec![differs], 1);
    }
    let (ours, theirs) = (fields(&sandbox.body, ignore), fields(&server.body, ignore));
    let mut paths: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    paths.sort();
    paths.dedup();
    let shown = |value: Option<&String>| match value {
        Some(value) => value.chars().take(SHOWN).collect(),
        None => "-".to_owned(),
    };
    let differences = paths
        .iter()
        .filter(|path| ours.get(**path) != theirs.get(**path))
        .map(|path| difference(path, shown(ours.get(*path)), shown(theirs.get(*path))))
        .collect();
    (differences, paths.len() + 1)
}

/// Status and message.
fn summary(answer: &Answer) -> String {
    let text = match (&answer.body["message"], &answer.body) {
        (Value::String(message), _) => message.clone(),
        (_, Value::String(text)) => text.trim().to_owned(),
        (_, body) => body["kind"].as_str().unwrap_or_default().to_owned(),
    };
    format!("{} {text}", answer.code)
        .chars()
        .take(SHOWN)
        .collect()
}

/// The leaves of a document by path.
fn fields(value: &Value, ignore: &[String]) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    collect(value, "", &mut leaves);
    leaves.retain(|path, _| !ignore.iter().any(|pattern| glob::matches(pattern, path)));
    leaves
}

fn collect(value: &Value, path: &str, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(value, &format!("{path}/{name}"), leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let is_managers = path.ends_with("/metadata/managedFields");
            for (index, item) in items.iter().enumerate() {
                let index = if is_managers {
                    manager(item, items)
                } else {
                    index.to_string()
                };
                collect(item, &format!("{path}/{index}"), leaves);
            }
        }
        leaf => {
            leaves.insert(path.to_owned(), leaf.to_string());
        }
    }
}

/// What identifies an entry of `managedFields`: manager and operation, and what else it takes.
fn manager(entry: &Value, all: &[Value]) -> String {
    let key = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("manager"), text("operation"))
    };
    let name = key(entry).replace('/', "~1");
    let same: Vec<&Value> = all
        .iter()
        .filter(|other| key(other) == key(entry))
        .collect();
    match same.iter().position(|other| *other == entry) {
        Some(number) if number > 0 => format!("{name} {}", number + 1),
        _ => name,
    }
}
