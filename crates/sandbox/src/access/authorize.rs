//! Whether a user may do something.

use serde_json::json;

use super::{
    attributes::{Attributes, Target},
    rules_for::rules_for,
};
use crate::{Failure, State, User};

/// Members may do everything, whatever roles say.
pub(super) const SUPERUSERS: &str = "system:masters";

/// What authorisation says, with the reason that reviews show.
pub(super) struct Decision {
    pub(super) allowed: bool,
    pub(super) reason: String,
}

/// Lets a request pass, or refuses it with 403. Without RBAC everything passes.
pub(crate) fn authorize(
    state: &State,
    user: &User,
    attributes: &Attributes,
) -> Result<(), Failure> {
    let decision = decide(state, user, attributes);
    if decision.allowed {
        return Ok(());
    }
    Err(forbidden(user, attributes, &decision.reason))
}

/// Lets a creation by another verb than `create` pass, or refuses it in the few words that the real
/// server has for this.
pub(crate) fn authorize_creation(
    state: &State,
    user: &User,
    attributes: &Attributes,
) -> Result<(), Failure> {
    let decision = decide(state, user, attributes);
    if decision.allowed {
        return Ok(());
    }
    Err(match &attributes.target {
        Target::Resource {
            group,
            resource,
            name,
            ..
        } => refused(group, resource, name, &decision.reason),
        Target::Path(_) => forbidden(user, attributes, &decision.reason),
    })
}

pub(super) fn decide(state: &State, user: &User, attributes: &Attributes) -> Decision {
    if !state.config.rbac || user.groups.iter().any(|group| group == SUPERUSERS) {
        return Decision {
            allowed: true,
            reason: String::new(),
        };
    }
    let namespace = match &attributes.target {
        Target::Resource { namespace, .. } => namespace.as_str(),
        Target::Path(_) => "",
    };
    let rules = rules_for(state, user, namespace);
    let granted = rules
        .granted
        .iter()
        .find(|granted| granted.rule.allows(attributes));
    match granted {
        Some(granted) => Decision {
            allowed: true,
            reason: format!("RBAC: allowed by {}", granted.source),
        },
        None => Decision {
            allowed: false,
            reason: rules
                .error()
                .map(|error| format!("RBAC: {error}"))
                .unwrap_or_default(),
        },
    }
}

fn forbidden(user: &User, attributes: &Attributes, reason: &str) -> Failure {
    let mut message = sanitised(&what_is_refused(user, attributes));
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    match &attributes.target {
        Target::Path(_) => refused("", "", "", &message),
        Target::Resource {
            group,
            resource,
            name,
            ..
        } => refused(group, resource, name, &message),
    }
}

/// 403 about a resource (or, if that is empty, about a path).
pub(super) fn refused(group: &str, resource: &str, name: &str, why: &str) -> Failure {
    let qualified = if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    };
    let message = match (qualified.as_str(), name) {
        ("", "") => format!("forbidden: {why}"),
        (resource, "") => format!("{resource} is forbidden: {why}"),
        (resource, name) => format!("{resource} {name:?} is forbidden: {why}"),
    };
    let mut details = json!({});
    for (field, text) in [("name", name), ("group", group), ("kind", resource)] {
        if !text.is_empty() {
            details[field] = json!(text);
        }
    }
    Failure {
        details: Some(Box::new(details)),
        ..Failure::new(403, "Forbidden", message)
    }
}

fn what_is_refused(user: &User, attributes: &Attributes) -> String {
    let (name, verb) = (&user.name, &attributes.verb);
    let (group, resource, subresource, namespace) = match &attributes.target {
        Target::Path(path) => return format!("User {name:?} cannot {verb} path {path:?}"),
        Target::Resource {
            group,
            resource,
            subresource,
            namespace,
            ..
        } => (group, resource, subresource, namespace),
    };
    let slash = if subresource.is_empty() { "" } else { "/" };
    let place = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {namespace:?}")
    };
    format!(
        "User {name:?} cannot {verb} resource \"{resource}{slash}{subresource}\" \
         in API group {group:?} {place}"
    )
}

/// What might be taken for markup is escaped, as the server does.
fn sanitised(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
