//! What names, keys and values may look like, and what the server says of others.
//!
//! Source: apimachinery, `util/validation`; the wording is the server's.

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// The rule for one kind of name: what is wrong with it, if anything.
pub(crate) type Rule = fn(&str) -> Vec<String>;

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

fn pattern(what: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|e| format!("'{e}', ")).collect();
    format!(
        "{what} (e.g. {}regex used for validation is '{regex}')",
        examples.join(" or ")
    )
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&first), Some(&last)) if is_lower(first) && is_lower(last))
        && bytes.iter().all(|&byte| is_lower(byte) || byte == b'-')
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

/// RFC 1123 label: namespaces, containers, volumes.
pub(crate) fn label(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > 63 {
        found.push(too_long(63));
    }
    if !is_label(name) {
        found.push(if is_subdomain(name) {
            "must not contain dots".to_owned()
        } else {
            pattern(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    found
}

/// RFC 1123 subdomain: most names.
pub(crate) fn subdomain(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > 253 {
        found.push(too_long(253));
    }
    if !is_subdomain(name) {
        found.push(pattern(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN,
            &["example.com"],
        ));
    }
    found
}

/// `*.` and a subdomain.
pub(crate) fn wildcard_subdomain(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > 253 {
        found.push(too_long(253));
    }
    if !name.strip_prefix("*.").is_some_and(is_subdomain) {
        found.push(pattern(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &format!("\\*\\.{SUBDOMAIN}"),
            &["*.example.com"],
        ));
    }
    found
}

/// RFC 1035 label: services, a definition's names.
pub(crate) fn label_1035(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > 63 {
        found.push(too_long(63));
    }
    if !is_label(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        found.push(pattern(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
            LABEL_1035,
            &["my-name", "abc-123"],
        ));
    }
    found
}

/// A path's segment: the names of RBAC objects and of custom resources' namespaces.
pub(crate) fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    let within = ["/", "%"].iter().filter(|part| name.contains(**part));
    within
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

fn is_key_part(name: &str) -> bool {
    let bytes = name.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// A label's key: a name with an optional domain before it.
pub(crate) fn qualified(key: &str) -> Vec<String> {
    const WHAT: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    const EXAMPLES: [&str; 3] = ["MyName", "my.name", "123-abc"];
    let mut found = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                found.push("prefix part must be non-empty".to_owned());
            } else {
                found.extend(
                    subdomain(prefix)
                        .iter()
                        .map(|say| format!("prefix part {say}")),
                );
            }
            *name
        }
        _ => {
            let say = pattern(&format!("a qualified name {WHAT}"), KEY, &EXAMPLES);
            return vec![format!(
                "{say} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        found.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        found.push(format!("name part {}", too_long(63)));
    }
    if !is_key_part(name) {
        found.push(format!("name part {}", pattern(WHAT, KEY, &EXAMPLES)));
    }
    found
}

/// A label's value.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    if value.len() > 63 {
        found.push(too_long(63));
    }
    if !value.is_empty() && !is_key_part(value) {
        found.push(pattern(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            &format!("({KEY})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    found
}

/// A key of a ConfigMap or Secret.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    let mut found = Vec::new();
    if key.len() > 253 {
        found.push(too_long(253));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if key.is_empty() || !key.bytes().all(allowed) {
        found.push(pattern(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    found.extend(steps_back(key));
    found
}

/// The name of an environment variable.
pub(crate) fn environment_variable(name: &str) -> Vec<String> {
    let printable = |c: char| c.is_ascii() && !c.is_ascii_control() && c != '=';
    let mut found = Vec::new();
    if name.is_empty() {
        found.push("environment variable name must be non-empty".to_owned());
    }
    if !name.chars().all(printable) {
        found.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    found
}

fn steps_back(name: &str) -> Option<String> {
    match name {
        "." => Some("must not be '.'".to_owned()),
        ".." => Some("must not be '..'".to_owned()),
        name if name.starts_with("..") => Some("must not start with '..'".to_owned()),
        _ => None,
    }
}

/// The name of a port.
pub(crate) fn port_name(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    if name.len() > 15 {
        found.push(too_long(15));
    }
    if name.is_empty() || !name.bytes().all(|byte| is_lower(byte) || byte == b'-') {
        found.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        found.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        found.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        found.push("must not begin or end with a hyphen".to_owned());
    }
    found
}

/// The number of a port.
pub(crate) fn port_number(number: i64) -> Vec<String> {
    if (1..=65_535).contains(&number) {
        Vec::new()
    } else {
        vec![between(1, 65_535)]
    }
}

/// `must be between …`.
pub(crate) fn between(least: i64, most: i64) -> String {
    format!("must be between {least} and {most}, inclusive")
}

/// A percentage such as `25%`.
pub(crate) fn percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    vec![pattern(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// The name of an HTTP header.
pub(crate) fn header_name(name: &str) -> Vec<String> {
    if !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Vec::new();
    }
    vec![pattern(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// An IP address.
pub(crate) fn ip_address(text: &str) -> Vec<String> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Vec::new();
    }
    vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()]
}

/// A prefix that the server makes a name from: it may end in a dash.
pub(crate) fn as_prefix(prefix: &str) -> String {
    let mut chars = prefix.chars();
    if prefix.len() > 1 && prefix.ends_with('-') {
        chars.next_back();
        chars.next_back();
        return format!("{}a", chars.as_str());
    }
    prefix.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rule: Rule, name: &str, right: bool) {
        assert_eq!(rule(name).is_empty(), right, "{name}: {:?}", rule(name));
    }

    #[test]
    fn names() {
        for (rule, name, right) in [
            (label as Rule, "a-b", true),
            (label, "a.b", false),
            (label, "-a", false),
            (label, "", false),
            (subdomain, "a.b-c.d", true),
            (subdomain, "a..b", false),
            (subdomain, "A", false),
            (label_1035, "a1", true),
            (label_1035, "1a", false),
            (wildcard_subdomain, "*.a.b", true),
            (wildcard_subdomain, "*.*.b", false),
            (qualified, "example.com/Name_1", true),
            (qualified, "a/b/c", false),
            (qualified, "/b", false),
            (label_value, "", true),
            (label_value, "a_b", true),
            (label_value, "a b", false),
            (config_key, "..x", false),
            (config_key, "a b", false),
            (port_name, "http", true),
            (port_name, "80", false),
            (port_name, "a--b", false),
            (percent, "25%", true),
            (percent, "%", false),
            (path_segment, "a:b", true),
            (path_segment, "a/b", false),
            (environment_variable, "A-B.c", true),
            (environment_variable, "A=B", false),
        ] {
            check(rule, name, right);
        }
        assert_eq!(as_prefix("abc-"), "aba");
    }
}
