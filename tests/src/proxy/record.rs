//! What is known of a request, and whether it can change anything.

use http::Method;
use jiff::Timestamp;
use serde_json::Value;

/// Questions that are asked by POST and change nothing.
const QUESTIONS: [&str; 6] = [
    "/selfsubjectaccessreviews",
    "/selfsubjectrulesreviews",
    "/subjectaccessreviews",
    "/localsubjectaccessreviews",
    "/tokenreviews",
    "/selfsubjectreviews",
];

/// One request, as a policy sees it. Bodies are not kept: they hold Secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestInfo {
    /// Place in the order of arrival, from 1.
    pub number: u64,
    /// Place among the mutating requests, from 1; `None` for a request that changes nothing.
    pub mutation: Option<u64>,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query without `?`, as sent; empty when there is none.
    pub query: String,
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The request.
    pub request: RequestInfo,
    /// When it arrived.
    pub at: Timestamp,
    /// The server's status; `None` while it is under way, and when the server never answered
    /// or was never asked.
    pub upstream: Option<u16>,
    /// The status that the client got; `None` while it is under way, and when the connection
    /// was cut.
    pub delivered: Option<u16>,
}

/// Whether a request can change the cluster: everything but reads, dry runs and questions about
/// rights. A dry run is told by the query, for a deletion by the body too; what cannot be read
/// counts as mutating.
pub(crate) fn is_mutating(method: &Method, path: &str, query: &str, body: &[u8]) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return false;
    }
    let question = *method == Method::POST
        && (path.starts_with("/apis/authorization.k8s.io/")
            || path.starts_with("/apis/authentication.k8s.io/"))
        && QUESTIONS.iter().any(|ending| path.ends_with(ending));
    let dry_query = query.split('&').any(|pair| pair == "dryRun=All");
    let dry_body = *method == Method::DELETE && is_dry_run(body);
    !(question || dry_query || dry_body)
}

fn is_dry_run(options: &[u8]) -> bool {
    serde_json::from_slice::<Value>(options)
        .is_ok_and(|options| options["dryRun"] == serde_json::json!(["All"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, target: &str, body: &str, expect: bool) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(
            is_mutating(&method, path, query, body.as_bytes()),
            expect,
            "{method} {target}"
        );
    }

    #[test]
    fn what_counts_as_mutating() {
        check("GET", "/api/v1/pods?watch=1", "", false);
        check("HEAD", "/api", "", false);
        check("OPTIONS", "/api", "", false);
        check("POST", "/api/v1/namespaces", "{}", true);
        check(
            "POST",
            "/api/v1/namespaces?dryRun=All&fieldManager=a",
            "{}",
            false,
        );
        check(
            "PATCH",
            "/api/v1/namespaces/a?fieldManager=dryRun=All",
            "{}",
            true,
        );
        check("PATCH", "/api/v1/namespaces/a?xdryRun=All", "{}", true);
        check(
            "DELETE",
            "/api/v1/namespaces/a",
            r#"{"dryRun":["All"]}"#,
            false,
        );
        check("DELETE", "/api/v1/namespaces/a", r#"{"dryRun":[]}"#, true);
        check("DELETE", "/api/v1/namespaces/a", "no JSON", true);
        check("PUT", "/api/v1/namespaces/a", r#"{"dryRun":["All"]}"#, true);
        check(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            "{}",
            false,
        );
        check(
            "PUT",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            "{}",
            true,
        );
        check(
            "POST",
            "/apis/example.org/v1/selfsubjectaccessreviews",
            "{}",
            true,
        );
        check("POST", "/apis/authorization.k8s.io/v1/other", "{}", true);
        check(
            "POST",
            "/apis/authentication.k8s.io/v1/tokenreviews",
            "{}",
            false,
        );
    }
}
