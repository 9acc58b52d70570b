//! A request, free of any HTTP library's types.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Such as `admin` or `system:serviceaccount:apps:deployer`.
    pub name: String,
    /// Such as `system:masters`.
    pub groups: Vec<String>,
}

impl User {
    /// Who may do everything.
    pub fn admin() -> Self {
        Self {
            name: "kubernetes-admin".to_owned(),
            groups: vec![
                "system:masters".to_owned(),
                "system:authenticated".to_owned(),
            ],
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: Method,
    /// Percent-encoded, without the query.
    pub path: String,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// The `Accept` header; empty if there is none.
    pub accept: String,
    /// The `Content-Type` header; empty if there is none.
    pub content_type: String,
    /// `User-Agent`: the default field manager is its part before the first `/`.
    pub user_agent: String,
    /// The body.
    pub body: Bytes,
    /// Who asks.
    pub user: User,
}

impl Request {
    /// A query parameter; the first of several.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether nothing is to be persisted: `dryRun=All`, or for a deletion that has a body, what that
    /// says.
    pub(crate) fn is_dry_run(&self) -> bool {
        if self.method == Method::DELETE && !self.body.is_empty() {
            let options: Value = serde_json::from_slice(&self.body).unwrap_or_default();
            let asked = options.get("dryRun").and_then(Value::as_array);
            return asked.is_some_and(|asked| asked.iter().any(|one| one == "All"));
        }
        self.query
            .iter()
            .any(|(key, value)| key == "dryRun" && value == "All")
    }
}
