//! What a request is, as authorisation sees it.
//!
//! Source: Kubernetes documentation, "Authorization", "Review your request attributes".

use http::Method;

use crate::Request;

/// Verb and target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`,
    /// `impersonate`, `bind`, `escalate`; of paths the method in lower case.
    pub(crate) verb: String,
    /// What it is about.
    pub(crate) target: Target,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A resource. Fields that a request does not have are empty.
    Resource {
        group: String,
        /// The plural.
        resource: String,
        subresource: String,
        namespace: String,
        name: String,
    },
    /// Any other path.
    Path(String),
}

/// Paths of namespaces that name a subresource, not a resource in the namespace.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl Attributes {
    /// The attributes of a request, from its path and method alone: the resource need not exist.
    pub(crate) fn of(request: &Request) -> Self {
        let parts: Vec<String> = request
            .path
            .trim_matches('/')
            .split('/')
            .map(decoded)
            .collect();
        let (group, parts) = match parts.as_slice() {
            [api, _version, rest @ ..] if api == "api" && !rest.is_empty() => (String::new(), rest),
            [apis, group, _version, rest @ ..] if apis == "apis" && !rest.is_empty() => {
                (group.clone(), rest)
            }
            _ => {
                return Self {
                    verb: request.method.as_str().to_ascii_lowercase(),
                    target: Target::Path(decoded(&request.path)),
                };
            }
        };
        let (watch, parts) = match parts {
            [first, rest @ ..] if first == "watch" && !rest.is_empty() => (true, rest),
            parts => (false, parts),
        };
        let namespace = match parts {
            [first, namespace, ..] if first == "namespaces" => namespace.clone(),
            _ => String::new(),
        };
        let parts = match parts {
            [first, _, rest @ ..]
                if first == "namespaces"
                    && rest
                        .first()
                        .is_some_and(|part| !NAMESPACE_SUBRESOURCES.contains(&part.as_str())) =>
            {
                rest
            }
            parts => parts,
        };
        let part = |at: usize| parts.get(at).cloned().unwrap_or_default();
        let (resource, mut name, subresource) = (part(0), part(1), part(2));
        let verb = verb(request, watch, name.is_empty());
        if name.is_empty() && (verb == "list" || verb == "watch") {
            name = selected_name(request).unwrap_or_default();
        }
        Self {
            verb: verb.to_owned(),
            target: Target::Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
            },
        }
    }
}

fn verb(request: &Request, watch: bool, unnamed: bool) -> &'static str {
    let watches = || {
        request
            .parameter("watch")
            .is_some_and(|value| !matches!(value, "false" | "0"))
    };
    match request.method {
        _ if watch => "watch",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if unnamed => "deletecollection",
        Method::DELETE => "delete",
        Method::GET | Method::HEAD if unnamed && watches() => "watch",
        Method::GET | Method::HEAD if unnamed => "list",
        Method::GET | Method::HEAD => "get",
        _ => "",
    }
}

/// The only name that a field selector leaves: a role may grant a list of it by `resourceNames`.
fn selected_name(request: &Request) -> Option<String> {
    let selector = request.parameter("fieldSelector")?;
    let name = selector.split(',').find_map(|term| {
        let value = term.trim().strip_prefix("metadata.name=")?;
        Some(value.strip_prefix('=').unwrap_or(value))
    })?;
    let is_segment = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '%']);
    is_segment.then(|| name.to_owned())
}

/// A path with its percent escapes resolved; malformed ones stay as they are.
fn decoded(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hexadecimal(*high).zip(hexadecimal(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high * 16 + low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

fn hexadecimal(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::User;

    #[track_caller]
    fn check(method: &str, path: &str, expect: &str) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query.split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        });
        let attributes = Attributes::of(&Request {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: query.collect(),
            accept: String::new(),
            content_type: String::new(),
            user_agent: String::new(),
            body: bytes::Bytes::new(),
            user: User::admin(),
        });
        let text = match attributes.target {
            Target::Path(path) => format!("{} {path}", attributes.verb),
            Target::Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
            } => format!(
                "{} group={group} {resource}/{subresource} in={namespace} name={name}",
                attributes.verb
            ),
        };
        assert_eq!(text, expect, "{method} {path}");
    }

    #[test]
    fn requests() {
        check("GET", "/", "get /");
        check("GET", "/version", "get /version");
        check("GET", "/api/v1", "get /api/v1");
        check("GET", "/apis/apps/v1", "get /apis/apps/v1");
        check("GET", "/api/v1/pods", "list group= pods/ in= name=");
        check(
            "GET",
            "/api/v1/namespaces/a/pods?watch=true",
            "watch group= pods/ in=a name=",
        );
        check(
            "GET",
            "/api/v1/watch/namespaces/a/pods",
            "watch group= pods/ in=a name=",
        );
        check(
            "GET",
            "/apis/apps/v1/namespaces/a/deployments/b/status",
            "get group=apps deployments/status in=a name=b",
        );
        check(
            "PATCH",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            "patch group=rbac.authorization.k8s.io clusterroles/ in= name=system:node",
        );
        check(
            "GET",
            "/api/v1/namespaces/a",
            "get group= namespaces/ in=a name=a",
        );
        check(
            "PUT",
            "/api/v1/namespaces/a/finalize",
            "update group= namespaces/finalize in=a name=a",
        );
        check(
            "POST",
            "/api/v1/namespaces",
            "create group= namespaces/ in= name=",
        );
        check(
            "DELETE",
            "/api/v1/namespaces/a/configmaps",
            "deletecollection group= configmaps/ in=a name=",
        );
        check(
            "DELETE",
            "/api/v1/namespaces/a/configmaps/b",
            "delete group= configmaps/ in=a name=b",
        );
        check(
            "GET",
            "/api/v1/namespaces/a/configmaps?fieldSelector=metadata.name=b",
            "list group= configmaps/ in=a name=b",
        );
        check("POST", "/%zz/a", "post /%zz/a");
    }
}
