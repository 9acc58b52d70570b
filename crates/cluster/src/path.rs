//! Paths and queries of API requests.

use std::fmt::Write as _;

use underpin_model::{ObjectKey, ResourceKind};

/// `/api/v1`, `/apis/apps/v1`.
pub(crate) fn version_path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("/api/{}", segment(version))
    } else {
        format!("/apis/{}/{}", segment(group), segment(version))
    }
}

/// The document of a named group: which versions it has.
pub(crate) fn group_path(group: &str) -> String {
    format!("/apis/{}", segment(group))
}

/// The collection of a kind in a namespace, or across all of them.
pub(crate) fn collection(kind: &ResourceKind, namespace: Option<&str>) -> String {
    let root = version_path(&kind.kind.group, &kind.version);
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{root}/namespaces/{}/{}", segment(namespace), kind.plural),
        None => format!("{root}/{}", kind.plural),
    }
}

/// One object.
pub(crate) fn object(kind: &ResourceKind, key: &ObjectKey) -> String {
    let collection = collection(kind, key.namespace.as_deref());
    format!("{collection}/{}", segment(&key.name))
}

/// Appends query parameters, percent-encoded.
pub(crate) fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (position, (name, value)) in parameters.iter().enumerate() {
        out.push(if position == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        out.push_str(&segment(value));
    }
    out
}

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3) and the colon,
/// which names of roles hold. `.` and `..` cannot be names of objects: the API server refuses them.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(segment(text), expect);
    }

    #[test]
    fn segments_are_percent_encoded() {
        check("web-1.v2", "web-1.v2");
        check("system:node", "system:node");
        check("a/b?c", "a%2Fb%3Fc");
        check("é", "%C3%A9");
    }

    #[test]
    fn queries_are_appended_in_order() {
        let path = with_query("/api/v1/pods", &[("limit", "5"), ("continue", "a=b&c")]);
        assert_eq!(path, "/api/v1/pods?limit=5&continue=a%3Db%26c");
    }
}
