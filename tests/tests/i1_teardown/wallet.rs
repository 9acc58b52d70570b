//! The stack of the incident.

use anyhow::Result;
use underpin_tests::{ControlPlane, Kubectl, Stack};

/// What every environment consists of; `${environment}` and `${stack}` are substituted.
const MANIFESTS: &str = include_str!("manifests.yaml");

/// The kinds of [`MANIFESTS`].
pub(crate) const KINDS: &str =
    "deployments.apps,services,secrets,configmaps,horizontalpodautoscalers";

/// The parent.
pub(crate) const PARENT: &str = "production";

/// Its children, the one that was torn down last.
pub(crate) const CHILDREN: [&str; 5] = ["gl-pay", "payhey", "rulex", "smart-gate", "caddy-test"];

/// Parent and children.
pub(crate) fn environments() -> impl Iterator<Item = &'static str> {
    [PARENT].into_iter().chain(CHILDREN)
}

/// The stack file of a stack called `stack`.
pub(crate) fn stack_file(stack: &str) -> String {
    let children: String = CHILDREN
        .iter()
        .map(|child| format!("    {child}: {{ parent: {PARENT} }}\n"))
        .collect();
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {stack} }}\nspec:\n  \
         sources: [{{ manifests: wallet.yaml, substitute: true }}]\n  environments:\n    \
         {PARENT}: {{}}\n{children}"
    )
}

/// A folder with the stack.
pub(crate) fn project(cluster: &ControlPlane, stack: &str) -> Result<Stack> {
    let file = stack_file(stack);
    Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &file), ("wallet.yaml", MANIFESTS)],
    )
}

/// Deploys all environments into one namespace of the stack's name, as the old deployer did.
pub(crate) fn deploy_like_before(kubectl: &Kubectl, stack: &str) -> Result<()> {
    kubectl.run(["create", "namespace", stack])?;
    for environment in environments() {
        let text = MANIFESTS
            .replace("${environment}", environment)
            .replace("${stack}", stack);
        kubectl.create_in(stack, &text)?;
    }
    Ok(())
}

/// Whether an object's name, as [`Kubectl::uids`] writes it, carries the environment.
pub(crate) fn is_of(name: &str, environment: &str) -> bool {
    let Some((_, name)) = name.split_once('/') else {
        return false;
    };
    let Some(rest) = name.strip_prefix("wallet-") else {
        return false;
    };
    let suffix = rest.strip_prefix(environment);
    suffix.is_some_and(|suffix| matches!(suffix, "" | "-settings" | "-database" | "-pull"))
}
