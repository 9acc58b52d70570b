//! Objects that the server or its webhooks refuse.

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, fresh, shared, with_filters};

/// A manifest with a mistake in its second document, after a namespace that exists, so that the
/// server is asked.
#[track_caller]
fn check(snapshot: &str, name: &str, wrong: &str) -> Result<()> {
    let cluster = shared()?;
    Kubectl::new(cluster).run(["create", "namespace", name])?;
    let manifest =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: right }}\n---\n{wrong}");
    let project = Stack::single(name, &cluster.kubeconfig(), &manifest)?;
    let plan = project.run("plan")?;
    assert_eq!(plan.code, Some(1), "{}", plan.transcript());
    let told = plan.transcript();
    let line = told
        .lines()
        .find(|line| line.contains("app.yaml:"))
        .unwrap_or_default();
    // Servers name the type of what they got in two ways.
    let kind = ("got *value.valueUnstructured", "got [type]");
    with_filters(&[kind, ("got string", "got [type]")], || {
        insta::assert_snapshot!(snapshot, line);
    });
    Ok(())
}

#[test]
fn a_refused_object_is_shown_with_its_place_and_the_servers_words() -> Result<()> {
    check(
        "port_out_of_range",
        "refused-port",
        "apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec:\n  ports: [{ port: 70000 }]\n",
    )?;
    check(
        "wrong_type",
        "refused-type",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec:\n  replicas: many\n",
    )?;
    check(
        "unknown_kind",
        "refused-kind",
        "apiVersion: example.org/v1\nkind: Nothing\nmetadata: { name: web }\n",
    )
}

/// On a control plane of its own: the webhook sees every ConfigMap.
#[test]
fn a_webhook_that_does_not_answer_is_named() -> Result<()> {
    let cluster = fresh()?;
    let kubectl = Kubectl::new(&cluster);
    kubectl.run(["create", "namespace", "hooked"])?;
    kubectl.apply("somebody", include_str!("webhook.yaml"))?;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: only, labels: { hooked: \"yes\" } }\ndata: { a: b }\n";
    let project = Stack::single("hooked", &cluster.kubeconfig(), map)?;
    let told = underpin_tests::eventually(
        "the webhook counts",
        std::time::Duration::from_mins(1),
        || {
            let output = project.run("up --yes --wait=false")?;
            project.run("down --yes").map(drop)?;
            Ok((output.code == Some(1)).then_some(output))
        },
    )?;
    assert!(
        told.transcript().contains("dead.example.org"),
        "{}",
        told.transcript()
    );
    kubectl.run(["delete", "validatingwebhookconfiguration", "dead"])?;
    underpin_tests::eventually(
        "the webhook is forgotten",
        std::time::Duration::from_mins(1),
        || {
            let output = project.run("up --yes --wait=false")?;
            Ok((output.code == Some(0)).then_some(()))
        },
    )
}
