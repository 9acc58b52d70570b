//! Identity of objects: group, kind, namespace and name. Never the version, which is a view.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A kind in its API group. The core group is the empty string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupKind {
    /// API group without version, empty for core.
    pub group: String,
    /// Kind as written in manifests, such as `Deployment`.
    pub kind: String,
}

impl GroupKind {
    /// A kind in a group.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
        }
    }

    /// A kind of the core group.
    pub fn core(kind: impl Into<String>) -> Self {
        Self::new("", kind)
    }

    /// Whether this is the kind `kind` of group `group`.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

/// `deployment.apps`, `namespace`.
impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.to_ascii_lowercase())?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// One object in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Group and kind.
    #[serde(flatten)]
    pub kind: GroupKind,
    /// Namespace, absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// A namespaced object.
    pub fn namespaced(
        kind: GroupKind,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            namespace: Some(namespace.into()),
            name: name.into(),
        }
    }

    /// A cluster-scoped object.
    pub fn cluster(kind: GroupKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: None,
            name: name.into(),
        }
    }

    /// The Namespace object `name`.
    pub fn of_namespace(name: impl Into<String>) -> Self {
        Self::cluster(GroupKind::core("Namespace"), name)
    }

    /// Whether this key names a Namespace object.
    pub fn is_namespace(&self) -> bool {
        self.kind.is("", "Namespace")
    }

    /// The key written as a finding's subject matches it: `UP101:namespace/wallet` is accepted
    /// whatever the case of the kind.
    pub fn subject(&self) -> String {
        self.to_string()
    }
}

/// `deployment.apps/wallet/web`, `namespace/wallet`: two or three segments, so that it parses back.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)
    }
}

/// An object as its stack declares it, independent of where the environment lives. The claim maps
/// it to an [`ObjectKey`], so that a changed derivation of the placement moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogicalKey {
    /// Group and kind.
    pub kind: GroupKind,
    /// Namespace only where the manifest names one that is not the placement.
    pub namespace: Option<String>,
    /// Declared name.
    pub name: String,
}

impl LogicalKey {
    /// The logical key of a live object in an environment placed in `placement`.
    pub fn of(key: &ObjectKey, placement: &str) -> Self {
        Self {
            kind: key.kind.clone(),
            namespace: key
                .namespace
                .clone()
                .filter(|namespace| namespace != placement),
            name: key.name.clone(),
        }
    }
}

/// Same grammar as [`ObjectKey`]; the placement's namespace is left out.
impl fmt::Display for LogicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.kind.group, self.kind.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        write!(f, "{}", self.name)
    }
}

/// A text that is not `group/Kind/[namespace/]name`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not of the form group/Kind/name or group/Kind/namespace/name")]
pub struct ParseKeyError(String);

impl FromStr for LogicalKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (group, kind, namespace, name) = match parts[..] {
            [group, kind, name] => (group, kind, None, name),
            [group, kind, namespace, name] => (group, kind, Some(namespace), name),
            _ => return Err(ParseKeyError(text.to_owned())),
        };
        if kind.is_empty() || name.is_empty() || namespace == Some("") {
            return Err(ParseKeyError(text.to_owned()));
        }
        Ok(Self {
            kind: GroupKind::new(group, kind),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_keys_survive_the_way_through_text() {
        for key in [
            LogicalKey {
                kind: GroupKind::core("Secret"),
                namespace: None,
                name: "a".into(),
            },
            LogicalKey {
                kind: GroupKind::new("apps", "Deployment"),
                namespace: Some("other".into()),
                name: "web".into(),
            },
        ] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn malformed_logical_keys_are_refused() {
        for text in [
            "",
            "a",
            "a/b",
            "//",
            "apps//web",
            "a/b/c/d/e",
            "apps/Deployment//web",
        ] {
            assert!(text.parse::<LogicalKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn display_is_kind_group_namespace_name() {
        let key = ObjectKey::namespaced(GroupKind::new("apps", "Deployment"), "wallet", "web");
        assert_eq!(key.to_string(), "deployment.apps/wallet/web");
        assert_eq!(
            ObjectKey::of_namespace("wallet").to_string(),
            "namespace/wallet"
        );
    }
}
