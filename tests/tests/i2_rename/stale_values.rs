//! R2.5: values that name the computed namespace instead of the live one are found.

use anyhow::Result;
use underpin_tests::{Kubectl, Stack, shared, with_filters};

use crate::rooms::{WEB, project, stack_file};

/// The VerticalPodAutoscaler, as far as the API server needs to know it.
const VPA_DEFINITION: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: verticalpodautoscalers.autoscaling.k8s.io, annotations: { api-approved.kubernetes.io: unapproved } }
spec:
  group: autoscaling.k8s.io
  scope: Namespaced
  names: { plural: verticalpodautoscalers, singular: verticalpodautoscaler, kind: VerticalPodAutoscaler }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
";

/// An environment that lives in `stack`, while `stack-dev` is what its names derive today.
fn moved_rule(stack: &str) -> Result<Stack> {
    let project = project(shared()?, stack, "dev: {}", WEB)?;
    project.expect(0, "up --yes -e dev --wait=false")?;
    let environments = "us: { context: elsewhere }, dev: { parent: us }";
    project.write("underpin.yaml", &stack_file(stack, environments))?;
    Ok(project)
}

/// Adds a manifest that names the computed namespace: blocked by UP108 about `subject`, before
/// anything is changed; with `${namespace}` in its place, it is no finding.
#[track_caller]
fn check(stack: &str, subject: &str, manifest: &str) -> Result<String> {
    let project = moved_rule(stack)?;
    let computed = format!("{stack}-dev");
    project.write("k8s/more.yaml", &manifest.replace("NAMESPACE", &computed))?;
    let planned = project.expect(3, "plan -e dev")?;
    let finding = format!("UP108 {subject}");
    assert!(
        planned.stdout.contains(&finding),
        "{finding}\n{}",
        planned.transcript()
    );
    let place = "k8s/more.yaml:";
    assert!(planned.stdout.contains(place), "{}", planned.transcript());
    project.write(
        "k8s/more.yaml",
        &manifest.replace("NAMESPACE", "${namespace}"),
    )?;
    let right = project.run("plan -e dev")?;
    assert!(!right.stdout.contains("UP108"), "{}", right.transcript());
    assert_eq!(right.code, Some(0), "{}", right.transcript());
    Ok(planned.stdout)
}

/// The first of the two in the incident: the proxy's upstream, and 502 in public.
#[test]
fn the_upstream_of_a_proxy_entry_is_found() -> Result<()> {
    let stack = "stale-upstream";
    let manifest = "\
apiVersion: v1
kind: Service
metadata:
  name: public
  annotations:
    simple-container.com/caddyfile-entry: |
      http://rooms.example.com {
        reverse_proxy http://web.NAMESPACE.svc.cluster.local:80
        import gzip
      }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
";
    let text = check(stack, &format!("service/{stack}/public"), manifest)?;
    with_filters(&[], || {
        insta::assert_snapshot!("stale_upstream", text);
    });
    assert!(
        !text.contains("import gzip"),
        "bodies are not quoted (R3.6): {text}"
    );
    Ok(())
}

/// The second: autoscaling silently off.
#[test]
fn autoscalers_in_the_computed_namespace_are_found() -> Result<()> {
    let kubectl = Kubectl::new(shared()?);
    kubectl.apply("test", VPA_DEFINITION)?;
    let name = "customresourcedefinition/verticalpodautoscalers.autoscaling.k8s.io";
    kubectl.run(["wait", "--for=condition=Established", name, "--timeout=30s"])?;
    let vertical = "\
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: { name: web, namespace: 'NAMESPACE' }
spec: { targetRef: { apiVersion: apps/v1, kind: Deployment, name: web } }
";
    let stack = "stale-vertical";
    let subject = format!("verticalpodautoscaler.autoscaling.k8s.io/{stack}-dev/web");
    let text = check(stack, &subject, vertical)?;
    with_filters(&[], || {
        insta::assert_snapshot!("stale_vertical", text);
    });
    let horizontal = "\
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: { name: web, namespace: 'NAMESPACE' }
spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web } }
";
    let stack = "stale-horizontal";
    let subject = format!("horizontalpodautoscaler.autoscaling/{stack}-dev/web");
    check(stack, &subject, horizontal)?;
    Ok(())
}

#[test]
fn the_subject_of_a_binding_is_found() -> Result<()> {
    let manifest = "\
apiVersion: v1
kind: ServiceAccount
metadata: { name: worker }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: worker }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view }
subjects: [{ kind: ServiceAccount, name: worker, namespace: 'NAMESPACE' }]
";
    let stack = "stale-subject";
    let subject = format!("rolebinding.rbac.authorization.k8s.io/{stack}/worker");
    check(stack, &subject, manifest)?;
    Ok(())
}

#[test]
fn a_name_in_the_environment_of_a_container_is_found() -> Result<()> {
    let manifest = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: client }
spec:
  selector: { matchLabels: { app: client } }
  template:
    metadata: { labels: { app: client } }
    spec:
      containers:
        - name: main
          image: registry.example.org/client:1
          env: [{ name: ROOMS, value: \"http://web.NAMESPACE.svc.cluster.local:80/rooms\" }]
";
    let stack = "stale-variable";
    check(stack, &format!("deployment.apps/{stack}/client"), manifest)?;
    Ok(())
}
