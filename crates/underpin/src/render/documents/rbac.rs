use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Roles and their bindings: a List that kubectl takes as well.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RbacDocument<'a> {
    /// What the rights are for: a command, `review` or `images`.
    pub(crate) r#for: &'a str,
    /// `stack/environment`; null without a stack file.
    pub(crate) environment: Option<&'a str>,
    /// What to know before they are applied.
    pub(crate) notes: Vec<String>,
    /// `v1`.
    pub(crate) api_version: &'a str,
    /// `List`.
    pub(crate) kind: &'a str,
    /// Manifests of namespaces, roles and bindings, as Kubernetes defines them.
    pub(crate) items: Vec<Value>,
}
