//! Role bindings and aggregated roles.

use underpin_model::{GroupKind, LabelSelector, Relation};

use crate::{
    collector::{Collector, Link},
    field::Field,
};

const GROUP: &str = "rbac.authorization.k8s.io";
/// How a ServiceAccount is written as a user.
const ACCOUNT_USER_PREFIX: &str = "system:serviceaccount:";
/// How all ServiceAccounts of a namespace are written as a group.
const ACCOUNTS_GROUP_PREFIX: &str = "system:serviceaccounts:";

/// RoleBinding and ClusterRoleBinding.
pub(crate) fn binding(collector: &mut Collector<'_>) {
    let root = collector.root();
    if let Some(role) = root.get("roleRef") {
        let kind = role.text_at("kind").unwrap_or("Role");
        collector.local(&role, "name", &Link::new(GROUP, kind, Relation::Role));
    }
    for found in root.each("subjects") {
        subject(collector, &found);
    }
}

/// A subject that does not exist is granted nothing, and the binding still works for the others:
/// an optional reference.
fn subject<'a>(collector: &mut Collector<'a>, subject: &Field<'a>) {
    let Some(name) = subject.get("name") else {
        return;
    };
    let account = Link::new("", "ServiceAccount", Relation::Subject).optional();
    let text = name.text().unwrap_or_default();
    match subject.text_at("kind") {
        Some("ServiceAccount") => collector.elsewhere(subject, &account),
        Some("User") => {
            let parts = text.strip_prefix(ACCOUNT_USER_PREFIX);
            if let Some((namespace, user)) = parts.and_then(|rest| rest.split_once(':')) {
                collector.named_as(name.path.clone(), user, Some(namespace), &account);
            }
        }
        Some("Group") => {
            if let Some(namespace) = text.strip_prefix(ACCOUNTS_GROUP_PREFIX) {
                collector.named_as(name.path.clone(), namespace, None, &Link::namespace());
            }
        }
        _ => {}
    }
}

/// `aggregationRule`: the roles that this one is made of.
pub(crate) fn cluster_role(collector: &mut Collector<'_>) {
    let root = collector.root();
    for field in root.each("aggregationRule.clusterRoleSelectors") {
        if let Some(selector) = LabelSelector::from_structured(field.value) {
            collector.selects(&field, GroupKind::new(GROUP, "ClusterRole"), None, selector);
        }
    }
}
