//! What moves by itself: rollouts, watches, deletions that take time.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};

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
        "rollout status deployment/web --timeout=30s",
        "successfully rolled out",
    )?;
    served.expect(
        "wait --for=condition=Available deployment/web --timeout=30s",
        "met",
    )?;
    served.expect("get deployment web", "2/2")?;
    served.expect("get pods -l app=web", "Running")?;
    served.expect("get endpointslices -o wide", "web")?;
    served.expect("scale deployment web --replicas=3", "scaled")?;
    served.expect(
        "rollout status deployment/web --timeout=30s",
        "successfully rolled out",
    )?;
    served.expect("get deployment web", "3/3")?;
    served.expect(
        "set image deployment/web web=example.com/web:2",
        "image updated",
    )?;
    served.expect(
        "rollout status deployment/web --timeout=30s",
        "successfully rolled out",
    )?;
    served.expect("rollout history deployment/web", "2")?;
    served.expect("rollout undo deployment/web", "rolled back")?;
    served.expect("rollout restart deployment/web", "restarted")?;
    served.expect(
        "rollout status deployment/web --timeout=30s",
        "successfully rolled out",
    )?;
    served.expect("describe deployment web", "Replicas:")?;
    served.expect("describe service web", "Endpoints:")?;
    served.expect("delete deployment web --timeout=30s", "deleted")?;
    served.expect("wait --for=delete pod -l app=web --timeout=30s", "")?;
    Ok(())
}

#[test]
fn a_watch_tells_what_happens() -> Result<()> {
    let served = Served::start(&[], &[])?;
    let kubectl = served.kubectl.clone();
    let watcher = thread::spawn(move || {
        kubectl.try_run([
            "get",
            "cm",
            "-w",
            "--output-watch-events",
            "--request-timeout=6s",
        ])
    });
    // The watch may begin before or after; either way it tells.
    thread::sleep(Duration::from_secs(2));
    served.expect("create configmap seen --from-literal=a=1", "created")?;
    served.expect("label configmap seen x=y", "labeled")?;
    served.expect("delete configmap seen", "deleted")?;
    let Ok(output) = watcher.join() else {
        anyhow::bail!("the watcher panicked");
    };
    let output = output?;
    for expect in ["EVENT", "ADDED", "MODIFIED", "DELETED"] {
        ensure!(output.stdout.contains(expect), "{}", output.transcript());
    }
    Ok(())
}

#[test]
fn a_namespace_goes_with_what_is_in_it() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect("create namespace apps", "created")?;
    served.expect_with("apply -n apps -f -", WEB, "created")?;
    served.expect("delete namespace apps --timeout=60s", "deleted")?;
    served.refuse("get namespace apps", "", "not found")?;
    served.refuse("get deployment web -n apps", "", "not found")?;
    Ok(())
}
