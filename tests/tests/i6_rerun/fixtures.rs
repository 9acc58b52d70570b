//! The stack of the incident: an ingress controller, and the application behind it.

/// The ingress as its project installs it, cluster-scoped names with a suffix.
pub(crate) fn ingress(suffix: &str, replicas: u32) -> String {
    include_str!("ingress.yaml")
        .replace("SUFFIX", suffix)
        .replace("REPLICAS", &replicas.to_string())
}

/// The application.
pub(crate) fn application(suffix: &str) -> String {
    include_str!("application.yaml").replace("SUFFIX", suffix)
}

/// Objects of one wave end in any order.
pub(crate) fn sorted_progress(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_step = |line: &str| {
        [
            "  created ",
            "  adopted ",
            "  FAILED ",
            "skipped ",
            "  skipped ",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    let mut start = 0;
    while start < lines.len() {
        let length = lines[start..]
            .iter()
            .take_while(|line| is_step(line))
            .count();
        lines[start..start + length].sort_unstable();
        start += length.max(1);
    }
    lines.join("\n")
}
