//! What keeps pods from being ready is told first, whatever else is not well.

use anyhow::{Context, Result};
use serde_json::Value;
use underpin_tests::{Stack, shared};

use super::workload::{deployment, failing_job};

/// Runs `up` on a stack of its own, and returns its document.
fn document(name: &str, manifest: &str, arguments: &str) -> Result<Value> {
    let cluster = shared()?;
    let project = Stack::single(name, &cluster.kubeconfig(), manifest)?;
    let output = project.expect(
        1,
        &format!("up --yes --wait-timeout 8s --output json {arguments}"),
    )?;
    serde_json::from_str(&output.stdout).context(output.transcript())
}

/// The failure that a document tells of an object.
#[track_caller]
fn failure<'d>(document: &'d Value, object: &str) -> &'d Value {
    let failures = document["result"]["failures"].as_array().unwrap();
    failures
        .iter()
        .find(|failure| failure["object"] == object)
        .unwrap_or_else(|| panic!("{object}: {failures:#?}"))
}

#[track_caller]
fn check(failure: &Value, begins: &str, help: &str) {
    let message = failure["message"].as_str().unwrap();
    assert!(message.starts_with(begins), "{failure:#}");
    let given = failure["help"].as_str().unwrap_or_default();
    assert!(given.contains(help), "{failure:#}");
}

#[test]
fn an_image_that_is_not_found() -> Result<()> {
    let manifest = deployment("web", "unpullable", "", "");
    let document = document("wait-image", &manifest, "")?;
    let failure = failure(&document, "deployment.apps/wait-image/web");
    let cause =
        "ImagePullBackOff: image registry.example.com/web:9 of container main was not found";
    check(failure, cause, "name and tag");
    assert_eq!(
        failure["state"],
        "not ready after 8 s: 0 of 1 pods available"
    );
    assert_eq!(failure["events"][0]["reason"], "Failed", "{failure:#}");
    Ok(())
}

/// UP107 blocks such a plan; who accepts it learns why nothing starts.
#[test]
fn a_secret_that_is_not_there() -> Result<()> {
    let source = ", envFrom: [{ secretRef: { name: nothere } }]";
    let manifest = deployment("web", "running", source, "");
    let accept = "--accept UP107:secret/wait-secret/nothere --reason test";
    let document = document("wait-secret", &manifest, accept)?;
    let failure = failure(&document, "deployment.apps/wait-secret/web");
    let cause = "CreateContainerConfigError: secret \"nothere\" not found";
    check(failure, cause, "declare the Secret");
    Ok(())
}

#[test]
fn a_pod_that_no_node_takes() -> Result<()> {
    let manifest = deployment(
        "web",
        "running",
        ", resources: { requests: { cpu: '1000' } }",
        "",
    );
    let document = document("wait-node", &manifest, "")?;
    let failure = failure(&document, "deployment.apps/wait-node/web");
    check(failure, "Unschedulable: 0/", "requests");
    assert!(
        failure["message"]
            .as_str()
            .unwrap()
            .contains("Insufficient cpu")
    );
    Ok(())
}

/// A definite failure is not waited out.
#[test]
fn a_job_that_fails() -> Result<()> {
    let document = document("wait-job", &failing_job("migrate"), "")?;
    let failure = failure(&document, "job.batch/wait-job/migrate");
    check(failure, "container main exited with code 1", "");
    let state = failure["state"].as_str().unwrap();
    assert!(
        state.starts_with("it failed: BackoffLimitExceeded"),
        "{failure:#}"
    );
    // Where nothing runs, the node has no log to give; that is told, and hides nothing.
    let told = !failure["log"].is_null() || !failure["unread"].as_array().unwrap().is_empty();
    assert!(told || failure["help"].is_string(), "{failure:#}");
    Ok(())
}

/// R6.4: what fails does not keep others from being waited for.
#[test]
fn each_failure_is_its_own() -> Result<()> {
    let manifest = [
        deployment("crash", "crashing", "", ""),
        deployment("probe", "unready", "", ""),
        deployment("good", "running", "", ""),
    ];
    let document = document("wait-each", &manifest.concat(), "")?;
    let crash = failure(&document, "deployment.apps/wait-each/crash");
    check(
        crash,
        "CrashLoopBackOff: container main exited with code 1, 3 restarts",
        "",
    );
    let probe = failure(&document, "deployment.apps/wait-each/probe");
    check(probe, "Unhealthy: Readiness probe failed", "probe");
    assert_eq!(
        document["result"]["failures"].as_array().map(Vec::len),
        Some(2)
    );
    Ok(())
}
