//! What moves by itself: rollouts, watches, deletions that take time.

use std::time::Duration;

use anyhow::{Result, ensure};
use underpin_tests::{Running, eventually};

use crate::served::Served;

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'example.com/web:1'}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
";

#[test]
fn a_deployment_rolls_out_scales_and_goes() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect_with("apply -f -", WEB, "deployment.apps/web created")?;
    served.expect(
        "rollout status deployment/web --timeout=120s",
        "successfully rolled out",
    )?;
    served.expect(
        "wait --for=condition=Available deployment/web --timeout=120s",
        "met",
    )?;
    served.expect("get deployment web", "2/2")?;
    served.expect("get pods -l app=web", "Running")?;
    served.expect("get endpointslices -o wide", "web")?;
    served.expect("scale deployment web --replicas=3", "scaled")?;
    served.expect(
        "rollout status deployment/web --timeout=120s",
        "successfully rolled out",
    )?;
    served.expect("get deployment web", "3/3")?;
    served.expect(
        "set image deployment/web web=example.com/web:2",
        "image updated",
    )?;
    served.expect(
        "rollout status deployment/web --timeout=120s",
        "successfully rolled out",
    )?;
    served.expect("rollout history deployment/web", "2")?;
    served.expect("rollout undo deployment/web", "rolled back")?;
    served.expect("rollout restart deployment/web", "restarted")?;
    served.expect(
        "rollout status deployment/web --timeout=120s",
        "successfully rolled out",
    )?;
    served.expect("describe deployment web", "Replicas:")?;
    served.expect("describe service web", "Endpoints:")?;
    served.expect("delete deployment web --timeout=120s", "deleted")?;
    served.expect("wait --for=delete pod -l app=web --timeout=120s", "")?;
    Ok(())
}

/// How long it may take until a watch has told; the machine may be busy.
const WATCH_LIMIT: Duration = Duration::from_mins(1);

/// Waits until a watch has told of such an event.
fn tells(watch: &Running, event: &str, name: &str) -> Result<()> {
    eventually(&format!("{event} {name}"), WATCH_LIMIT, || {
        let text = watch.stdout()?;
        let told = text.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(event) && words.next() == Some(name)
        });
        ensure!(told, "the watch says:\n{text}");
        Ok(Some(()))
    })
}

#[test]
fn a_watch_tells_what_happens() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect("create configmap first --from-literal=a=1", "created")?;
    let watch = served
        .kubectl
        .spawn(["get", "configmaps", "-w", "--output-watch-events"])?;
    tells(&watch, "ADDED", "first")?;
    served.expect("create configmap second --from-literal=a=1", "created")?;
    tells(&watch, "ADDED", "second")?;
    served.expect("label configmap second x=y", "labeled")?;
    tells(&watch, "MODIFIED", "second")?;
    served.expect("delete configmap second", "deleted")?;
    tells(&watch, "DELETED", "second")?;
    Ok(())
}

#[test]
fn a_namespace_goes_with_what_is_in_it() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect("create namespace apps", "created")?;
    served.expect_with("apply -n apps -f -", WEB, "created")?;
    served.expect("delete namespace apps --timeout=120s", "deleted")?;
    served.refuse("get namespace apps", "", "not found")?;
    served.refuse("get deployment web -n apps", "", "not found")?;
    Ok(())
}
