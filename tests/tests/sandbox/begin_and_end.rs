//! What a sandbox begins with, what it leaves, and commands that are run against it.

use std::{fs, net::TcpListener};

use anyhow::{Result, ensure};
use underpin_tests::{Output, Underpin, eventually};

use crate::served::{START_LIMIT, Served, folder};

const SEED: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: 'example.com/db:1'}]}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: first, namespace: data}
---
apiVersion: v1
kind: Namespace
metadata: {name: data}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object}}
";

/// Runs `underpin sandbox` to its end.
fn run(arguments: &[&str], files: &[(&str, &str)]) -> Result<Output> {
    let dir = folder(files)?;
    let underpin = Underpin::new(dir.path(), &dir.path().join("none"))?;
    let output = underpin.run(["sandbox"].iter().chain(arguments))?;
    ensure!(
        !dir.path().join("sandbox.kubeconfig").exists(),
        "a kubeconfig is left behind"
    );
    Ok(output)
}

#[test]
fn what_is_seeded_is_there_and_running_whatever_its_order() -> Result<()> {
    let served = Served::start(&["--seed", "seed.yaml"], &[("seed.yaml", SEED)])?;
    served.expect("get statefulset db -n data", "1/1")?;
    served.expect("get widgets.example.com -n data", "first")?;
    let managed = "get statefulset db -n data --show-managed-fields -o yaml";
    served.expect(managed, "manager: kubectl")?;
    Ok(())
}

#[test]
fn its_kubeconfig_is_private() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let served = Served::start(&[], &[])?;
    let path = served.kubeconfig();
    let mode = fs::metadata(&path)?.permissions().mode();
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    Ok(())
}

/// Ctrl-C, and what a service manager sends.
#[test]
fn it_ends_cleanly_when_it_is_told_to() -> Result<()> {
    for signal in [underpin_testenv::interrupt, underpin_testenv::terminate] {
        let served = Served::start(&[], &[])?;
        let path = served.kubeconfig();
        // One that watches does not keep it.
        let watch = served.kubectl.spawn(["get", "configmaps", "-A", "-w"])?;
        eventually("the watch has begun", START_LIMIT, || {
            Ok(watch.stdout()?.contains("kube-root-ca.crt").then_some(()))
        })?;
        let (output, _dir) = served.stop(signal)?;
        ensure!(output.code == Some(0), "{}", output.transcript());
        ensure!(
            output.stdout.contains("export KUBECONFIG=")
                && output.stderr.contains("the sandbox has ended"),
            "{}",
            output.transcript()
        );
        ensure!(!path.exists());
    }
    Ok(())
}

#[test]
fn a_command_runs_against_it_and_lends_its_exit_code() -> Result<()> {
    let script = "grep ^current-context: $KUBECONFIG; exit 7";
    let output = run(&["--", "sh", "-c", script], &[])?;
    ensure!(output.code == Some(7), "{}", output.transcript());
    ensure!(
        output.stdout == "current-context: sandbox\n",
        "{}",
        output.stdout
    );
    let killed = run(&["--", "sh", "-c", "kill -9 $$"], &[])?;
    ensure!(killed.code == Some(137), "{}", killed.transcript());
    let missing = run(&["--", "no-such-program"], &[])?;
    ensure!(missing.code == Some(1), "{}", missing.transcript());
    ensure!(
        missing.stderr.contains("cannot run no-such-program"),
        "{}",
        missing.stderr
    );
    Ok(())
}

#[test]
fn the_kubeconfig_of_one_that_runs_is_left_alone() -> Result<()> {
    let served = Served::start(&[], &[])?;
    let path = served.kubeconfig();
    let before = fs::read_to_string(&path)?;
    let underpin = Underpin::new(served.dir.path(), &path)?;
    let second = underpin.run(["sandbox"])?;
    ensure!(second.code == Some(1), "{}", second.transcript());
    ensure!(
        second
            .stderr
            .contains("belongs to a sandbox that is running"),
        "{}",
        second.stderr
    );
    ensure!(fs::read_to_string(&path)? == before);
    // With a command there is no need for that place.
    let third = underpin.run(["sandbox", "--", "true"])?;
    ensure!(third.code == Some(0), "{}", third.transcript());
    served.expect("get ns default", "Active")?;
    Ok(())
}

#[test]
fn a_kubeconfig_that_was_left_behind_is_replaced() -> Result<()> {
    let dir = folder(&[])?;
    let path = dir.path().join("sandbox.kubeconfig");
    let underpin = Underpin::new(dir.path(), &path)?;
    let mut seen = String::new();
    for _ in 0..2 {
        let running = underpin.spawn(["sandbox"])?;
        seen = eventually("another kubeconfig", START_LIMIT, || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            Ok((text.contains("current-context") && text != seen).then_some(text))
        })?;
        underpin_tests::kill(running.id()?)?;
        running.wait()?;
        ensure!(path.exists(), "killed, it cannot clean up");
    }
    Ok(())
}

#[track_caller]
fn check_refused(manifest: &str, parts: &[&str]) -> Result<()> {
    let output = run(
        &["--seed", "seed.yaml", "--", "true"],
        &[("seed.yaml", manifest)],
    )?;
    ensure!(output.code == Some(1), "{}", output.transcript());
    for part in parts {
        ensure!(
            output.stderr.contains(part),
            "no {part:?} in {}",
            output.stderr
        );
    }
    Ok(())
}

#[test]
fn what_cannot_be_seeded_is_told_with_its_place() -> Result<()> {
    check_refused(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: gone}\n",
        &[
            "seed.yaml:1:1",
            "namespaces \"gone\" not found",
            "add a manifest of the namespace",
        ],
    )?;
    check_refused(
        "\napiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: a}\n",
        &["seed.yaml:2:1", "serves no Gadget in example.com/v1"],
    )?;
    check_refused(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndate: {}\n",
        &["seed.yaml:1:1", "date"],
    )?;
    check_refused("kind: [", &["seed.yaml:1"])?;
    Ok(())
}

#[test]
fn wrong_arguments_are_told() -> Result<()> {
    let file = [("mine", "apiVersion: v1\nkind: Config\n")];
    let taken = run(&["--kubeconfig-out", "mine", "--", "true"], &file)?;
    ensure!(taken.code == Some(1), "{}", taken.transcript());
    ensure!(
        taken.stderr.contains("was not written by a sandbox"),
        "{}",
        taken.stderr
    );
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let used = run(&["--port", &port, "--", "true"], &[])?;
    ensure!(
        used.code == Some(1) && used.stderr.contains("choose another with --port"),
        "{}",
        used.transcript()
    );
    let twice = run(&["--user", "a", "--user", "a", "--", "true"], &[])?;
    ensure!(twice.code == Some(1), "{}", twice.transcript());
    let missing = run(&["--seed", "nowhere", "--", "true"], &[])?;
    ensure!(
        missing.code == Some(1) && missing.stderr.contains("nowhere"),
        "{}",
        missing.stderr
    );
    Ok(())
}
