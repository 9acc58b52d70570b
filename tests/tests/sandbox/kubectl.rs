//! The commands of kubectl, each as its manual shows it.

use anyhow::{Result, ensure};

use crate::served::Served;

const SETTINGS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {colour: blue}
";

const DEFINITION: &str = r"apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {size: {type: integer, minimum: 1}}
";

const WIDGET: &str = "apiVersion: example.com/v1
kind: Widget
metadata: {name: first}
spec: {size: 3}
";

#[test]
fn reads_come_as_tables_and_as_objects() -> Result<()> {
    let served = Served::start(&["--nodes", "2"], &[])?;
    let nodes = served.expect("get nodes", "Ready")?;
    ensure!(nodes.lines().count() == 3, "{nodes}");
    ensure!(nodes.starts_with("NAME"), "{nodes}");
    served.expect("get namespaces", "kube-system")?;
    served.expect("get nodes -o wide", "INTERNAL-IP")?;
    served.expect("get ns default -o yaml", "kind: Namespace")?;
    served.expect("get ns default -o jsonpath={.status.phase}", "Active")?;
    served.expect("get ns -o name", "namespace/default")?;
    served.expect("get ns --sort-by=.metadata.name", "default")?;
    served.expect("get ns --field-selector=metadata.name=default", "default")?;
    served.expect("get all -A", "service/kubernetes")?;
    served.expect("get ns --chunk-size=1", "kube-system")?;
    served.refuse("get pods nothing", "", "pods \"nothing\" not found")?;
    served.refuse(
        "get gadgets",
        "",
        "doesn't have a resource type \"gadgets\"",
    )?;
    served.expect("version", "Server Version: v1.33")?;
    served.expect("api-versions", "apps/v1")?;
    let kinds = served.expect("api-resources", "deploy")?;
    ensure!(kinds.contains("persistentvolumeclaims"), "{kinds}");
    served.expect(
        "api-resources --verbs=list --namespaced -o name",
        "deployments.apps",
    )?;
    served.expect("cluster-info", "is running at")?;
    Ok(())
}

#[test]
fn apply_creates_changes_and_leaves_alone() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect_with("apply -f -", SETTINGS, "configmap/settings created")?;
    served.expect_with("apply -f -", SETTINGS, "configmap/settings unchanged")?;
    let changed = SETTINGS.replace("blue", "red");
    served.expect_with("diff -f -", SETTINGS, "")?;
    let difference = served.kubectl.with_input(["diff", "-f", "-"], &changed)?;
    ensure!(difference.code == Some(1), "{}", difference.transcript());
    ensure!(
        difference.stdout.contains("+  colour: red"),
        "{}",
        difference.stdout
    );
    served.expect_with("apply --dry-run=server -f -", &changed, "server dry run")?;
    ensure!(served.field("cm/settings", "/data/colour")? == "blue");
    served.expect_with("apply -f -", &changed, "configmap/settings configured")?;
    ensure!(served.field("cm/settings", "/data/colour")? == "red");
    served.refuse(
        "apply -f -",
        &SETTINGS.replace("\ndata:", "\ndate:"),
        "unknown field \"date\"",
    )?;
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}",
        SETTINGS.replace('\n', "\n  ")
    );
    served.expect_with(
        "apply -f -",
        list.trim_end(),
        "configmap/settings configured",
    )?;
    Ok(())
}

#[test]
fn server_side_apply_keeps_managers_apart() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect_with("apply --server-side -f -", SETTINGS, "serverside-applied")?;
    let changed = SETTINGS.replace("blue", "red");
    let other = "apply --server-side --field-manager=other -f -";
    served.refuse(other, &changed, "conflict with \"kubectl\": .data.colour")?;
    let forced = "apply --server-side --field-manager=other --force-conflicts -f -";
    served.expect_with(forced, &changed, "serverside-applied")?;
    served.refuse(
        "apply --server-side -f -",
        SETTINGS,
        "conflict with \"other\"",
    )?;
    Ok(())
}

#[test]
fn single_fields_are_changed_in_every_way() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect(
        "create configmap one --from-literal=a=1",
        "configmap/one created",
    )?;
    served.expect(
        "create secret generic two --from-literal=a=1",
        "secret/two created",
    )?;
    served.expect("create namespace three", "namespace/three created")?;
    served.expect("create serviceaccount four", "serviceaccount/four created")?;
    served.refuse("create namespace three", "", "already exists")?;
    served.expect("label configmap one tier=web", "configmap/one labeled")?;
    served.expect("get configmap -l tier=web -o name", "configmap/one")?;
    served.expect("label configmap one tier-", "configmap/one unlabeled")?;
    served.expect(
        "annotate configmap one why=because",
        "configmap/one annotated",
    )?;
    for (kind, patch) in [
        ("merge", r#"{"data":{"b":"2"}}"#),
        ("json", r#"[{"op":"add","path":"/data/c","value":"3"}]"#),
        ("strategic", r#"{"data":{"d":"4"}}"#),
    ] {
        let arguments = format!("patch configmap one --type={kind} -p {patch}");
        served.expect(&arguments, "configmap/one patched")?;
    }
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
        ensure!(
            served.field("cm/one", &format!("/data/{key}"))? == value,
            "{key}"
        );
    }
    served.expect("describe configmap one", "because")?;
    let replaced = SETTINGS.replace("settings", "one");
    served.expect_with("replace -f -", &replaced, "configmap/one replaced")?;
    served.expect("delete configmap one", "\"one\" deleted")?;
    served.expect("delete configmap one --ignore-not-found", "")?;
    Ok(())
}

#[test]
fn custom_resources_come_with_their_definition() -> Result<()> {
    let served = Served::start(&[], &[])?;
    served.expect_with("apply -f -", DEFINITION, "created")?;
    served.expect(
        "wait --for=condition=Established crd/widgets.example.com",
        "met",
    )?;
    served.expect_with("apply -f -", WIDGET, "widget.example.com/first created")?;
    served.expect_with("apply -f -", WIDGET, "unchanged")?;
    let table = served.expect("get wd", "SIZE")?;
    ensure!(
        table.lines().nth(1).is_some_and(|row| row.ends_with('3')),
        "{table}"
    );
    let wrong = WIDGET.replace("size: 3", "size: 0");
    served.refuse("apply -f -", &wrong, "spec.size")?;
    served.expect("explain widget.spec", "size")?;
    served.expect("delete crd widgets.example.com", "deleted")?;
    served.refuse("get widgets.example.com", "", "resource type")?;
    Ok(())
}
