//! What a request was about, for error messages.

use std::fmt;

use underpin_model::{ObjectKey, ResourceKind};

/// A verb on a resource: what a request was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The API verb as access rules name it: `list`, `get`, `patch`, `delete`, `create`.
    pub verb: &'static str,
    /// Plural and group, such as `deployments.apps`; a path where there is no resource.
    pub resource: String,
    /// The namespace; absent for cluster-scoped objects and cluster-wide lists.
    pub namespace: Option<String>,
    /// The object's name; absent for lists.
    pub name: Option<String>,
}

impl Act {
    /// A request that is about no object, such as `/version`.
    pub(crate) fn on_path(path: &str) -> Self {
        Self {
            verb: "get",
            resource: path.to_owned(),
            namespace: None,
            name: None,
        }
    }

    /// A list in a namespace, or at cluster scope.
    pub(crate) fn on_list(kind: &ResourceKind, namespace: Option<&str>) -> Self {
        Self {
            verb: "list",
            resource: resource_name(kind),
            namespace: namespace.map(str::to_owned),
            name: None,
        }
    }

    /// A request about one object.
    pub(crate) fn on_object(verb: &'static str, kind: &ResourceKind, key: &ObjectKey) -> Self {
        Self {
            verb,
            resource: resource_name(kind),
            namespace: key.namespace.clone(),
            name: Some(key.name.clone()),
        }
    }

    /// Whether the request or its answer may hold values of a Secret.
    pub(crate) fn touches_secrets(&self) -> bool {
        self.resource == "secrets"
    }
}

/// `deployments.apps`, `secrets`.
fn resource_name(kind: &ResourceKind) -> String {
    if kind.kind.group.is_empty() {
        kind.plural.clone()
    } else {
        format!("{}.{}", kind.plural, kind.kind.group)
    }
}

/// `list secrets at cluster scope`, `patch deployments.apps wallet/web`.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (None, Some(name)) => write!(f, " {name}"),
            (Some(namespace), None) => write!(f, " in {namespace}"),
            (None, None) if self.verb == "list" => f.write_str(" at cluster scope"),
            (None, None) => Ok(()),
        }
    }
}
