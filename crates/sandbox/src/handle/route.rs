//! From a path to the resource that it names.
//!
//! Source: Kubernetes API concepts, "Resource URIs".

use std::sync::Arc;

use crate::{Failure, Kind, State};

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Arc<Kind>,
    /// Empty for cluster-scoped resources and for lists across namespaces.
    pub(crate) namespace: String,
    /// Empty for collections.
    pub(crate) name: String,
    /// Empty for the object itself.
    pub(crate) subresource: String,
    /// Whether the path asks for a watch, as the old `/watch/` prefix does.
    pub(crate) is_watch: bool,
}

/// Why a path names nothing.
#[derive(Debug)]
pub(crate) enum Unrouted {
    /// The group is served, this is not: a Status says so.
    Status(Box<Failure>),
    /// Nothing of the kind is served: plain text says so.
    Text,
}

impl From<Failure> for Unrouted {
    fn from(failure: Failure) -> Self {
        Self::Status(Box::new(failure))
    }
}

/// Finds the resource that a path names; the path is still percent-encoded.
pub(crate) fn target(state: &State, path: &str) -> Result<Target, Unrouted> {
    let path = percent_decoded(path).ok_or_else(|| Failure::bad_request("invalid URL escape"))?;
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(Unrouted::Text),
    };
    let is_watch = rest.first() == Some(&"watch");
    let rest = if is_watch { &rest[1..] } else { rest };
    let (namespace, rest) = match rest {
        // `/namespaces/x/status` and `/finalize` are about the namespace itself.
        ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let unknown = || {
        if group.is_empty() || state.kinds.all().any(|kind| kind.kind.group == group) {
            Unrouted::from(Failure::not_served())
        } else {
            Unrouted::Text
        }
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource] => (*plural, *name, *subresource),
        _ => return Err(unknown()),
    };
    let kind = state.kinds.find(group, version, plural);
    let kind = kind.ok_or_else(unknown)?.clone();
    let misplaced = if kind.namespaced {
        namespace == Some("") || (namespace.is_none() && !name.is_empty())
    } else {
        namespace.is_some()
    };
    if misplaced && kind.definition.is_some() {
        return Err(Unrouted::Text);
    }
    if misplaced {
        return Err(Failure::not_served().into());
    }
    Ok(Target {
        kind,
        namespace: namespace.unwrap_or_default().to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        is_watch,
    })
}

/// Decodes `%XX`; `None` if an escape is malformed or the result is no UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

/// Decodes a query: `a=b&c`, plus signs for spaces. Malformed pairs are left out, as Go does.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decoded(&text.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(key)?, decoded(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[track_caller]
    fn check(path: &str, expect: &str) {
        let state = State::new(Config::default());
        let found = match target(&state, path) {
            Ok(target) => format!(
                "{} {}/{} {}{}",
                target.kind.resource(),
                target.namespace,
                target.name,
                target.subresource,
                if target.is_watch { "watch" } else { "" }
            ),
            Err(Unrouted::Status(failure)) => failure.code.to_string(),
            Err(Unrouted::Text) => "text".to_owned(),
        };
        assert_eq!(found.trim_end(), expect, "{path}");
    }

    #[test]
    fn paths_name_resources() {
        check("/api/v1/namespaces", "namespaces /");
        check("/api/v1/namespaces/a", "namespaces /a");
        check("/api/v1/namespaces/a/finalize", "namespaces /a finalize");
        check("/api/v1/namespaces/a/pods", "pods a/");
        check("/api/v1/namespaces/a/pods/", "pods a/");
        check("/api/v1/pods", "pods /");
        check("/api/v1/watch/pods", "pods / watch");
        check(
            "/apis/apps/v1/namespaces/a/deployments/x/scale",
            "deployments.apps a/x scale",
        );
        check(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            "clusterroles.rbac.authorization.k8s.io /system:node",
        );
    }

    #[test]
    fn paths_that_name_nothing_are_refused() {
        check("/api/v1/foos", "404");
        check("/api/v1/pods/x", "404");
        check("/api/v1/namespaces//pods", "404");
        check("/api/v1/namespaces/a/nodes", "404");
        check("/api/v1/namespaces/a/pods/x/log/y", "404");
        check("/apis/apps/v9/deployments", "404");
        check("/apis/foo.com/v1/bars", "text");
        check("/", "text");
        check("/api/v1/pods/%zz", "400");
        check("/api/v1/pods/%f", "400");
    }

    #[test]
    fn queries_are_decoded() {
        assert_eq!(
            query("a=b%3Dc&d&&e=f+g&h=%zz"),
            [("a", "b=c"), ("d", ""), ("e", "f g")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }
}
