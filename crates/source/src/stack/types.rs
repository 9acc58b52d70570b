//! What a stack file says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::published;

/// Variables that every environment has by itself; `vars` and `secrets` cannot redefine them.
pub const RESERVED_VARIABLES: &[&str] = &["environment", "namespace", "parent", "stack"];

/// A stack: what is deployed, and the environments it is deployed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackFile {
    /// Version of the file format.
    pub api_version: ApiVersion,
    /// Always `Stack`.
    pub kind: StackKind,
    /// The stack's name.
    pub metadata: Metadata,
    /// What is deployed, and where.
    pub spec: StackSpec,
}

/// The JSON Schema of the stack file, for editors.
pub fn json_schema() -> Value {
    published::<StackFile>("stack.v1.json", "Underpin stack file")
}

/// Versions of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first version.
    #[serde(rename = "underpin.dev/v1")]
    V1,
}

/// The kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StackKind {
    /// A stack file.
    Stack,
}

/// Names the stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The stack's name. Namespaces are derived from it; changing it makes another stack.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What is deployed, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackSpec {
    /// Where the objects are declared.
    #[schemars(length(min = 1))]
    pub sources: Vec<Source>,
    /// The environments, by name.
    #[schemars(extend("minProperties" = 1))]
    pub environments: BTreeMap<String, Environment>,
    /// Fields that are applied when an object is created, and then left as they are in the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_fields: Vec<IgnoreFields>,
    /// Bounds on what one run may do.
    #[serde(default)]
    pub limits: Limits,
    /// Namespace in which claims are kept; `underpin-system` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub claims_namespace: Option<String>,
}

/// One place where objects are declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// A file or folder of Kubernetes YAML or JSON, relative to the stack file, or `-` for standard
    /// input. Folders are read with their subfolders: `*.yaml`, `*.yml`, `*.json`.
    #[schemars(length(min = 1))]
    pub manifests: String,
    /// Whether `${variable}` is substituted in them.
    #[serde(default)]
    pub substitute: bool,
}

/// One environment of the stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// The kubeconfig context to deploy to; the current one if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Uid of the cluster's namespace `kube-system`: any other cluster is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The namespace, where it should not be derived from the names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Whether the namespace is shared with others on purpose.
    #[serde(default)]
    pub shared: bool,
    /// The environment this one is a child of; a child gets a namespace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Variables for substitution; numbers and booleans are taken as they are written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = {"type": ["string", "number", "boolean"]}))]
    pub vars: BTreeMap<String, String>,
    /// Secret variables for substitution, by where their values come from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Where the value of a secret variable comes from: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretSource {
    /// An environment variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub env: Option<String>,
    /// A file, relative to the stack file; one line break at its end is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub file: Option<String>,
}

/// Fields of some objects that belong to somebody else once the object exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IgnoreFields {
    /// Kind, with its group where needed: `Deployment`, `Deployment.apps`.
    #[schemars(length(min = 1))]
    pub kind: String,
    /// Name of the object; all objects of the kind if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Field paths, such as `spec.replicas`.
    #[schemars(length(min = 1))]
    pub paths: Vec<String>,
}

/// Bounds on what one run may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Share of an environment's objects, in percent, that one `up` may remove.
    #[serde(default = "Limits::default_removal_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub removal_percent: u8,
}

impl Limits {
    /// The share when the file does not say.
    pub const REMOVAL_PERCENT: u8 = 50;

    fn default_removal_percent() -> u8 {
        Self::REMOVAL_PERCENT
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            removal_percent: Self::REMOVAL_PERCENT,
        }
    }
}
