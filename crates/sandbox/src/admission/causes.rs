//! Collecting what is wrong, in the words of the API's field errors.
//!
//! Source: apimachinery, `util/validation/field`; the wording is the server's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::path::Path;
use crate::Cause;

/// What is wrong with one object, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    found: Vec<Cause>,
}

/// A value as messages show it.
pub(crate) trait Shown {
    /// Strings quoted, everything else as JSON.
    fn shown(&self) -> String;
}

impl Shown for str {
    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Shown for &str {
    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        quoted(self)
    }
}

/// What is shown as it is.
pub(crate) struct Verbatim(pub(crate) String);

impl Shown for Verbatim {
    fn shown(&self) -> String {
        self.0.clone()
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Value {
    fn shown(&self) -> String {
        match self {
            Value::String(text) => quoted(text),
            other => other.to_string(),
        }
    }
}

/// As Go's `%q`.
fn quoted(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + 2);
    result.push('"');
    for c in text.chars() {
        match c {
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            c if c.is_control() => result.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => result.push(c),
        }
    }
    result.push('"');
    result
}

impl Causes {
    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds one that was found elsewhere.
    pub(crate) fn push(&mut self, cause: Cause) {
        self.found.push(cause);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// All of them.
    pub(crate) fn into_inner(self) -> Vec<Cause> {
        self.found
    }

    fn add(&mut self, reason: &str, path: &Path<'_>, mut message: String, detail: &str) {
        if !detail.is_empty() {
            message.push_str(": ");
            message.push_str(detail);
        }
        self.found.push(Cause {
            reason: reason.to_owned(),
            message,
            field: path.to_string(),
        });
    }

    pub(crate) fn required(&mut self, path: &Path<'_>, detail: &str) {
        self.add(
            "FieldValueRequired",
            path,
            "Required value".to_owned(),
            detail,
        );
    }

    pub(crate) fn invalid(&mut self, path: &Path<'_>, value: &(impl Shown + ?Sized), detail: &str) {
        let message = format!("Invalid value: {}", value.shown());
        self.add("FieldValueInvalid", path, message, detail);
    }

    /// Like [`Causes::invalid`] where the value has the wrong JSON type.
    pub(crate) fn type_invalid(
        &mut self,
        path: &Path<'_>,
        value: &(impl Shown + ?Sized),
        detail: &str,
    ) {
        let message = format!("Invalid value: {}", value.shown());
        self.add("FieldValueTypeInvalid", path, message, detail);
    }

    pub(crate) fn forbidden(&mut self, path: &Path<'_>, detail: &str) {
        self.add("FieldValueForbidden", path, "Forbidden".to_owned(), detail);
    }

    pub(crate) fn duplicate(&mut self, path: &Path<'_>, value: &(impl Shown + ?Sized)) {
        let message = format!("Duplicate value: {}", value.shown());
        self.add("FieldValueDuplicate", path, message, "");
    }

    pub(crate) fn not_found(&mut self, path: &Path<'_>, value: &(impl Shown + ?Sized)) {
        let message = format!("Not found: {}", value.shown());
        self.add("FieldValueNotFound", path, message, "");
    }

    pub(crate) fn not_supported(
        &mut self,
        path: &Path<'_>,
        value: &(impl Shown + ?Sized),
        supported: &[&str],
    ) {
        let message = format!("Unsupported value: {}", value.shown());
        let known: Vec<String> = supported.iter().map(|text| quoted(text)).collect();
        let detail = format!("supported values: {}", known.join(", "));
        self.add("FieldValueNotSupported", path, message, &detail);
    }

    pub(crate) fn too_long(&mut self, path: &Path<'_>, limit: usize) {
        let detail = format!("may not be more than {limit} bytes");
        self.add("FieldValueTooLong", path, "Too long".to_owned(), &detail);
    }

    pub(crate) fn too_many(&mut self, path: &Path<'_>, found: usize, limit: usize) {
        let noun = if limit == 1 { "item" } else { "items" };
        let detail = format!("must have at most {limit} {noun}");
        let message = format!("Too many: {found}");
        self.add("FieldValueTooMany", path, message, &detail);
    }

    /// One invalid value for each message.
    pub(crate) fn invalid_each(&mut self, path: &Path<'_>, value: &str, details: &[String]) {
        for detail in details {
            self.invalid(path, value, detail);
        }
    }

    /// `field is immutable` if the two differ; what is missing and what is empty are the same.
    pub(crate) fn immutable(&mut self, path: &Path<'_>, old: Option<&Value>, new: Option<&Value>) {
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        };
        let old = old.filter(|value| !empty(value));
        let new = new.filter(|value| !empty(value));
        if old != new {
            let shown = new.unwrap_or(&Value::Null);
            self.invalid(path, shown, "field is immutable");
        }
    }

    /// Names that occur twice.
    pub(crate) fn duplicates<'n>(
        &mut self,
        list: &Path<'_>,
        field: &str,
        names: impl Iterator<Item = &'n str>,
    ) {
        let mut seen = BTreeSet::new();
        for (at, name) in names.enumerate() {
            if !seen.insert(name) {
                self.duplicate(&list.index(at).child(field), name);
            }
        }
    }
}
