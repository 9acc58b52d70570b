//! The stack of the incident, in small.

use anyhow::Result;
use underpin_tests::{ControlPlane, Stack};

/// One workload and its Service; placed by the stack, not by itself.
pub(crate) const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: main, image: \"registry.example.org/${stack}:0.1.7\" }] }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  selector: { app: web }
  ports: [{ port: 80 }]
";

/// A stack file whose environments are written as the inside of a YAML flow mapping.
pub(crate) fn stack_file(stack: &str, environments: &str) -> String {
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {stack} }}\nspec:\n  \
         sources: [{{ manifests: k8s, substitute: true }}]\n  \
         environments: {{ {environments} }}\n"
    )
}

/// A folder with a stack file and one manifest file, `k8s/app.yaml`.
pub(crate) fn project(
    cluster: &ControlPlane,
    stack: &str,
    environments: &str,
    manifests: &str,
) -> Result<Stack> {
    let file = stack_file(stack, environments);
    Stack::new(
        &cluster.kubeconfig(),
        &[("underpin.yaml", &file), ("k8s/app.yaml", manifests)],
    )
}

/// A ConfigMap, as a manifest without a namespace of its own.
pub(crate) fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: \"{name}\" }}\ndata: {{ a: b }}\n")
}
