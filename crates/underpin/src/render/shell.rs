//! What is printed to be pasted into a shell.

/// A text as a shell takes it.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
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
