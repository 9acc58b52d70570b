//! `labelSelector` and `fieldSelector`: which objects a list, a watch or a mass deletion is about.
//!
//! Source: apimachinery `labels.Parse` and `fields.ParseSelector`, messages as there; the fields
//! that can be selected are those of each kind's field label conversion.

mod field;
mod label;

use serde_json::Value;

use crate::{Failure, Kind, Request, object};
use field::FieldTerm;
use label::Requirement;

/// A conjunction of requirements on labels and fields; an empty one matches everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldTerm>,
}

impl Selector {
    /// What a request selects; 400 if it cannot be read.
    pub(crate) fn of(kind: &Kind, request: &Request) -> Result<Self, Failure> {
        let labels = request.parameter("labelSelector").unwrap_or_default();
        let fields = request.parameter("fieldSelector").unwrap_or_default();
        Ok(Self {
            labels: label::parse(labels).map_err(Failure::bad_request)?,
            fields: field::parse(kind, fields).map_err(Failure::bad_request)?,
        })
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        let labels = value.pointer("/metadata/labels");
        let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
        self.labels.iter().all(|one| one.matches(label(&one.key)))
            && self.fields.iter().all(|one| one.matches(value))
    }

    /// Whether everything is selected.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The only name that can match, if one is demanded: then one object is looked up instead of
    /// all.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.iter().find_map(FieldTerm::demanded_name)
    }
}

/// A scalar as field selectors compare it.
fn scalar(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => object::text(value, pointer).to_owned(),
    }
}

#[cfg(test)]
mod tests;
