//! Claims that a StatefulSet made: nobody owns them, and they hold data.

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, eventually, shared, with_filters};

use crate::volumes::{LIMIT, stack_file};

const DATABASE: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: database }
spec:
  serviceName: database
  selector: { matchLabels: { app: database } }
  template:
    metadata: { labels: { app: database } }
    spec: { containers: [{ name: main, image: registry.example.org/database:1 }] }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: \"\"
        resources: { requests: { storage: 1Gi } }
---
apiVersion: v1
kind: Service
metadata: { name: database }
spec: { clusterIP: None, selector: { app: database }, ports: [{ port: 5432 }] }
";

/// R1.4, R1.6: the claim that the StatefulSet's controller made keeps the namespace alive, is shown,
/// and once it is deleted by hand the namespace can go.
#[test]
fn the_claim_of_a_stateful_set_keeps_its_namespace() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "stateful";
    let project = Stack::new(
        &cluster.kubeconfig(),
        &[
            ("underpin.yaml", &stack_file(stack)),
            ("app.yaml", DATABASE),
        ],
    )?;
    project.expect(0, "up --yes --wait=false")?;
    let claim = ["persistentvolumeclaim", "data-database-0", "-n", stack];
    let uid = eventually("the claim is made", LIMIT, || {
        Ok(kubectl
            .find(&claim)?
            .map(|claim| claim["metadata"]["uid"].clone()))
    })?;
    let down = project.expect(0, "down --yes")?;
    with_filters(&[], || {
        insta::assert_snapshot!("stateful_down", down.stdout);
    });
    assert_eq!(
        kubectl.find(&["statefulset", "database", "-n", stack])?,
        None
    );
    assert_eq!(kubectl.uid(&claim)?, uid.as_str().unwrap_or_default());
    let status = project.expect(0, "status --kept")?;
    assert!(
        status
            .stdout
            .contains("persistentvolumeclaim/stateful/data-database-0"),
        "{}",
        status.transcript()
    );
    project.expect(0, "down --yes --kept")?;
    assert_eq!(kubectl.uid(&claim)?, uid.as_str().unwrap_or_default());
    kubectl.run([
        "delete",
        "persistentvolumeclaim",
        "data-database-0",
        "-n",
        stack,
    ])?;
    project.expect(0, "down --yes --kept")?;
    assert_eq!(kubectl.find(&["namespace", stack])?, None);
    Ok(())
}
