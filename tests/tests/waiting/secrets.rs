//! Values of Secrets do not reach the output by way of logs.

use anyhow::Result;
use underpin_tests::{Stack, shared};

const MANIFEST: &str = r#"
apiVersion: v1
kind: Secret
metadata: { name: db }
stringData: { password: correct-horse-battery }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
      annotations:
        testenv.underpin.dev/outcome: crashing
        testenv.underpin.dev/log: "connecting as correct-horse-battery\nno database"
    spec:
      containers: [{ name: main, image: 'web:1', envFrom: [{ secretRef: { name: db } }] }]
"#;

/// Where containers write nothing, as on the test nodes of the real control plane, the rest is told
/// all the same.
#[test]
fn values_of_secrets_are_hidden_in_logs() -> Result<()> {
    let project = Stack::single("wait-mask", &shared()?.kubeconfig(), MANIFEST)?;
    for format in ["text", "json"] {
        let line = format!("up --yes --wait-timeout 5s --output {format}");
        let output = project.run(&line)?;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !said.contains("correct-horse-battery"),
            "{}",
            output.transcript()
        );
        if said.contains("connecting as") {
            assert!(
                said.contains("connecting as •••"),
                "{}",
                output.transcript()
            );
        }
    }
    Ok(())
}
