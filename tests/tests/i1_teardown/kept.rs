//! A namespace that somebody else uses is kept, shown, and reclaimed once it is empty.

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, shared, with_filters};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\ndata: { a: b }\n";

fn stack_file(stack: &str) -> String {
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {stack} }}\nspec:\n  \
         sources: [{{ manifests: app.yaml }}]\n  environments: {{ production: {{}} }}\n"
    )
}

/// R1.4, R1.5: a ConfigMap made by hand keeps the namespace alive; `status --kept` shows it, then
/// shows the namespace empty; `down --kept` deletes it, and not before.
#[test]
fn a_foreign_object_keeps_a_namespace_until_it_goes() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "kept-by-a-stranger";
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &stack_file(stack)), ("app.yaml", MAP)],
    )?;
    project.expect(0, "up --yes -e production")?;
    // Asked for leftovers of a living environment, nothing dies.
    let living = kubectl.uid(&["configmap", "app", "-n", stack])?;
    let refused = project.expect(1, "down --yes -e production --kept")?;
    assert!(
        refused.stderr.contains("was not torn down"),
        "{}",
        refused.transcript()
    );
    assert_eq!(kubectl.uid(&["configmap", "app", "-n", stack])?, living);
    kubectl.run([
        "create",
        "configmap",
        "notes",
        "-n",
        stack,
        "--from-literal=a=b",
    ])?;
    let stranger = kubectl.uid(&["configmap", "notes", "-n", stack])?;

    let down = project.expect(0, "down --yes -e production")?;
    with_filters(&[], || {
        insta::assert_snapshot!("kept_down", down.stdout);
    });
    assert_eq!(kubectl.find(&["configmap", "app", "-n", stack])?, None);
    assert_eq!(kubectl.uid(&["configmap", "notes", "-n", stack])?, stranger);
    let status = project.expect(0, "status --kept")?;
    with_filters(&[], || {
        insta::assert_snapshot!("kept_status", status.stdout);
    });

    let early = project.expect(0, "down --yes -e production --kept")?;
    with_filters(&[], || {
        insta::assert_snapshot!("kept_early", early.stdout);
    });
    assert_eq!(kubectl.uid(&["configmap", "notes", "-n", stack])?, stranger);

    kubectl.run(["delete", "configmap", "notes", "-n", stack])?;
    let status = project.expect(0, "status --kept")?;
    with_filters(&[], || {
        insta::assert_snapshot!("kept_status_empty", status.stdout);
    });
    let kept = project.expect(0, "down --yes -e production --kept")?;
    with_filters(&[], || {
        insta::assert_snapshot!("kept_deleted", kept.stdout);
    });
    assert_eq!(kubectl.find(&["namespace", stack])?, None);
    let status = project.expect(0, "status --kept")?;
    assert!(
        status.stdout.starts_with("nothing was kept"),
        "{}",
        status.transcript()
    );
    Ok(())
}

/// R1.4, R1.5: a namespace that was there before is not deleted by `down`, empty or not, and nobody
/// is told to clean it up.
#[test]
fn a_namespace_that_was_there_before_outlives_the_environment() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "there-before";
    kubectl.run(["create", "namespace", stack])?;
    let uid = kubectl.uid(&["namespace", stack])?;
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &stack_file(stack)), ("app.yaml", MAP)],
    )?;
    project.expect(0, "up --yes -e production")?;
    let down = project.expect(0, "down --yes -e production")?;
    with_filters(&[], || {
        insta::assert_snapshot!("there_before", down.stdout);
    });
    assert_eq!(kubectl.uid(&["namespace", stack])?, uid);
    assert_eq!(kubectl.find(&["configmap", "app", "-n", stack])?, None);
    Ok(())
}

/// R1.5: `up` after a `down` that kept the namespace moves in again, and what was kept is not
/// reported any more.
#[test]
fn a_kept_namespace_is_lived_in_again() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "moved-back-in";
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &stack_file(stack)), ("app.yaml", MAP)],
    )?;
    project.expect(0, "up --yes -e production")?;
    kubectl.run(["create", "configmap", "notes", "-n", stack])?;
    project.expect(0, "down --yes -e production")?;
    project.expect(0, "up --yes -e production")?;
    assert!(kubectl.find(&["configmap", "app", "-n", stack])?.is_some());
    let status = project.expect(0, "status --kept")?;
    assert!(
        status.stdout.starts_with("nothing was kept"),
        "{}",
        status.transcript()
    );
    kubectl.run(["delete", "configmap", "notes", "-n", stack])?;
    project.expect(0, "down --yes -e production")?;
    assert_eq!(
        kubectl.find(&["namespace", stack])?,
        None,
        "created by it, so it is deleted by it"
    );
    Ok(())
}
