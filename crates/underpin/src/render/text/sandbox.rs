//! What a sandbox says of itself.

use crate::{commands::sandbox::Running, render::shell::quoted};
use underpin_model::wording;

/// How to use it.
pub(crate) fn sandbox(running: &Running) -> String {
    let nodes = wording::count(running.nodes, "node");
    let mut text = format!(
        "the sandbox runs at {} with {nodes}\n\nuse it in another terminal:\n\n  \
         export KUBECONFIG={}\n  kubectl get all --all-namespaces\n\n",
        running.address,
        quoted(&running.kubeconfig),
    );
    let others: Vec<String> = running
        .contexts()
        .skip(1)
        .map(|(context, user)| format!("  {context} is {user}\n"))
        .collect();
    if !others.is_empty() {
        text.push_str(&format!("other contexts:\n\n{}\n", others.concat()));
    }
    text.push_str("Ctrl-C ends it, and nothing of it is kept\n");
    text
}
