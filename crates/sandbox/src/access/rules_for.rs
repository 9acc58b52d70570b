//! The rules that apply to a user, from bindings and roles.

use serde_json::Value;
use underpin_model::GroupKind;

use super::rule::Rule;
use crate::{State, User, object};

/// The group of roles and bindings.
pub(super) const GROUP: &str = "rbac.authorization.k8s.io";

/// A rule and what grants it.
pub(super) struct Granted {
    pub(super) rule: Rule,
    /// The binding, as reviews describe it.
    pub(super) source: String,
}

/// What applies to a user in a namespace (empty for the cluster's scope).
#[derive(Default)]
pub(super) struct Rules {
    pub(super) granted: Vec<Granted>,
    /// Bindings whose role is missing: what else they grant is unknown.
    pub(super) errors: Vec<String>,
}

impl Rules {
    pub(super) fn rules(&self) -> Vec<Rule> {
        self.granted
            .iter()
            .map(|granted| granted.rule.clone())
            .collect()
    }

    /// The errors as the server shows several; nothing if there are none.
    pub(super) fn error(&self) -> Option<String> {
        match self.errors.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            many => Some(format!("[{}]", many.join(", "))),
        }
    }
}

/// The kinds of the authorisation API.
pub(super) fn kind(name: &str) -> GroupKind {
    GroupKind {
        group: GROUP.into(),
        kind: name.into(),
    }
}

/// Every rule that applies to a user, those of cluster-wide bindings first.
pub(super) fn rules_for(state: &State, user: &User, namespace: &str) -> Rules {
    let mut rules = Rules::default();
    for binding in state.objects(&kind("ClusterRoleBinding")).values() {
        add(&mut rules, state, user, binding, "");
    }
    if !namespace.is_empty() {
        for ((at, _), binding) in state.objects(&kind("RoleBinding")).iter() {
            if at == namespace {
                add(&mut rules, state, user, binding, namespace);
            }
        }
    }
    rules
}

fn add(rules: &mut Rules, state: &State, user: &User, binding: &Value, namespace: &str) {
    let subjects = binding.get("subjects").and_then(Value::as_array);
    let mut subjects = subjects.into_iter().flatten();
    let Some(subject) = subjects.find(|subject| is_meant(user, subject, namespace)) else {
        return;
    };
    let role = binding.get("roleRef").unwrap_or(&Value::Null);
    match role_rules(state, role, namespace) {
        Ok(found) => {
            let source = describe(binding, subject, namespace);
            rules.granted.extend(found.into_iter().map(|rule| Granted {
                rule,
                source: source.clone(),
            }));
        }
        Err(error) => rules.errors.push(error),
    }
}

/// The rules of the role that a binding names; an error text if there is no such role.
pub(super) fn role_rules(
    state: &State,
    role: &Value,
    namespace: &str,
) -> Result<Vec<Rule>, String> {
    let (role_kind, name) = (object::text(role, "/kind"), object::text(role, "/name"));
    let (at, plural) = match role_kind {
        "Role" => (namespace, "role"),
        "ClusterRole" => ("", "clusterrole"),
        other => return Err(format!("unsupported role reference kind: {other:?}")),
    };
    match state.get(&kind(role_kind), at, name) {
        Some(role) => Ok(Rule::all_of(role)),
        None => Err(format!("{plural}.{GROUP} {name:?} not found")),
    }
}

fn is_meant(user: &User, subject: &Value, namespace: &str) -> bool {
    let name = object::text(subject, "/name");
    match object::text(subject, "/kind") {
        "User" => user.name == name,
        "Group" => user.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let at = match object::text(subject, "/namespace") {
                "" => namespace,
                at => at,
            };
            !at.is_empty() && user.name == format!("system:serviceaccount:{at}:{name}")
        }
        _ => false,
    }
}

/// The binding in words, with the server's order of name and namespace.
fn describe(binding: &Value, subject: &Value, namespace: &str) -> String {
    let name = object::name(binding);
    let (role_kind, role) = (
        object::text(binding, "/roleRef/kind"),
        object::text(binding, "/roleRef/name"),
    );
    let (subject_kind, subject_name) = (
        object::text(subject, "/kind"),
        object::text(subject, "/name"),
    );
    let subject_name = match (subject_kind, object::text(subject, "/namespace")) {
        ("ServiceAccount", "") => format!("{subject_name}/{namespace}"),
        ("ServiceAccount", at) => format!("{subject_name}/{at}"),
        _ => subject_name.to_owned(),
    };
    let binding = if namespace.is_empty() {
        format!("ClusterRoleBinding {name:?}")
    } else {
        format!("RoleBinding {:?}", format!("{name}/{namespace}"))
    };
    format!("{binding} of {role_kind} {role:?} to {subject_kind} {subject_name:?}")
}
