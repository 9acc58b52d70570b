//! Roles and their bindings.

use serde_json::{Value, json};

use super::{metadata, names};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{field, list, present, text},
};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn role(causes: &mut Causes, new: &Value, namespaced: bool) {
    let path = Path::root("rules");
    for (at, rule) in list(new, "rules").iter().enumerate() {
        self::rule(causes, &path.index(at), rule, namespaced);
    }
    let Some(aggregation) = present(new, "aggregationRule").filter(|_| !namespaced) else {
        return;
    };
    let path = Path::root("aggregationRule");
    let path = path.child("clusterRoleSelectors");
    let selectors = list(aggregation, "clusterRoleSelectors");
    if selectors.is_empty() {
        let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        causes.required(&path, detail);
    }
    for (at, selector) in selectors.iter().enumerate() {
        metadata::selector(causes, &path.index(at), selector);
    }
}

fn rule(causes: &mut Causes, path: &Path<'_>, rule: &Value, namespaced: bool) {
    if list(rule, "verbs").is_empty() {
        causes.required(
            &path.child("verbs"),
            "verbs must contain at least one value",
        );
    }
    let has = |name: &str| !list(rule, name).is_empty();
    if has("nonResourceURLs") {
        let path = path.child("nonResourceURLs");
        let shown = field(rule, "nonResourceURLs");
        if namespaced {
            let detail = "namespaced rules cannot apply to non-resource URLs";
            causes.invalid(&path, shown, detail);
        }
        if has("apiGroups") || has("resources") || has("resourceNames") {
            let detail = "rules cannot apply to both regular resources and non-resource URLs";
            causes.invalid(&path, shown, detail);
        }
        return;
    }
    if !has("apiGroups") {
        let detail = "resource rules must supply at least one api group";
        causes.required(&path.child("apiGroups"), detail);
    }
    if !has("resources") {
        let detail = "resource rules must supply at least one resource";
        causes.required(&path.child("resources"), detail);
    }
}

pub(super) fn binding(causes: &mut Causes, old: Option<&Value>, new: &Value, namespaced: bool) {
    let path = Path::root("roleRef");
    let role = field(new, "roleRef");
    let group = text(role, "apiGroup");
    if group != GROUP {
        causes.not_supported(&path.child("apiGroup"), group, &[GROUP]);
    }
    let kinds: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    let kind = text(role, "kind");
    if !kinds.contains(&kind) {
        causes.not_supported(&path.child("kind"), kind, kinds);
    }
    let name = text(role, "name");
    if name.is_empty() {
        causes.required(&path.child("name"), "");
    } else {
        causes.invalid_each(&path.child("name"), name, &names::path_segment(name));
    }
    let subjects = Path::root("subjects");
    for (at, subject) in list(new, "subjects").iter().enumerate() {
        self::subject(causes, &subjects.index(at), subject, namespaced);
    }
    if let Some(old) = old
        && field(old, "roleRef") != role
    {
        let shown = json!({"APIGroup": group, "Kind": kind, "Name": name});
        causes.invalid(&path, &shown, "cannot change roleRef");
    }
}

fn subject(causes: &mut Causes, path: &Path<'_>, subject: &Value, namespaced: bool) {
    let name = text(subject, "name");
    if name.is_empty() {
        causes.required(&path.child("name"), "");
    }
    let group = text(subject, "apiGroup");
    match text(subject, "kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                causes.invalid_each(&path.child("name"), name, &names::subdomain(name));
            }
            if !group.is_empty() {
                causes.not_supported(&path.child("apiGroup"), group, &[""]);
            }
            if !namespaced && text(subject, "namespace").is_empty() {
                causes.required(&path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                causes.not_supported(&path.child("apiGroup"), group, &[GROUP]);
            }
        }
        other => {
            const KINDS: [&str; 3] = ["ServiceAccount", "User", "Group"];
            causes.not_supported(&path.child("kind"), other, &KINDS);
        }
    }
}
