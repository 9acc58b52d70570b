//! Nobody grants by a role or binding what they do not hold themselves.
//!
//! Source: Kubernetes documentation, "Using RBAC Authorization", "Privilege escalation prevention
//! and bootstrapping".

use serde_json::Value;

use super::{
    attributes::{Attributes, Target},
    authorize::{SUPERUSERS, decide, refused},
    impersonation::AUTHENTICATED,
    rule::{self, Rule, quoted_list},
    rules_for::{self, role_rules, rules_for},
};
use crate::{Failure, Kind, State, User, object};

/// Fields of the metadata that the garbage collector writes: changing them grants nothing.
const COLLECTOR_FIELDS: [&str; 3] = ["ownerReferences", "finalizers", "managedFields"];

/// Refuses with 403 to create (`old` is none) or update a role or binding that grants what the user
/// does not hold. Other kinds pass, and so does everybody without RBAC.
///
/// # Errors
///
/// 403; 404 if a new binding names a role that does not exist, for what it grants is unknown.
pub(crate) fn confirm_no_escalation(
    state: &State,
    user: &User,
    kind: &Kind,
    namespace: &str,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), Failure> {
    let exempt = kind.kind.group != rules_for::GROUP
        || !state.config.rbac
        || user.groups.iter().any(|group| group == SUPERUSERS)
        || old.is_some_and(|old| differ_for_collector_only(old, new));
    if exempt {
        return Ok(());
    }
    match kind.kind.kind.as_str() {
        "Role" | "ClusterRole" => {
            let name = old.map(object::name).unwrap_or_default();
            if may(state, user, "escalate", &kind.plural, namespace, name) {
                return Ok(());
            }
            confirm(state, user, kind, namespace, new, &Rule::all_of(new))?;
            let aggregates = |role: &Value| {
                let selectors = role.pointer("/aggregationRule/clusterRoleSelectors");
                selectors
                    .and_then(Value::as_array)
                    .is_some_and(|selectors| !selectors.is_empty())
            };
            if aggregates(new) || old.is_some_and(aggregates) {
                confirm_full_authority(state, user, kind, new)?;
            }
            Ok(())
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let role = new.get("roleRef").unwrap_or(&Value::Null);
            let (role_kind, role_name) = (object::text(role, "/kind"), object::text(role, "/name"));
            let plural = match role_kind {
                "Role" => "roles",
                _ => "clusterroles",
            };
            if may(state, user, "bind", plural, namespace, role_name) {
                return Ok(());
            }
            let rules =
                role_rules(state, role, namespace).map_err(|_| no_such_role(plural, role_name))?;
            confirm(state, user, kind, namespace, new, &rules)
        }
        _ => Ok(()),
    }
}

fn may(state: &State, user: &User, verb: &str, plural: &str, namespace: &str, name: &str) -> bool {
    let attributes = Attributes {
        verb: verb.to_owned(),
        target: Target::Resource {
            group: rules_for::GROUP.to_owned(),
            resource: plural.to_owned(),
            subresource: String::new(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
    };
    decide(state, user, &attributes).allowed
}

fn confirm(
    state: &State,
    user: &User,
    kind: &Kind,
    namespace: &str,
    new: &Value,
    wanted: &[Rule],
) -> Result<(), Failure> {
    let held = rules_for(state, user, namespace);
    let missing = rule::missing(&held.rules(), wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = missing.iter().map(Rule::describe).collect();
    lines.sort();
    lines.dedup();
    let errors = match held.errors.as_slice() {
        [] => String::new(),
        errors => format!("; resolution errors: [{}]", errors.join(", ")),
    };
    let why = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}{errors}",
        user.name,
        quoted_list(&shown_groups(user)),
        lines.join("\n"),
    );
    Err(refused(
        &kind.kind.group,
        &kind.plural,
        object::name(new),
        &why,
    ))
}

/// Everybody who is known is shown as authenticated.
fn shown_groups(user: &User) -> Vec<String> {
    if user.groups.is_empty() {
        vec![AUTHENTICATED.to_owned()]
    } else {
        user.groups.clone()
    }
}

/// An aggregated role may gather anything.
fn confirm_full_authority(
    state: &State,
    user: &User,
    kind: &Kind,
    new: &Value,
) -> Result<(), Failure> {
    let all = || vec!["*".to_owned()];
    let everything = [
        Rule {
            verbs: all(),
            groups: all(),
            resources: all(),
            ..Rule::default()
        },
        Rule {
            verbs: all(),
            urls: all(),
            ..Rule::default()
        },
    ];
    let held = rules_for(state, user, "");
    if rule::missing(&held.rules(), &everything).is_empty() {
        return Ok(());
    }
    let why = "must have cluster-admin privileges to use the aggregationRule";
    Err(refused(
        &kind.kind.group,
        &kind.plural,
        object::name(new),
        why,
    ))
}

fn no_such_role(plural: &str, name: &str) -> Failure {
    let group = rules_for::GROUP;
    let message = format!("{plural}.{group} {name:?} not found");
    Failure {
        details: Some(Box::new(
            serde_json::json!({"name": name, "group": group, "kind": plural}),
        )),
        ..Failure::new(404, "NotFound", message)
    }
}

fn differ_for_collector_only(old: &Value, new: &Value) -> bool {
    let stripped = |value: &Value| {
        let mut value = value.clone();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            for field in COLLECTOR_FIELDS {
                metadata.remove(field);
            }
        }
        value
    };
    stripped(old) == stripped(new)
}
