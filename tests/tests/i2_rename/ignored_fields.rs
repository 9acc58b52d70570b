//! R2.9: fields that are applied at creation and then left as they are live.

use anyhow::Result;
use serde_json::Value;
use underpin_tests::{Kubectl, shared};

use crate::rooms::{WEB, project};

const MAP: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: { name: flags, annotations: { underpin.dev/ignore-fields: data.level } }
data: { level: low, other: one }
";

fn stack_file(stack: &str) -> String {
    format!(
        "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {stack} }}\nspec:\n  \
         sources: [{{ manifests: k8s, substitute: true }}]\n  environments: {{ dev: {{}} }}\n  \
         ignoreFields:\n    - kind: Deployment.apps\n      name: web\n      \
         paths: [spec.replicas, \"spec.template.spec.containers[name=main].image\"]\n"
    )
}

#[test]
fn fields_named_for_it_are_set_once_and_then_left_alone() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "left-alone";
    let project = project(cluster, stack, "dev: {}", &format!("{WEB}{MAP}"))?;
    project.write("underpin.yaml", &stack_file(stack))?;
    project.expect(0, "up --yes --wait=false")?;
    let image = |deployment: &Value| {
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let deployment = kubectl.get(&["deployment", "web", "-n", stack])?;
    assert_eq!(
        image(&deployment),
        "registry.example.org/left-alone:0.1.7",
        "applied at creation"
    );
    assert_eq!(deployment["spec"]["replicas"], 1);

    kubectl.run(["scale", "deployment", "web", "--replicas=2", "-n", stack])?;
    kubectl.run([
        "set",
        "image",
        "deployment/web",
        "main=registry.example.org/hot:fix",
        "-n",
        stack,
    ])?;
    let patch = r#"{"data":{"level":"high","other":"by hand"}}"#;
    kubectl.run(["patch", "configmap", "flags", "-n", stack, "-p", patch])?;
    let change = format!("{WEB}{MAP}")
        .replace("0.1.7", "0.1.8")
        .replace("port: 80", "port: 81");
    project.write("k8s/app.yaml", &change)?;
    // Who set `other` by hand owns it now: taking it back is said by name (R6.1).
    let adopt = ["--adopt", "configmap/left-alone/flags"];
    project.expect_with(0, "up --yes --wait=false", &adopt)?;
    let deployment = kubectl.get(&["deployment", "web", "-n", stack])?;
    assert_eq!(image(&deployment), "registry.example.org/hot:fix");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let map = kubectl.get(&["configmap", "flags", "-n", stack])?;
    assert_eq!(map["data"]["level"], "high");
    assert_eq!(
        map["data"]["other"], "one",
        "what is not named is declared, and so restored"
    );
    let service = kubectl.get(&["service", "web", "-n", stack])?;
    assert_eq!(
        service["spec"]["ports"][0]["port"], 81,
        "the rest of the change is deployed"
    );
    project.expect(0, "plan --detailed-exitcode")?;
    Ok(())
}
