//! Which API group a Go package of types belongs to.

use anyhow::{Context, Result};
use underpin_fieldset::schema::table::KindName;

/// Last part but one of a type's package, and its API group.
const GROUPS: &[(&str, &str)] = &[
    ("admissionregistration", "admissionregistration.k8s.io"),
    ("apiserverinternal", "internal.apiserver.k8s.io"),
    ("apps", "apps"),
    ("authentication", "authentication.k8s.io"),
    ("authorization", "authorization.k8s.io"),
    ("autoscaling", "autoscaling"),
    ("batch", "batch"),
    ("certificates", "certificates.k8s.io"),
    ("coordination", "coordination.k8s.io"),
    ("core", ""),
    ("discovery", "discovery.k8s.io"),
    ("events", "events.k8s.io"),
    ("extensions", "extensions"),
    ("flowcontrol", "flowcontrol.apiserver.k8s.io"),
    ("imagepolicy", "imagepolicy.k8s.io"),
    ("networking", "networking.k8s.io"),
    ("node", "node.k8s.io"),
    ("policy", "policy"),
    ("rbac", "rbac.authorization.k8s.io"),
    ("resource", "resource.k8s.io"),
    ("scheduling", "scheduling.k8s.io"),
    ("storage", "storage.k8s.io"),
    ("storagemigration", "storagemigration.k8s.io"),
];

/// The kind that a type such as `io.k8s.api.apps.v1.Deployment` is of.
///
/// Fails for a package that the table does not list: a new API group needs a line there.
pub(super) fn kind_of(name: &str) -> Result<KindName> {
    let mut parts = name.rsplit('.');
    let (kind, version, package) = (parts.next(), parts.next(), parts.next());
    let package = package.with_context(|| format!("{name} is in no package"))?;
    let (_, group) = GROUPS
        .iter()
        .find(|(known, _)| *known == package)
        .with_context(|| format!("{name}: no API group is known for package {package}"))?;
    Ok(KindName {
        group: (*group).into(),
        version: version.unwrap_or("").into(),
        kind: kind.unwrap_or("").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[track_caller]
    fn check(name: &str, expect: &str) {
        assert_eq!(kind_of(name).unwrap().to_string(), expect);
    }

    #[test]
    fn packages_have_groups() {
        check("io.k8s.api.core.v1.Pod", "v1 Pod");
        check("io.k8s.api.apps.v1.Deployment", "apps/v1 Deployment");
        check(
            "io.k8s.api.rbac.v1.Role",
            "rbac.authorization.k8s.io/v1 Role",
        );
    }

    #[test]
    fn an_unknown_package_is_an_error() {
        let error = kind_of("io.k8s.api.brandnew.v1.Thing").unwrap_err();
        assert!(error.to_string().contains("brandnew"), "{error}");
        assert!(kind_of("Thing").is_err());
    }

    #[test]
    fn the_groups_are_sorted() {
        assert!(super::GROUPS.is_sorted());
    }
}
