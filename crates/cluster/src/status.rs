//! From an HTTP refusal to a [`ClusterError`]: the server's `Status` object, or what stands for it.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::{Act, Cause, ClusterError, ConflictKind, FieldConflict};

/// Longest message taken from a server; aggregated servers and proxies answer with whole pages.
const MESSAGE_LIMIT: usize = 1_000;

/// `meta.k8s.io/v1 Status`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    message: String,
    reason: String,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    name: String,
    kind: String,
    causes: Vec<RawCause>,
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawCause {
    reason: String,
    field: String,
    message: String,
}

/// What is known of a refused request.
pub(crate) struct Refusal<'a> {
    pub(crate) act: &'a Act,
    pub(crate) server: &'a str,
    pub(crate) user: &'a str,
    pub(crate) code: StatusCode,
    /// From the `Retry-After` header.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: &'a [u8],
}

impl Refusal<'_> {
    /// The error that the refusal means.
    pub(crate) fn to_error(&self) -> ClusterError {
        let status = self.status();
        let details = status.details.unwrap_or_default();
        let message = self.message(&status.message, &status.reason);
        let act = Box::new(self.act.clone());
        match (self.code.as_u16(), status.reason.as_str()) {
            (401, _) => ClusterError::Unauthorized {
                server: self.server.to_owned(),
                user: self.user.to_owned(),
                message,
            },
            (403, _) => self.forbidden(&details, message),
            (404, _) if details.name.is_empty() => ClusterError::NoMatch {
                act,
                versions: Vec::new(),
            },
            (404, _) => ClusterError::NotFound { act, message },
            (409, reason) => self.conflict(reason, &details, message),
            (410, _) | (_, "Expired") => ClusterError::Gone { act },
            (429, _) => ClusterError::Throttled {
                act,
                retry_after: self.retry_after.or(details.retry_after()),
            },
            (500, "ServerTimeout") => ClusterError::Server {
                act,
                code: 504,
                message,
            },
            (500, _) if failed_webhook(&status.message).is_some() => ClusterError::WebhookFailed {
                act,
                webhook: failed_webhook(&status.message).unwrap_or_default(),
                message,
            },
            (400 | 422, _) => self.invalid(&details, message),
            // The server has no better code for a field of the wrong type in an apply.
            (500, "")
                if status
                    .message
                    .starts_with("failed to create typed patch object") =>
            {
                self.invalid(&details, message)
            }
            (code, _) => ClusterError::Server { act, code, message },
        }
    }

    /// The body's `Status`; for anything else, its text as the message.
    fn status(&self) -> Status {
        serde_json::from_slice(self.body).unwrap_or_else(|_| Status {
            message: String::from_utf8_lossy(self.body).trim().to_owned(),
            ..Status::default()
        })
    }

    /// The server's message, without what may be a value of a Secret: what it says of a malformed
    /// object quotes the object.
    fn message(&self, message: &str, reason: &str) -> String {
        let quotes_object = !matches!(self.code.as_u16(), 401 | 403 | 404 | 409 | 410 | 429);
        if self.act.touches_secrets() && quotes_object {
            let reason = if reason.is_empty() {
                "the Secret is malformed or was refused"
            } else {
                reason
            };
            return format!("{reason} (the server's message is withheld: it may quote a value)");
        }
        if message.is_empty() {
            return self
                .code
                .canonical_reason()
                .unwrap_or("no reason given")
                .to_owned();
        }
        shortened(message)
    }

    fn forbidden(&self, details: &Details, message: String) -> ClusterError {
        let act = Box::new(self.act.clone());
        let terminating = details
            .causes
            .iter()
            .any(|cause| cause.reason == "NamespaceTerminating")
            || message.contains("because it is being terminated");
        match (&self.act.namespace, terminating) {
            (Some(namespace), true) => ClusterError::Terminating {
                namespace: namespace.clone(),
                act,
            },
            _ => ClusterError::Forbidden {
                act,
                user: self.user.to_owned(),
                message,
            },
        }
    }

    fn conflict(&self, reason: &str, details: &Details, message: String) -> ClusterError {
        let act = Box::new(self.act.clone());
        let managers = details.field_conflicts();
        let kind = if reason == "AlreadyExists" {
            ConflictKind::AlreadyExists
        } else if managers.is_empty() {
            if details.kind == "resourcequotas" && !self.act.resource.starts_with("resourcequotas")
            {
                return ClusterError::Server {
                    act,
                    code: 409,
                    message,
                };
            }
            ConflictKind::Precondition
        } else {
            ConflictKind::FieldManagers(managers)
        };
        ClusterError::Conflict { act, kind, message }
    }

    fn invalid(&self, details: &Details, message: String) -> ClusterError {
        let act = Box::new(self.act.clone());
        // An apply that carries another object's uid is refused so, and not as a conflict.
        let uid_differs = |cause: &RawCause| cause.field == "metadata.uid";
        if self.code == StatusCode::UNPROCESSABLE_ENTITY && details.causes.iter().any(uid_differs) {
            return ClusterError::Conflict {
                act,
                kind: ConflictKind::Precondition,
                message: "the object was replaced by another of the same name".to_owned(),
            };
        }
        let causes = details
            .causes
            .iter()
            .map(|cause| Cause {
                reason: cause.reason.clone(),
                field: cause.field.clone(),
                message: self.cause_message(&cause.message),
            })
            .collect();
        ClusterError::Invalid {
            act,
            causes,
            message,
        }
    }

    /// A cause's message; of a Secret only what stands after the quoted value.
    fn cause_message(&self, message: &str) -> String {
        if !self.act.touches_secrets() {
            return shortened(message);
        }
        let known = ["field is immutable", "Required value", "Too long"];
        let told = known.iter().find(|phrase| message.contains(**phrase));
        told.map_or_else(|| "withheld".to_owned(), |phrase| (*phrase).to_owned())
    }
}

/// A message without its middle, if it is long: the server quotes whole objects between the field
/// and what is wrong with it.
fn shortened(message: &str) -> String {
    let length = message.chars().count();
    if length <= MESSAGE_LIMIT {
        return message.to_owned();
    }
    let half = MESSAGE_LIMIT / 2;
    let head: String = message.chars().take(half).collect();
    let tail: String = message.chars().skip(length - half).collect();
    format!("{head} … {tail}")
}

impl Details {
    fn retry_after(&self) -> Option<Duration> {
        (self.retry_after_seconds > 0).then(|| Duration::from_secs(self.retry_after_seconds))
    }

    fn field_conflicts(&self) -> Vec<FieldConflict> {
        let mut conflicts: Vec<FieldConflict> = self
            .causes
            .iter()
            .filter(|cause| cause.reason == "FieldManagerConflict")
            .map(|cause| FieldConflict {
                manager: first_quoted(&cause.message).unwrap_or_else(|| cause.message.clone()),
                field: cause.field.clone(),
                message: cause.message.clone(),
            })
            .collect();
        conflicts.sort();
        conflicts.dedup();
        conflicts
    }
}

/// The webhook of `… failed calling webhook "name": …`, in the words of all versions.
fn failed_webhook(message: &str) -> Option<String> {
    let phrases = [
        "failed calling webhook",
        "failed to call webhook",
        "conversion webhook for",
    ];
    let phrase = phrases.iter().find(|phrase| message.contains(**phrase))?;
    let (_, rest) = message.split_once(phrase)?;
    let name = first_quoted(rest).filter(|_| *phrase != "conversion webhook for");
    let first_word = || rest.trim_start().split([' ', ',', ':']).next();
    name.or_else(|| first_word().map(str::to_owned))
}

/// The first text in double quotes.
fn first_quoted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('"')?;
    let (quoted, _) = rest.split_once('"')?;
    Some(quoted.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn act(resource: &str) -> Act {
        Act {
            verb: "patch",
            resource: resource.to_owned(),
            namespace: Some("wallet".to_owned()),
            name: Some("web".to_owned()),
        }
    }

    fn error(resource: &str, code: u16, body: &str) -> ClusterError {
        Refusal {
            act: &act(resource),
            server: "https://server",
            user: "ann",
            code: StatusCode::from_u16(code).unwrap(),
            retry_after: None,
            body: body.as_bytes(),
        }
        .to_error()
    }

    fn status(code: u16, reason: &str, message: &str, details: &Value) -> String {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "details": details, "code": code,
        })
        .to_string()
    }

    /// Checks the message, and whether the error is transient and about immutable fields.
    #[track_caller]
    fn check(code: u16, body: &str, message: &str, transient: bool, immutable: bool) {
        let error = error("deployments.apps", code, body);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.is_transient(), transient, "{error:?}");
        assert_eq!(error.is_immutable(), immutable, "{error:?}");
    }

    #[track_caller]
    fn check_immutable(message: &str, expect: bool) {
        let causes = json!({"name": "web", "causes": [
            {"reason": "FieldValueInvalid", "message": message, "field": "spec"},
        ]});
        let body = status(422, "Invalid", "is invalid", &causes);
        let error = error("deployments.apps", 422, &body);
        assert_eq!(error.is_immutable(), expect, "{message}");
    }

    // Bodies as kube-apiserver 1.20.2 wrote them, unless noted.

    #[test]
    fn refusals_of_the_caller() {
        check(
            401,
            &status(401, "Unauthorized", "Unauthorized", &json!(null)),
            "https://server does not accept the credentials of user ann: Unauthorized; log in again",
            false,
            false,
        );
        check(
            403,
            &status(
                403,
                "Forbidden",
                "deployments.apps \"web\" is forbidden: User \"ann\" cannot patch",
                &json!({"name": "web", "group": "apps", "kind": "deployments"}),
            ),
            "cannot patch deployments.apps wallet/web (user ann): \
             deployments.apps \"web\" is forbidden: User \"ann\" cannot patch",
            false,
            false,
        );
        check(
            403,
            &status(
                403,
                "Forbidden",
                "configmaps \"a\" is forbidden: unable to create new content in namespace wallet \
                 because it is being terminated",
                &json!({"name": "a", "kind": "configmaps", "causes": [{
                    "reason": "NamespaceTerminating", "field": "metadata.namespace",
                    "message": "namespace wallet is being terminated",
                }]}),
            ),
            "cannot patch deployments.apps wallet/web: namespace wallet is being deleted; \
             wait until it is gone",
            false,
            false,
        );
    }

    #[test]
    fn what_is_not_there() {
        check(
            404,
            &status(
                404,
                "NotFound",
                "namespaces \"wallet\" not found",
                &json!({"name": "wallet", "kind": "namespaces"}),
            ),
            "cannot patch deployments.apps wallet/web: namespaces \"wallet\" not found",
            false,
            false,
        );
        for body in [
            "404 page not found\n".to_owned(),
            status(404, "NotFound", "the server could not find it", &json!({})),
        ] {
            check(
                404,
                &body,
                "cannot patch deployments.apps wallet/web: the cluster does not serve it; \
                 install what defines it first",
                false,
                false,
            );
        }
    }

    #[test]
    fn conflicts() {
        check(
            409,
            &status(
                409,
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas",
                &json!({"causes": [{
                    "reason": "FieldManagerConflict",
                    "message": "conflict with \"kubectl\" using apps/v1",
                    "field": ".spec.replicas",
                }]}),
            ),
            "cannot patch deployments.apps wallet/web: kubectl owns .spec.replicas",
            false,
            false,
        );
        // A foreign uid in an apply is called an immutable field; deleting would be a mistake.
        let cause = json!({
            "reason": "FieldValueInvalid", "field": "metadata.uid",
            "message": "Invalid value: \"0b27d2c5\": field is immutable",
        });
        check(
            422,
            &status(
                422,
                "Invalid",
                "x",
                &json!({"name": "web", "causes": [cause, cause]}),
            ),
            "cannot patch deployments.apps wallet/web: it was changed since it was read: \
             the object was replaced by another of the same name",
            false,
            false,
        );
        check(
            409,
            &status(
                409,
                "Conflict",
                "Operation cannot be fulfilled on resourcequotas \"q\"",
                &json!({"name": "q", "kind": "resourcequotas"}),
            ),
            "cannot patch deployments.apps wallet/web: the server answered 409: \
             Operation cannot be fulfilled on resourcequotas \"q\"",
            true,
            false,
        );
    }

    #[test]
    fn the_server_is_busy_or_broken() {
        check(
            429,
            &status(
                429,
                "TooManyRequests",
                "wait",
                &json!({"retryAfterSeconds": 1}),
            ),
            "cannot patch deployments.apps wallet/web: \
             the server is busy and asks to try again later",
            true,
            false,
        );
        check(
            500,
            &status(
                500,
                "InternalError",
                "Internal error occurred: failed calling webhook \"v.example.com\": Post: timeout",
                &json!({}),
            ),
            "cannot patch deployments.apps wallet/web: webhook v.example.com failed: Internal \
             error occurred: failed calling webhook \"v.example.com\": Post: timeout",
            true,
            false,
        );
        check(
            410,
            &status(
                410,
                "Expired",
                "The provided continue parameter is too old",
                &json!({}),
            ),
            "cannot patch deployments.apps wallet/web: the server no longer has the version \
             asked for; try again",
            true,
            false,
        );
        check(
            503,
            "upstream connect error",
            "cannot patch deployments.apps wallet/web: the server answered 503: \
             upstream connect error",
            true,
            false,
        );
        check(
            500,
            "",
            "cannot patch deployments.apps wallet/web: the server answered 500: \
             Internal Server Error",
            false,
            false,
        );
    }

    #[test]
    fn immutable_fields_are_known_by_the_servers_causes() {
        for message in [
            "Invalid value: v1.LabelSelector{}: field is immutable",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template', \
             and 'updateStrategy' are forbidden",
            "Forbidden: spec is immutable after creation except resources.requests for bound claims",
            "Invalid value: \"10.0.0.1\": may not change once set",
            "Forbidden: updates to provisioner are forbidden.",
            "Forbidden: updates to reclaimPolicy are forbidden.",
            "Invalid value: rbac.RoleRef{}: cannot change roleRef",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
            "Forbidden: may not be changed in an update.",
            &format!(
                "Invalid value: {}: field is immutable",
                "core.Container{}".repeat(1_000)
            ),
        ] {
            check_immutable(message, true);
        }
        for message in [
            "Required value",
            "Invalid value: 70000: must be between 1 and 65535",
        ] {
            check_immutable(message, false);
        }
    }

    #[test]
    fn a_recreation_that_would_be_refused_too_is_not_offered() {
        let causes = json!({"name": "web", "causes": [
            {"reason": "FieldValueInvalid", "message": "field is immutable", "field": "a"},
            {"reason": "FieldValueRequired", "message": "Required value", "field": "b"},
        ]});
        let error = error(
            "deployments.apps",
            422,
            &status(422, "Invalid", "x", &causes),
        );
        assert!(!error.is_immutable());
    }

    #[test]
    fn values_of_secrets_are_withheld() {
        for (code, reason, message) in [
            (
                500,
                "",
                "failed to create typed patch object: .stringData: expected map, got &{hunter2}",
            ),
            (
                400,
                "BadRequest",
                "Secret in version \"v1\" cannot be handled: |\"password\":\"hunter2\"|",
            ),
            (
                422,
                "Invalid",
                "Secret \"web\" is invalid: data[a]: Invalid value: \"hunter2\"",
            ),
        ] {
            let details = json!({"causes": [
                {"reason": "FieldValueInvalid", "field": "data[a]", "message": "Invalid value: \"hunter2\""},
                {"reason": "FieldValueInvalid", "field": "type", "message": "Invalid value: \"x\": field is immutable"},
            ]});
            let body = status(code, reason, message, &details);
            let error = error("secrets", code, &body);
            assert!(
                !format!("{error} {error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
    }
}
