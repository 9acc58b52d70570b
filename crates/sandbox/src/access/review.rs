//! Reviews: what may somebody do, and who are they.
//!
//! Source: Kubernetes API reference, `authorization/v1` and `authentication/v1`.

use serde_json::{Value, json};

use super::{
    attributes::{Attributes, Target},
    authorize::decide,
    rule::Rule,
    rules_for::rules_for,
    token,
};
use crate::{Cause, Failure, Kind, State, User, object};

/// Answers a review: the document with its status.
///
/// # Errors
///
/// 422 or 400 if it does not say what it is about; 404 if the kind is no review.
pub(crate) fn review(
    state: &State,
    user: &User,
    kind: &Kind,
    namespace: &str,
    body: &Value,
) -> Result<Value, Failure> {
    let mut answer = match kind.kind.kind.as_str() {
        "SelfSubjectAccessReview" => {
            check_access(kind, namespace, body)?;
            access(state, user, body)
        }
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            check_access(kind, namespace, body)?;
            access(state, &named_user(body), body)
        }
        "SelfSubjectRulesReview" => self_rules(state, user, body)?,
        "SelfSubjectReview" => with_status(
            &json!({}),
            json!({"userInfo": {"username": user.name, "groups": user.groups}}),
        ),
        "TokenReview" => token_review(state, body)?,
        _ => {
            let message = "the server could not find the requested resource";
            return Err(Failure::new(404, "NotFound", message));
        }
    };
    answer["kind"] = json!(kind.kind.kind);
    answer["apiVersion"] = json!(kind.api_version());
    Ok(answer)
}

fn with_status(body: &Value, status: Value) -> Value {
    let mut metadata = json!({"creationTimestamp": null});
    for field in ["namespace", "managedFields"] {
        if let Some(value) = body.pointer(&format!("/metadata/{field}")) {
            metadata[field] = value.clone();
        }
    }
    let mut answer = json!({"metadata": metadata});
    if let Some(spec) = body.get("spec") {
        answer["spec"] = spec.clone();
    }
    answer["status"] = status;
    answer
}

/// A part of the spec; null counts as absent.
fn part<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    body.get("spec")?.get(name).filter(|part| !part.is_null())
}

fn check_access(kind: &Kind, namespace: &str, body: &Value) -> Result<(), Failure> {
    let local = kind.kind.kind == "LocalSubjectAccessReview";
    let own = kind.kind.kind == "SelfSubjectAccessReview";
    let mut causes = Vec::new();
    let mut invalid = |field: &str, value: &str, why: &str| {
        causes.push(Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: format!("Invalid value: {value}: {why}"),
            field: field.to_owned(),
        });
    };
    let resource = part(body, "resourceAttributes");
    let path = part(body, "nonResourceAttributes");
    if let (Some(_), Some(path)) = (resource, path) {
        let value = format!(
            "authorization.NonResourceAttributes{{Path:{:?}, Verb:{:?}}}",
            object::text(path, "/path"),
            object::text(path, "/verb")
        );
        invalid(
            "spec.nonResourceAttributes",
            &value,
            "cannot be specified in combination with resourceAttributes",
        );
    }
    if resource.is_none() && path.is_none() {
        invalid(
            "spec.resourceAttributes",
            "\"null\"",
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        );
    }
    let groups = part(body, "groups").and_then(Value::as_array);
    if !own && object::text(body, "/spec/user").is_empty() && groups.is_none_or(Vec::is_empty) {
        invalid(
            "spec.user",
            "\"\"",
            "at least one of user or group must be specified",
        );
    }
    let at = object::namespace(body);
    if let Some(value) = superfluous_metadata(body, local) {
        let why = if local {
            "must be empty except for namespace"
        } else {
            "must be empty"
        };
        invalid("metadata", &value, why);
    }
    if local {
        let wanted = resource.map(|resource| object::text(resource, "/namespace"));
        if let Some(wanted) = wanted.filter(|wanted| *wanted != at) {
            let field = "spec.resourceAttributes.namespace";
            invalid(
                field,
                &format!("{wanted:?}"),
                "must match metadata.namespace",
            );
        }
        if path.is_some() {
            let why = "disallowed on this kind of request";
            invalid("spec.nonResourceAttributes", "{}", why);
        }
    }
    if !causes.is_empty() {
        return Err(refused(kind, &causes));
    }
    if local && namespace != at {
        let message =
            format!("spec.resourceAttributes.namespace must match namespace: {namespace}");
        return Err(Failure::bad_request(message));
    }
    Ok(())
}

/// The metadata that a review must not have.
fn superfluous_metadata(body: &Value, local: bool) -> Option<String> {
    let metadata = body.get("metadata")?.as_object()?;
    let allowed = |field: &str, value: &Value| {
        field == "managedFields" || local && field == "namespace" || value.is_null()
    };
    metadata
        .iter()
        .any(|(field, value)| !allowed(field, value))
        .then(|| body["metadata"].to_string())
}

/// 422 about a review, whose own name and kind the server leaves out.
fn refused(kind: &Kind, causes: &[Cause]) -> Failure {
    let mut failure = Failure::invalid(kind, "", causes);
    failure.message = failure.message.replacen(&kind.kind.kind, "", 1);
    if let Some(details) = failure
        .details
        .as_deref_mut()
        .and_then(Value::as_object_mut)
    {
        details.remove("kind");
        details.remove("name");
    }
    failure
}

fn named_user(body: &Value) -> User {
    let groups = part(body, "groups").and_then(Value::as_array);
    let groups = groups.into_iter().flatten().filter_map(Value::as_str);
    User {
        name: object::text(body, "/spec/user").to_owned(),
        groups: groups.map(ToOwned::to_owned).collect(),
    }
}

fn access(state: &State, user: &User, body: &Value) -> Value {
    let attributes = match part(body, "resourceAttributes") {
        Some(resource) => {
            let text = |name: &str| object::text(resource, &format!("/{name}")).to_owned();
            Attributes {
                verb: text("verb"),
                target: Target::Resource {
                    group: text("group"),
                    resource: text("resource"),
                    subresource: text("subresource"),
                    namespace: text("namespace"),
                    name: text("name"),
                },
            }
        }
        None => Attributes {
            verb: object::text(body, "/spec/nonResourceAttributes/verb").to_owned(),
            target: Target::Path(object::text(body, "/spec/nonResourceAttributes/path").to_owned()),
        },
    };
    let decision = decide(state, user, &attributes);
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = json!(decision.reason);
    }
    with_status(body, status)
}

fn self_rules(state: &State, user: &User, body: &Value) -> Result<Value, Failure> {
    let namespace = object::text(body, "/spec/namespace");
    if namespace.is_empty() {
        return Err(Failure::bad_request("no namespace on request"));
    }
    let rules = rules_for(state, user, namespace);
    let (mut resources, mut paths) = (Vec::new(), Vec::new());
    if !state.config.rbac {
        let all = json!(["*"]);
        resources.push(json!({"verbs": all, "apiGroups": all, "resources": all}));
        paths.push(json!({"verbs": all, "nonResourceURLs": all}));
    }
    for rule in rules.rules() {
        if !rule.resources.is_empty() {
            let shown = Rule {
                urls: Vec::new(),
                ..rule.clone()
            };
            resources.push(shown.to_value());
        }
        if !rule.urls.is_empty() {
            paths.push(json!({"verbs": rule.verbs, "nonResourceURLs": rule.urls}));
        }
    }
    let mut status = json!({
        "resourceRules": resources, "nonResourceRules": paths, "incomplete": false,
    });
    if let Some(error) = rules.error() {
        status["evaluationError"] = json!(error);
    }
    // The server does not repeat the question.
    Ok(json!({"metadata": {"creationTimestamp": null}, "spec": {}, "status": status}))
}

fn token_review(state: &State, body: &Value) -> Result<Value, Failure> {
    let given = object::text(body, "/spec/token");
    if given.is_empty() {
        let message = "token is required for TokenReview in authentication";
        return Err(Failure::bad_request(message));
    }
    let status = match token::verify(state, given) {
        None => json!({"user": {}, "error": "invalid bearer token"}),
        Some(valid) => json!({
            "authenticated": true,
            "user": {
                "username": valid.user.name, "uid": valid.uid, "groups": valid.user.groups,
            },
            "audiences": valid.audiences,
        }),
    };
    Ok(with_status(body, status))
}
