//! Fresh deployments: every environment in a namespace of its own.

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, shared, with_filters};

use crate::wallet::{CHILDREN, KINDS, PARENT, project};

/// R1.1, R1.4: the parent lives in the stack's namespace, each child in its own; `down` of a child
/// removes its namespace and leaves its siblings' objects with their uids.
#[test]
fn a_teardown_of_a_child_takes_its_own_namespace_and_nothing_else() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "pay-space-wallet";
    let project = project(cluster, stack)?;
    let home = |environment: &str| match environment {
        PARENT => stack.to_owned(),
        child => format!("{stack}-{child}"),
    };
    for environment in crate::wallet::environments() {
        let output = project.expect(0, &format!("up --yes -e {environment} --wait=false"))?;
        assert!(
            output
                .stderr
                .contains(&format!("in namespace {} ", home(environment))),
            "{}",
            output.transcript()
        );
    }
    let mut before = Vec::new();
    for environment in crate::wallet::environments() {
        let uids = kubectl.uids(&home(environment), KINDS)?;
        assert_eq!(uids.len(), 6, "{environment}: {uids:?}");
        before.push((
            home(environment),
            kubectl.uid(&["namespace", &home(environment)])?,
            uids,
        ));
    }
    let output = project.expect(0, "down --yes -e caddy-test")?;
    with_filters(&[], || {
        insta::assert_snapshot!("down_own_namespace", output.stdout);
    });
    assert_eq!(kubectl.find(&["namespace", &home("caddy-test")])?, None);
    for (namespace, uid, uids) in before.iter().take(CHILDREN.len()) {
        assert_eq!(&kubectl.uid(&["namespace", namespace])?, uid);
        assert_eq!(&kubectl.uids(namespace, KINDS)?, uids);
    }
    // R1.5: nothing is kept and nothing is recorded of it any more.
    let kept = project.expect(0, "status --kept")?;
    assert!(
        kept.stdout.starts_with("nothing was kept"),
        "{}",
        kept.transcript()
    );
    let status = project.expect(0, "status")?;
    assert!(
        status.stdout.contains("caddy-test: nothing is recorded")
            && status.stdout.matches("caddy-test").count() == 2,
        "{}",
        status.transcript()
    );
    // The parent goes as cleanly, with children left.
    project.expect(0, &format!("down --yes -e {PARENT}"))?;
    assert_eq!(kubectl.find(&["namespace", stack])?, None);
    assert_eq!(kubectl.uids(&home("gl-pay"), KINDS)?, before[1].2);
    Ok(())
}

/// R1.1, R1.2: the table of the issue, end to end: where a fresh `up` puts an environment.
#[track_caller]
fn check(stack: &str, environment: &str, parent: Option<&str>, expect: &str) -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let parent = parent
        .map(|name| format!("parent: {name}"))
        .unwrap_or_default();
    let file = format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: \"{stack}\" }}\nspec:\n  \
         sources: [{{ manifests: map.yaml }}]\n  \
         environments: {{ \"{environment}\": {{ {parent} }}, production: {{ context: elsewhere }} }}\n"
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: where }\n";
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &file), ("map.yaml", map)],
    )?;
    project.expect(0, &format!("up --yes -e {environment}"))?;
    assert!(
        kubectl
            .find(&["configmap", "where", "-n", expect])?
            .is_some(),
        "{expect}"
    );
    project.expect(0, &format!("down --yes -e {environment}"))?;
    assert_eq!(kubectl.find(&["namespace", expect])?, None);
    Ok(())
}

#[test]
fn the_table_of_namespaces_holds_end_to_end() -> Result<()> {
    check("wize-rooms-api", "likeclaw-us", None, "wize-rooms-api")?;
    check(
        "table-wallet",
        "tenant-a",
        Some("production"),
        "table-wallet-tenant-a",
    )?;
    check(
        "table_space_wallet",
        "GL_Pay",
        Some("production"),
        "table-space-wallet-gl-pay",
    )?;
    let long = "a-stack-with-a-name-that-goes-on-and-on-and-on-for-ever";
    check(
        long,
        "some-tenant",
        Some("production"),
        &over_63(&format!("{long}-some-tenant")),
    )
}

/// Over 63 characters: 54 of them, then the hash. Written from the issue, not from the product.
fn over_63(name: &str) -> String {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{}-{hash:08x}", name[..54].trim_end_matches('-'))
}
