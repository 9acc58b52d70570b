//! The entries of `metadata.managedFields`.

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::time;
use crate::{FieldSet, FieldsError, value};

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    /// As it is written in an entry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One manager and what it owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerEntry {
    /// The manager's name.
    pub manager: String,
    /// How it came to own its fields.
    pub operation: Operation,
    /// The version that the fields are of.
    pub api_version: String,
    /// When they last changed, RFC 3339.
    pub time: Option<String>,
    /// The subresource that it wrote through; empty for the object itself.
    pub subresource: String,
    /// What it owns.
    pub fields: FieldSet,
}

/// All entries of an object. No two are of the same manager, operation, subresource and, for
/// updates, version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields(pub Vec<ManagerEntry>);

/// Why `managedFields` cannot be read or kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManagedFieldsError {
    /// `metadata.managedFields` is not a list of objects.
    #[error("metadata.managedFields is not a list of objects")]
    Shape,
    /// An entry's field is missing or not what it may be.
    #[error("managed fields entry {index}: {reason}")]
    Entry {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// An entry's `fieldsV1` cannot be read.
    #[error("managed fields entry {index}: {source}")]
    Fields {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        source: FieldsError,
    },
    /// An applied configuration may not say who owns what.
    #[error("metadata.managedFields must be nil")]
    InConfiguration,
    /// An object without `apiVersion`, or with metadata that is no object.
    #[error("{field} is missing or malformed")]
    Object {
        /// Which field.
        field: &'static str,
    },
}

impl ManagerEntry {
    /// Whether both are the same manager's entry to the server.
    pub(super) fn is_same_manager(&self, other: &Self) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// The server's name of the entry; what it sorts conflicts by.
    pub(super) fn identifier(&self) -> String {
        let mut out = "{".to_owned();
        let version = match self.operation {
            Operation::Apply => "",
            Operation::Update => &self.api_version,
        };
        let members = [
            ("manager", &*self.manager),
            ("operation", self.operation.name()),
            ("apiVersion", version),
            ("subresource", &self.subresource),
        ];
        for (name, member) in members.iter().filter(|(_, member)| !member.is_empty()) {
            if out.len() > 1 {
                out.push(',');
            }
            value::write_string(&mut out, name, false);
            out.push(':');
            value::write_string(&mut out, member, true);
        }
        out.push('}');
        out
    }

    /// The time in seconds; 0 where there is none, as the server sorts.
    pub(super) fn seconds(&self) -> i64 {
        self.time.as_deref().and_then(time::seconds).unwrap_or(0)
    }

    fn read(index: usize, entry: &Value) -> Result<Self, ManagedFieldsError> {
        let wrong = |reason| ManagedFieldsError::Entry { index, reason };
        let entry = entry.as_object().ok_or(ManagedFieldsError::Shape)?;
        let text = |name: &str| match entry.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(wrong("a text is not one")),
        };
        let operation = match &*text("operation")? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err(wrong("operation must be `Apply` or `Update`")),
        };
        let api_version = text("apiVersion")?;
        if api_version.is_empty() {
            return Err(wrong("apiVersion must not be empty"));
        }
        match &*text("fieldsType")? {
            "FieldsV1" => {}
            "" => return Err(wrong("missing fieldsType")),
            _ => return Err(wrong("invalid fieldsType")),
        }
        let time = match entry.get("time") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if time::seconds(text).is_some() => Some(text.clone()),
            Some(_) => return Err(wrong("time is not of RFC 3339")),
        };
        let fields = FieldSet::from_fields_v1(entry.get("fieldsV1").unwrap_or(&Value::Null))
            .map_err(|source| ManagedFieldsError::Fields { index, source })?;
        Ok(Self {
            manager: text("manager")?,
            operation,
            api_version,
            time,
            subresource: text("subresource")?,
            fields,
        })
    }

    fn write(&self) -> Value {
        let mut out = Map::new();
        let mut text = |name: &str, text: &str| {
            if !text.is_empty() {
                out.insert(name.to_owned(), Value::String(text.to_owned()));
            }
        };
        text("manager", &self.manager);
        text("operation", self.operation.name());
        text("apiVersion", &self.api_version);
        text("time", self.time.as_deref().unwrap_or_default());
        text("fieldsType", "FieldsV1");
        text("subresource", &self.subresource);
        out.insert("fieldsV1".to_owned(), self.fields.to_fields_v1());
        Value::Object(out)
    }
}

impl ManagedFields {
    /// Reads an object's `metadata.managedFields`; none if it has none.
    pub fn of_object(object: &Value) -> Result<Self, ManagedFieldsError> {
        match object.pointer("/metadata/managedFields") {
            None => Ok(Self::default()),
            Some(entries) => Self::from_json(entries),
        }
    }

    /// Reads a list of entries, or null.
    pub fn from_json(entries: &Value) -> Result<Self, ManagedFieldsError> {
        let entries = match entries {
            Value::Null => return Ok(Self::default()),
            Value::Array(entries) => entries,
            _ => return Err(ManagedFieldsError::Shape),
        };
        let mut managed = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            let entry = ManagerEntry::read(index, entry)?;
            // Of two entries of the same manager the server keeps the last.
            managed.0.retain(|known| !known.is_same_manager(&entry));
            managed.0.push(entry);
        }
        Ok(managed)
    }

    /// Writes the list in the server's order.
    pub fn to_json(&self) -> Value {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by(|left, right| Self::order(left, right));
        Value::Array(entries.into_iter().map(ManagerEntry::write).collect())
    }

    /// Brings the entries into the server's order: operation, time, manager, version,
    /// subresource.
    pub fn sort(&mut self) {
        self.0.sort_by(Self::order);
    }

    fn order(left: &ManagerEntry, right: &ManagerEntry) -> std::cmp::Ordering {
        let key = |entry: &ManagerEntry| (entry.operation, entry.seconds());
        key(left)
            .cmp(&key(right))
            .then_with(|| left.manager.cmp(&right.manager))
            .then_with(|| left.api_version.cmp(&right.api_version))
            .then_with(|| left.subresource.cmp(&right.subresource))
    }

    /// The Apply entry of a manager for a subresource.
    pub fn applied_by(&self, manager: &str, subresource: &str) -> Option<&ManagerEntry> {
        self.0.iter().find(|entry| {
            entry.operation == Operation::Apply
                && entry.manager == manager
                && entry.subresource == subresource
        })
    }

    /// Takes out the entry of the same manager.
    pub(super) fn take(&mut self, like: &ManagerEntry) -> Option<ManagerEntry> {
        let place = self
            .0
            .iter()
            .position(|entry| entry.is_same_manager(like))?;
        Some(self.0.remove(place))
    }

    /// Whether the list means "forget who owns what": `[]` or `[{}]`.
    pub(super) fn is_reset(entries: Option<&Value>) -> bool {
        match entries.and_then(Value::as_array).map(Vec::as_slice) {
            Some([]) => true,
            Some([only]) => *only == json!({}),
            _ => false,
        }
    }
}
