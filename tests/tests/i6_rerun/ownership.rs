//! Who owns the fields of what `up` creates, where servers do not let an apply create it.

use anyhow::Result;
use serde_json::{Value, json};
use underpin_tests::{Kubectl, Stack, shared};

const PORTS: &str =
    "[{ name: http, port: 80, targetPort: web }, { name: https, port: 443, protocol: TCP }]";

fn service(name: &str, ports: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, labels: {{ tier: front }} }}\n\
         spec: {{ selector: {{ app: web }}, ports: {ports} }}\n"
    )
}

/// What one manager's entries hold, but for annotations, which are the program's own, and for what keeps an
/// apply from changing a Service that is there: it goes with the next apply.
fn owned(service: &Value, manager: &str) -> Vec<Value> {
    let entries = service["metadata"]["managedFields"].as_array();
    let own = entries
        .into_iter()
        .flatten()
        .filter(|entry| entry["manager"] == manager);
    let held = own.map(|entry| {
        let mut fields = entry["fieldsV1"].clone();
        if let Some(metadata) = fields["f:metadata"].as_object_mut() {
            metadata.remove("f:annotations");
            metadata.remove("f:deletionGracePeriodSeconds");
        }
        json!([entry["operation"], entry["apiVersion"], fields])
    });
    held.collect()
}

/// A new Service's fields are owned exactly as the server itself writes down of an apply, with nothing
/// beside: what is dropped from the manifest goes, and nothing is left to do.
#[test]
fn a_new_service_is_owned_as_one_that_was_applied() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let project = Stack::single("owned", &cluster.kubeconfig(), &service("web", PORTS))?;
    project.expect(0, "up --yes")?;
    let applied =
        service("other", PORTS).replace("{ name: other", "{ namespace: owned, name: other");
    kubectl.apply("somebody", &applied)?;
    // As the server tells it: kubectl leaves the managed fields out.
    let whole = |name: &str| -> Result<Value> {
        let path = format!("/api/v1/namespaces/owned/services/{name}");
        Ok(serde_json::from_str(
            &kubectl.run(["get", "--raw", &path])?,
        )?)
    };
    let ours = owned(&whole("web")?, "underpin");
    assert_eq!(ours.len(), 1);
    assert_eq!(ours, owned(&whole("other")?, "somebody"));
    assert_eq!(ours[0][0], "Apply");
    // Whoever finds it there, and says that it may only be created, changes nothing.
    let only_creates = "name: other, deletionGracePeriodSeconds: 9223372036854775807";
    let guarded = applied.replace("name: other", only_creates);
    let guarded = guarded.replace("port: 80,", "port: 81,");
    assert!(kubectl.apply("somebody", &guarded).is_err());
    assert_eq!(whole("other")?["spec"]["ports"][0]["port"], 80);

    let settled = project.expect(0, "up --yes")?;
    let told = settled.transcript();
    assert!(settled.stdout.contains("is up to date"), "{told}");
    project.declare(&service(
        "web",
        "[{ name: http, port: 80, targetPort: web }]",
    ))?;
    project.expect(0, "up --yes")?;
    let live = kubectl.get(&["-n", "owned", "service", "web"])?;
    let ports = live["spec"]["ports"].as_array().map(Vec::len);
    assert_eq!(ports, Some(1), "{}", live["spec"]);
    Ok(())
}
