//! R6.2: an `up` that removes a namespace is killed, and what it has deleted leaves behind for a moment what
//! controllers made of it. The next run goes on all the same.

use anyhow::{Result, ensure};
use underpin_tests::{Action, Kubectl, Proxy, RequestInfo, SHORT_LEASE, Stack, eventually, shared};

use super::LIMIT;

/// What stays.
fn kept() -> String {
    let maps = (1..=6).map(|number| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: kept-{number} }}\n---\n")
    });
    maps.collect()
}

/// A namespace of its own with a workload, its account, and a Service before it.
fn removed(namespace: &str) -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata: {{ name: {namespace} }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{ name: web, namespace: {namespace} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: web, namespace: {namespace} }}
spec: {{ selector: {{ app: web }}, ports: [{{ port: 80 }}] }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: web, namespace: {namespace} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: web }} }}
  template:
    metadata: {{ labels: {{ app: web }} }}
    spec:
      serviceAccountName: web
      containers: [{{ name: web, image: registry.example.com/web:1 }}]
"
    )
}

/// What people's finalizers hold of each pod: `[]` for nothing.
fn hold(kubectl: &Kubectl, namespace: &str, finalizers: &str) -> Result<()> {
    let pods = kubectl.run(["get", "pods", "-n", namespace, "-o", "name"])?;
    let patch = format!(r#"{{"metadata": {{"finalizers": {finalizers}}}}}"#);
    for pod in pods.lines() {
        kubectl.run(["patch", pod, "-n", namespace, "--type=merge", "-p", &patch])?;
    }
    Ok(())
}

/// A run dies right after or before the request that `at` describes; what is left blocks neither the plan nor the
/// next run. `held`: of that are pods, until it has been looked.
fn check(name: &str, held: bool, kill: Action, at: fn(&RequestInfo) -> bool) -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let old = format!("{name}-old");
    let whole = format!("{}{}", kept(), removed(&old));
    let project = Stack::single(name, &proxy.kubeconfig(), &whole)?;
    project.expect(0, "up --yes --wait=false")?;
    // What controllers make is to be there.
    eventually("endpoints and pods", LIMIT, || {
        let endpoints = kubectl.find(&["-n", &old, "endpoints", "web"])?;
        let pods = kubectl.run(["get", "pods", "-n", &old, "-o", "name"])?;
        Ok((endpoints.is_some() && pods.lines().count() == 2).then_some(()))
    })?;
    if held {
        hold(&kubectl, &old, r#"["example.com/hold"]"#)?;
    }
    project.declare(&kept())?;
    proxy.policy(move |request| {
        if request.method == "DELETE" && at(request) {
            kill.clone()
        } else {
            Action::Pass
        }
    });
    let running = project.spawn(&format!("up --yes --lease {SHORT_LEASE}"))?;
    proxy.victim(running.id()?);
    let output = running.wait()?;
    ensure!(
        output.code.is_none(),
        "it was not killed\n{}",
        output.transcript()
    );
    proxy.policy(|_| Action::Pass);
    project.expect(0, "plan")?;
    if held {
        hold(&kubectl, &old, "[]")?;
    }
    project.expect(0, "up --yes")?;
    ensure!(
        kubectl.find(&["namespace", &old])?.is_none(),
        "{old} is still there"
    );
    project.expect(0, "plan --detailed-exitcode")?;
    Ok(())
}

#[test]
fn after_its_service() -> Result<()> {
    check("removal-service", true, Action::KillAfter, |request| {
        request.path.contains("/services/")
    })
}

#[test]
fn after_its_workload() -> Result<()> {
    check("removal-workload", true, Action::KillAfter, |request| {
        request.path.contains("/deployments/")
    })
}

#[test]
fn before_the_namespace_itself() -> Result<()> {
    check("removal-namespace", false, Action::KillBefore, |request| {
        request.path.starts_with("/api/v1/namespaces/") && request.path.matches('/').count() == 4
    })
}
