use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::sandbox::Running;

/// A sandbox that has begun to run.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SandboxDocument<'a> {
    /// The address of its API server.
    server: &'a str,
    /// The kubeconfig file that leads to it.
    kubeconfig: &'a str,
    /// The contexts in that.
    contexts: Vec<ContextDocument<'a>>,
    /// How many nodes it has.
    nodes: u16,
}

/// A kubeconfig context.
#[derive(Serialize, JsonSchema)]
struct ContextDocument<'a> {
    /// Its name.
    name: String,
    /// As whom it asks.
    user: &'a str,
}

impl<'a> From<&'a Running> for SandboxDocument<'a> {
    fn from(running: &'a Running) -> Self {
        let contexts = running.contexts();
        Self {
            server: &running.address,
            kubeconfig: &running.kubeconfig,
            contexts: contexts
                .map(|(name, user)| ContextDocument { name, user })
                .collect(),
            nodes: running.nodes,
        }
    }
}
