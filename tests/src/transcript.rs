//! What differs from run to run is replaced before a snapshot is compared.

use insta::Settings;

/// Patterns that hold for every run.
const ALWAYS: [(&str, &str); 9] = [
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[uid]",
    ),
    (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
        "[time]",
    ),
    (r"\b[0-9a-f]{32}/[0-9a-f]{8}\b", "[stamp]"),
    (
        r"\(context (\w+), v\d+\.\d+\.\d+[^)]*\)",
        "(context $1, [version])",
    ),
    (r"\bprocess \d+\b", "process [id]"),
    (r"(127\.0\.0\.1|localhost):\d{4,5}", "[address]"),
    (
        r#"resourceVersion("?: ?"?)\d+"#,
        "resourceVersion${1}[version]",
    ),
    (r"\b\d+(\.\d+)? ?(ms|µs|s)\b", "[duration]"),
    (r#"/[^\s'"`:]*/(\.tmp|underpin-)[A-Za-z0-9-]{6,}"#, "[dir]"),
];

/// Snapshot settings that replace uids, times, addresses, resource versions, durations and
/// temporary folders, and before them each `(text, replacement)` of `own`, taken literally.
pub fn filters(own: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::clone_current();
    for (text, replacement) in own {
        settings.add_filter(&literal(text), *replacement);
    }
    for (pattern, replacement) in ALWAYS {
        settings.add_filter(pattern, replacement);
    }
    settings
}

/// Runs `assertions` (snapshot macros) with [`filters`].
pub fn with_filters(own: &[(&str, &str)], assertions: impl FnOnce()) {
    filters(own).bind(assertions);
}

/// The pattern that matches `text` and nothing else.
fn literal(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_replaced() {
        with_filters(&[("ns.a", "[namespace]")], || {
            insta::assert_snapshot!(
                "uid 8f14e45f-ceea-467f-ab1d-0123456789ab at 2026-01-02T03:04:05.678Z \
                 on https://127.0.0.1:12345/api in ns.a not nsxa, took 1.5 s, \
                 resourceVersion: \"77\", /tmp/.tmpAbC123/k8s/a.yaml:3:4",
                @r#"uid [uid] at [time] on https://[address]/api in [namespace] not nsxa, took [duration], resourceVersion: "[version]", [dir]/k8s/a.yaml:3:4"#
            );
        });
    }
}
