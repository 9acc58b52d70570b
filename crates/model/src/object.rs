//! Objects as raw JSON with their identity and origin.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::Value;

use crate::{Evidence, FieldPath, GroupKind, ObjectKey, Origin, Stamp, UnknownParts, names};

/// How much of a live object was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Full,
    /// Metadata alone; an absent `spec` means nothing.
    Metadata,
}

/// One object. `value` is the whole manifest as JSON, `metadata` included; unknown fields are kept.
#[derive(Clone)]
pub struct Object {
    /// Identity.
    pub key: ObjectKey,
    /// Version in which `value` is written, such as `v1`; without the group.
    pub version: String,
    /// The manifest.
    pub value: Arc<Value>,
    /// How much of it was read.
    pub depth: Depth,
    /// Where it comes from.
    pub origin: Origin,
    /// What of the manifest is not known, and why.
    pub unknown: UnknownParts,
}

/// An entry of `metadata.ownerReferences`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerReference {
    /// Group and kind of the owner.
    pub kind: GroupKind,
    /// Name of the owner, in the same namespace or cluster-scoped.
    pub name: String,
    /// Identity of the owner.
    pub uid: String,
    /// Whether this owner is the managing controller.
    pub controller: bool,
}

/// Names the object and never its contents: a Secret's value must not reach a log.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Object {
    /// Reads identity from a manifest. `None` when `apiVersion`, `kind` or `metadata.name` is
    /// missing or not a string.
    pub fn from_value(value: Value, depth: Depth, origin: Origin) -> Option<Self> {
        let (group, version) = split_api_version(value.get("apiVersion")?.as_str()?);
        let kind = GroupKind::new(group, value.get("kind")?.as_str()?);
        let metadata = value.get("metadata")?;
        let name = metadata.get("name")?.as_str()?.to_owned();
        let namespace = metadata
            .get("namespace")
            .and_then(Value::as_str)
            .filter(|namespace| !namespace.is_empty())
            .map(str::to_owned);
        let version = version.to_owned();
        let key = ObjectKey {
            kind,
            namespace,
            name,
        };
        Some(Self {
            key,
            version,
            value: Arc::new(value),
            depth,
            origin,
            unknown: UnknownParts::default(),
        })
    }

    /// This object, of which `unknown` is not known.
    #[must_use]
    pub fn with_unknown(self, unknown: UnknownParts) -> Self {
        Self { unknown, ..self }
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        join_api_version(&self.key.kind.group, &self.version)
    }

    /// The value at a JSON pointer (RFC 6901), such as `/spec/replicas`.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        if pointer.contains('~') {
            return self.value.pointer(pointer);
        }
        // `Value::pointer` copies every token to resolve escapes; this is read very often.
        let mut tokens = pointer.split('/').skip(1);
        tokens.try_fold(&*self.value, |at, token| match at {
            Value::Object(fields) => fields.get(token),
            Value::Array(items) => items.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    /// One annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.value
            .get("metadata")?
            .get("annotations")?
            .get(name)?
            .as_str()
    }

    /// One label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.value
            .get("metadata")?
            .get("labels")?
            .get(name)?
            .as_str()
    }

    /// All labels.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        string_map(self.at("/metadata/labels"))
    }

    /// All annotations.
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        string_map(self.at("/metadata/annotations"))
    }

    /// Server-assigned identity; absent for declared objects.
    pub fn uid(&self) -> Option<&str> {
        self.text("/metadata/uid")
    }

    /// Version for optimistic concurrency; absent for declared objects.
    pub fn resource_version(&self) -> Option<&str> {
        self.text("/metadata/resourceVersion")
    }

    /// RFC 3339 time of creation; absent for declared objects.
    pub fn created(&self) -> Option<&str> {
        self.text("/metadata/creationTimestamp")
    }

    /// Whether deletion was requested and finalizers or children hold it.
    pub fn is_terminating(&self) -> bool {
        self.text("/metadata/deletionTimestamp").is_some()
    }

    /// Field managers as `(manager, operation)`, in order of appearance.
    pub fn managers(&self) -> Vec<(&str, &str)> {
        let entries = self.at("/metadata/managedFields").and_then(Value::as_array);
        entries
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                Some((
                    entry.get("manager")?.as_str()?,
                    entry.get("operation")?.as_str()?,
                ))
            })
            .collect()
    }

    /// Owners by `metadata.ownerReferences`.
    pub fn owner_references(&self) -> Vec<OwnerReference> {
        let entries = self
            .at("/metadata/ownerReferences")
            .and_then(Value::as_array);
        entries
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let (group, _) = split_api_version(entry.get("apiVersion")?.as_str()?);
                Some(OwnerReference {
                    kind: GroupKind::new(group, entry.get("kind")?.as_str()?),
                    name: entry.get("name")?.as_str()?.to_owned(),
                    uid: entry.get("uid")?.as_str()?.to_owned(),
                    controller: entry.get("controller").and_then(Value::as_bool) == Some(true),
                })
            })
            .collect()
    }

    /// The stamp of the claim that says this object is its own, if one is there and well-formed.
    pub fn stamp(&self) -> Option<Stamp> {
        self.annotation(names::STAMP_ANNOTATION)?.parse().ok()
    }

    /// A piece of evidence in this object.
    pub fn evidence(&self, path: FieldPath, note: impl Into<String>) -> Evidence {
        Evidence {
            object: self.key.clone(),
            place: self.origin.place_of(&path),
            path,
            note: note.into(),
        }
    }
}

/// Splits `apps/v1` into group and version; `v1` is the core group.
fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn join_api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn string_map(value: Option<&Value>) -> BTreeMap<&str, &str> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_output_names_a_secret_without_its_value() {
        let value = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "db", "namespace": "wallet"},
            "stringData": {"password": "hunter2"},
        });
        let object = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        assert!(!format!("{object:?}").contains("hunter2"));
    }

    #[test]
    fn identity_needs_version_kind_and_name() {
        for value in [
            json!({"kind": "Secret", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "metadata": {"name": "a"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}}),
            json!([1]),
        ] {
            assert!(Object::from_value(value, Depth::Full, Origin::Live).is_none());
        }
    }
}
