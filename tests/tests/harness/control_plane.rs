use anyhow::{Context, Result, ensure};
use underpin_tests::{Kubectl, Namespace, OUTCOME, eventually, fresh, shared};

use super::LIMIT;

#[track_caller]
fn deployment(name: &str, outcome: &str) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata:
      labels: {{ app: {name} }}
      annotations: {{ {OUTCOME}: {outcome} }}
    spec:
      containers: [{{ name: main, image: "example.org/a:1" }}]
"#
    )
}

fn apply_in(kubectl: &Kubectl, namespace: &Namespace, text: &str) -> Result<()> {
    let args = [
        "-n",
        namespace.name(),
        "apply",
        "--server-side",
        "--validate=false",
        "-f",
        "-",
    ];
    let output = kubectl.with_input(args, text)?;
    ensure!(output.code == Some(0), "{}", output.transcript());
    Ok(())
}

#[test]
fn server_side_apply_names_the_manager_of_a_conflicting_field() -> Result<()> {
    let cluster = shared()?;
    let namespace = Namespace::create(cluster, "conflict")?;
    let kubectl = Kubectl::new(cluster);
    let map = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: a, namespace: {} }}\ndata: {{ k: {value} }}\n",
            namespace.name()
        )
    };
    kubectl.apply("first", &map("one"))?;
    let uid = kubectl.uid(&["-n", namespace.name(), "configmap", "a"])?;
    let refused = kubectl.try_apply("second", &map("two"))?;
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("conflict with \"first\""),
        "{}",
        refused.transcript()
    );
    let live = kubectl.get(&["-n", namespace.name(), "configmap", "a"])?;
    assert_eq!(live["data"]["k"], "one");
    assert_eq!(live["metadata"]["uid"], uid.as_str());
    Ok(())
}

#[test]
fn pods_become_ready_on_the_fake_node_unless_told_otherwise() -> Result<()> {
    let cluster = shared()?;
    let namespace = Namespace::create(cluster, "pods")?;
    let kubectl = Kubectl::new(cluster);
    apply_in(&kubectl, &namespace, &deployment("good", "running"))?;
    apply_in(&kubectl, &namespace, &deployment("bad", "unready"))?;
    let name = namespace.name();
    kubectl.run([
        "-n",
        name,
        "rollout",
        "status",
        "deployment/good",
        "--timeout=60s",
    ])?;
    eventually("both bad pods run", LIMIT, || {
        let pods = kubectl.get(&["-n", name, "pods", "-l", "app=bad"])?;
        let pods = pods["items"].as_array().context("a list")?;
        let run = pods
            .iter()
            .filter(|pod| pod["status"]["phase"] == "Running")
            .count();
        Ok((run == 2).then_some(()))
    })?;
    let bad = kubectl.get(&["-n", name, "deployment", "bad"])?;
    assert_eq!(bad["status"]["unavailableReplicas"], 2);
    let good = kubectl.get(&["-n", name, "pods", "-l", "app=good"])?;
    let address = |index: usize| good["items"][index]["status"]["podIP"].clone();
    assert!(address(0).is_string());
    assert_ne!(address(0), address(1));
    Ok(())
}

#[test]
fn deleting_a_namespace_takes_its_running_pods_along() -> Result<()> {
    let cluster = shared()?;
    let namespace = Namespace::create(cluster, "cascade")?;
    let kubectl = Kubectl::new(cluster);
    apply_in(&kubectl, &namespace, &deployment("web", "running"))?;
    let name = namespace.name();
    kubectl.run([
        "-n",
        name,
        "rollout",
        "status",
        "deployment/web",
        "--timeout=60s",
    ])?;
    kubectl.run(["delete", "namespace", name, "--timeout=60s"])?;
    assert_eq!(kubectl.find(&["namespace", name])?, None);
    Ok(())
}

#[test]
fn a_restart_keeps_the_objects_and_the_address() -> Result<()> {
    let cluster = fresh()?;
    let kubectl = Kubectl::new(&cluster);
    kubectl.run(["create", "namespace", "kept"])?;
    let uid = kubectl.uid(&["namespace", "kept"])?;
    cluster.stop_apiserver();
    assert_ne!(
        kubectl
            .try_run(["get", "namespaces", "--request-timeout=5s"])?
            .code,
        Some(0)
    );
    cluster.restart_apiserver()?;
    assert_eq!(kubectl.uid(&["namespace", "kept"])?, uid);
    Ok(())
}

#[test]
fn a_user_has_the_rights_of_its_bindings_and_no_others() -> Result<()> {
    let cluster = shared()?;
    let admin = Kubectl::new(cluster);
    let binding = "--clusterrole=view";
    admin.run([
        "create",
        "clusterrolebinding",
        "harness-viewer",
        binding,
        "--user=viewer",
    ])?;
    let file = cluster.dir().join("viewer.kubeconfig");
    cluster.user("viewer")?.write(&file)?;
    let viewer = admin.with_kubeconfig(&file);
    eventually("the binding counts", LIMIT, || {
        Ok(viewer.run(["get", "configmaps", "-A"]).ok())
    })?;
    let refused = viewer.try_run(["create", "namespace", "not-allowed"])?;
    assert!(
        refused.stderr.contains("Forbidden"),
        "{}",
        refused.transcript()
    );
    Ok(())
}
