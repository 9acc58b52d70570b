//! Names that two environments would share are refused, naming both.

use anyhow::Result;
use underpin_tests::{Kubectl, Output, Stack, shared, with_filters};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\n";

fn stack_file(stack: &str, environments: &str) -> String {
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: \"{stack}\" }}\nspec:\n  \
         sources: [{{ manifests: app.yaml, substitute: true }}]\n  \
         environments: {{ {environments} }}\n"
    )
}

/// One environment of one stack, a child of `production` in another cluster.
struct Side {
    stack: &'static str,
    environment: &'static str,
    child: bool,
}

impl Side {
    fn file(&self) -> String {
        let own = if self.child { "parent: main" } else { "" };
        let parent = if self.child {
            ", main: { context: elsewhere }"
        } else {
            ""
        };
        stack_file(
            self.stack,
            &format!("\"{}\": {{ {own} }}{parent}", self.environment),
        )
    }

    fn name(&self) -> String {
        format!("{}/{}", self.stack, self.environment)
    }
}

/// R1.2: refused by `check`, without a cluster, and by `plan`, once the first is deployed; both are
/// named, and the first is left alone.
#[track_caller]
fn check(first: &Side, second: &Side, namespace: &str) -> Result<(Output, Output)> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[
            ("one/underpin.yaml", &first.file()),
            ("one/app.yaml", MAP),
            ("two/underpin.yaml", &second.file()),
            ("two/app.yaml", MAP),
        ],
    )?;
    let checked = project.expect(3, "check .")?;
    project.expect(
        0,
        &format!("up --yes -f one/underpin.yaml -e {}", first.environment),
    )?;
    let uids = kubectl.uids(namespace, "configmaps")?;
    assert_eq!(uids.len(), 1);
    let planned = project.expect(
        3,
        &format!("plan -f two/underpin.yaml -e {}", second.environment),
    )?;
    project.expect(
        3,
        &format!("up --yes -f two/underpin.yaml -e {}", second.environment),
    )?;
    assert_eq!(kubectl.uids(namespace, "configmaps")?, uids);
    for output in [&checked, &planned] {
        let text = output.transcript();
        let named = text.contains(&first.name()) && text.contains(&second.name());
        assert!(named && text.contains("UP102"), "{text}");
    }
    project.expect(
        0,
        &format!("down --yes -f one/underpin.yaml -e {}", first.environment),
    )?;
    Ok((checked, planned))
}

/// R1.2: `a-b` + `c` and `a` + `b-c` derive one namespace.
#[test]
fn two_stacks_whose_names_join_to_one_are_refused() -> Result<()> {
    let first = Side {
        stack: "join-a-b",
        environment: "c",
        child: true,
    };
    let second = Side {
        stack: "join-a",
        environment: "b-c",
        child: true,
    };
    let (checked, planned) = check(&first, &second, "join-a-b-c")?;
    with_filters(&[], || {
        insta::assert_snapshot!("collision_check", checked.transcript());
        insta::assert_snapshot!("collision_plan", planned.transcript());
    });
    Ok(())
}

/// R1.2: `x_y` and `x-y` are one label.
#[test]
fn two_spellings_of_one_label_are_refused() -> Result<()> {
    let first = Side {
        stack: "spelled_x_y",
        environment: "production",
        child: false,
    };
    let second = Side {
        stack: "spelled-x-y",
        environment: "production",
        child: false,
    };
    let (checked, planned) = check(&first, &second, "spelled-x-y")?;
    with_filters(&[], || {
        insta::assert_snapshot!("spelling_check", checked.transcript());
        insta::assert_snapshot!("spelling_plan", planned.transcript());
    });
    Ok(())
}

/// R1.2: sharing on purpose, said on both sides, stays possible; and a teardown of one leaves the
/// other.
#[test]
fn sharing_on_purpose_is_allowed() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let map =
        |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\n");
    let production = "production: { namespace: on-purpose, shared: true }";
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[
            ("one/underpin.yaml", &stack_file("purpose-one", production)),
            ("one/app.yaml", &map("one")),
            ("two/underpin.yaml", &stack_file("purpose-two", production)),
            ("two/app.yaml", &map("two")),
        ],
    )?;
    project.expect(0, "check .")?;
    project.expect(0, "up --yes -f one/underpin.yaml")?;
    project.expect(0, "up --yes -f two/underpin.yaml")?;
    let two = kubectl.uid(&["configmap", "two", "-n", "on-purpose"])?;
    // The first created the namespace, and the second still lives there.
    project.expect(0, "down --yes -f one/underpin.yaml")?;
    assert_eq!(kubectl.uid(&["configmap", "two", "-n", "on-purpose"])?, two);
    assert_eq!(
        kubectl.find(&["configmap", "one", "-n", "on-purpose"])?,
        None
    );
    project.expect(0, "down --yes -f two/underpin.yaml")?;
    // Now it is empty, and who created it may delete it (R1.5).
    let status = project.expect(0, "status -f one/underpin.yaml --kept")?;
    assert!(status.stdout.contains("empty"), "{}", status.transcript());
    project.expect(0, "down --yes -f one/underpin.yaml --kept")?;
    assert_eq!(kubectl.find(&["namespace", "on-purpose"])?, None);
    Ok(())
}

/// R1.2, UP109: two environments declare one cluster-scoped name; the second is refused and offered
/// `${environment}`, with which it passes.
#[test]
fn one_cluster_scoped_name_for_two_environments_is_refused() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let role = |name: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{ name: \"{name}\" }}\n\
             rules: [{{ apiGroups: [\"\"], resources: [pods], verbs: [get] }}]\n"
        )
    };
    let environments = "production: {}, tenant: { parent: production }";
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[
            ("underpin.yaml", &stack_file("one-role", environments)),
            ("app.yaml", &role("one-role-reader")),
        ],
    )?;
    project.expect(0, "up --yes -e production")?;
    let uid = kubectl.uid(&["clusterrole", "one-role-reader"])?;
    let refused = project.expect(3, "plan -e tenant")?;
    with_filters(&[], || {
        insta::assert_snapshot!("one_cluster_role", refused.transcript());
    });
    assert!(
        refused.stdout.contains("one-role-reader-${environment}"),
        "{}",
        refused.transcript()
    );
    project.expect(3, "up --yes -e tenant")?;
    project.write("app.yaml", &role("one-role-reader-${environment}"))?;
    project.expect(0, "up --yes -e tenant")?;
    assert_eq!(kubectl.uid(&["clusterrole", "one-role-reader"])?, uid);
    project.expect(0, "down --yes -e tenant")?;
    assert_eq!(
        kubectl.find(&["clusterrole", "one-role-reader-tenant"])?,
        None
    );
    assert_eq!(kubectl.uid(&["clusterrole", "one-role-reader"])?, uid);
    Ok(())
}
