//! R1.1: two environments share a namespace on purpose, and their pods carry the same labels.

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, shared};

fn manifest(label: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{ name: \"web-${{environment}}\" }}\n\
         spec: {{ selector: {{ app: \"{label}\" }}, ports: [{{ port: 80 }}] }}\n\
         ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: \"web-${{environment}}\" }}\n\
         spec:\n  replicas: 0\n  selector: {{ matchLabels: {{ app: \"{label}\" }} }}\n  template:\n    \
         metadata: {{ labels: {{ app: \"{label}\" }} }}\n    \
         spec: {{ containers: [{{ name: main, image: 'registry.example.com/web:9' }}] }}\n"
    )
}

/// UP113: the second one is refused before a Service of either reaches pods of the other, and goes
/// on with a label of its own.
#[test]
fn selectors_that_also_match_a_siblings_pods_are_refused() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "one-label";
    let file = format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {stack} }}\nspec:\n  \
         sources: [{{ manifests: app.yaml, substitute: true }}]\n  environments:\n    \
         production: {{ namespace: {stack}, shared: true }}\n    \
         trial: {{ namespace: {stack}, shared: true }}\n"
    );
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &file), ("app.yaml", &manifest("web"))],
    )?;
    project.expect(0, "up --yes --wait=false -e production")?;
    let refused = project.expect(3, "up --yes --wait=false -e trial")?;
    for subject in ["service/one-label", "deployment.apps/one-label"] {
        let refusal = format!("blocked UP113 {subject}/web-trial\n");
        assert!(
            refused.stdout.contains(&refusal),
            "{}",
            refused.transcript()
        );
    }
    let says = "service/one-label/web-trial also selects pods of \
                deployment.apps/one-label/web-production, which belongs to one-label/production";
    assert!(refused.stdout.contains(says), "{}", refused.transcript());
    assert_eq!(kubectl.find(&["service", "web-trial", "-n", stack])?, None);

    project.write("app.yaml", &manifest("web-${environment}"))?;
    let planned = project.expect(0, "plan -e trial")?;
    assert!(
        !planned.stdout.contains("UP113"),
        "{}",
        planned.transcript()
    );
    project.expect(0, "up --yes --wait=false -e trial")?;
    Ok(())
}
