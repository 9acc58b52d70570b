//! What a sandbox says of itself.

use crate::commands::sandbox::Running;
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

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("/tmp/sandbox.kubeconfig"), "/tmp/sandbox.kubeconfig");
        assert_eq!(quoted("/my files/a"), "'/my files/a'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
