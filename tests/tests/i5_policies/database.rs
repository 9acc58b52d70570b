//! The database of the incident, in small, and a consumer that somebody else deploys.

use anyhow::Result;
use underpin_tests::{ControlPlane, Kubectl, Stack};

/// The database and its Service.
const DATABASE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: pal-e-postgres }
spec:
  selector: { matchLabels: { app: pal-e-postgres } }
  template:
    metadata: { labels: { app: pal-e-postgres } }
    spec:
      containers:
        - name: postgres
          image: registry.example.org/postgres:17
          ports: [{ containerPort: 5432 }]
---
apiVersion: v1
kind: Service
metadata: { name: pal-e-postgres-rw }
spec:
  selector: { app: pal-e-postgres }
  ports: [{ port: 5432 }]
";

/// A stack whose policy lets in these namespaces.
pub(crate) fn database(cluster: &ControlPlane, stack: &str, consumers: &[&str]) -> Result<Stack> {
    Stack::single(stack, &cluster.kubeconfig(), &with_policy(consumers))
}

/// The manifest of the stack with the policy for these consumers.
pub(crate) fn with_policy(consumers: &[&str]) -> String {
    format!("{DATABASE}---\n{}", policy(consumers))
}

/// The policy of the database's namespace.
pub(crate) fn policy(consumers: &[&str]) -> String {
    let mut text = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: default-deny-ingress }
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
"
    .to_owned();
    for consumer in consumers {
        text.push_str(&format!(
            "    - from:\n        - namespaceSelector:\n            matchLabels: {{ kubernetes.io/metadata.name: {consumer} }}\n"
        ));
    }
    text
}

/// A namespace with a workload in it that asks the database of a stack, deployed by somebody else.
pub(crate) fn consumer(cluster: &ControlPlane, namespace: &str, stack: &str) -> Result<()> {
    let url = format!("postgresql://docs@pal-e-postgres-rw.{stack}.svc.cluster.local:5432/docs");
    let manifest = format!(
        "\
apiVersion: v1
kind: Namespace
metadata: {{ name: {namespace} }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: api, namespace: {namespace} }}
spec:
  selector: {{ matchLabels: {{ app: api }} }}
  template:
    metadata: {{ labels: {{ app: api }} }}
    spec:
      containers:
        - name: api
          image: registry.example.org/docs:1
          env: [{{ name: DATABASE_URL, value: \"{url}\" }}]
"
    );
    Kubectl::new(cluster).apply("terraform", &manifest)?;
    Ok(())
}
