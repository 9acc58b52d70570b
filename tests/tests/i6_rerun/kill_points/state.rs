//! What a stack has left in the cluster, made comparable between runs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use underpin_tests::Kubectl;

/// Kinds in the stack's namespace, besides its own custom kind.
const NAMESPACED: &str = "serviceaccounts,roles,rolebindings,secrets,configmaps,deployments,\
    statefulsets,jobs,services,ingresses,networkpolicies,limitranges";
/// Kinds outside it, told by label.
const CLUSTER_SCOPED: &str = "customresourcedefinitions,clusterroles,clusterrolebindings";
/// kubectl leaves them out unless told.
const FIELDS: &str = "--show-managed-fields";
/// Metadata that differs between two runs with the same result: identities, counters and times.
const VOLATILE: [&str; 6] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "selfLink",
    "managedFields",
];

/// Every object of the stack, normalised, by kind and name.
pub(super) fn of_stack(kubectl: &Kubectl, stack: &str) -> Result<BTreeMap<String, Value>> {
    let mut state = BTreeMap::new();
    let selector = format!("of={stack}");
    let outside = kubectl.get(&[FIELDS, CLUSTER_SCOPED, "-l", &selector])?;
    let mut kinds = NAMESPACED.to_owned();
    // Gone with its definition.
    if names_of(&outside)?
        .iter()
        .any(|name| name.starts_with("widgets."))
    {
        kinds = format!("{kinds},widgets.{stack}.example.org");
    }
    let inside = kubectl.get(&[FIELDS, &kinds, "-n", stack])?;
    let home = kubectl.find(&[FIELDS, "namespace", stack])?;
    for object in items(&outside)?
        .iter()
        .chain(items(&inside)?)
        .chain(home.as_ref())
    {
        if is_ambient(object) {
            continue;
        }
        let key = format!(
            "{}/{}",
            text(object, "/kind"),
            text(object, "/metadata/name")
        );
        state.insert(key.replace(stack, "STACK"), normalised(object, stack)?);
    }
    Ok(state)
}

/// Every environment's claim records what it has applied, and holds no lock.
pub(super) fn settled_claim(kubectl: &Kubectl, stack: &str) -> Result<Vec<String>> {
    let claim = claim(kubectl, stack)?.context("there is a claim")?;
    ensure!(
        claim.get("lock").is_none(),
        "a lock is stuck: {}",
        claim["lock"]
    );
    let entries: Value = serde_json::from_str(claim["entries"].as_str().context("entries")?)?;
    let entries = entries.as_object().context("entries")?;
    for (key, entry) in entries {
        ensure!(
            entry["state"] == "applied" && entry["uid"].is_string(),
            "{key}: {entry}"
        );
    }
    Ok(entries
        .keys()
        .map(|key| key.replace(stack, "STACK"))
        .collect())
}

/// The data of the stack's claim as it is stored.
pub(super) fn claim(kubectl: &Kubectl, stack: &str) -> Result<Option<Value>> {
    let all = kubectl.get(&["configmaps", "-n", "underpin-system"])?;
    let found = items(&all)?.iter().find(|map| {
        let claim = map["data"]["claim"]
            .as_str()
            .and_then(|text| serde_json::from_str::<Value>(text).ok());
        claim.is_some_and(|claim| claim["stack"] == stack)
    });
    Ok(found.map(|map| map["data"].clone()))
}

fn items(list: &Value) -> Result<&Vec<Value>> {
    list["items"].as_array().context("a list")
}

fn names_of(list: &Value) -> Result<Vec<&str>> {
    Ok(items(list)?
        .iter()
        .map(|object| text(object, "/metadata/name"))
        .collect())
}

fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What Kubernetes itself puts into every namespace.
fn is_ambient(object: &Value) -> bool {
    let name = text(object, "/metadata/name");
    name == "kube-root-ca.crt"
        || name == "default" && object["kind"] == "ServiceAccount"
        || object["type"] == "kubernetes.io/service-account-token"
}

fn normalised(object: &Value, stack: &str) -> Result<Value> {
    let mut object = object.clone();
    let owned = owned_fields(&object);
    let whole = object.as_object_mut().context("an object")?;
    whole.remove("status");
    if whole["kind"] == "ServiceAccount" {
        whole.remove("secrets");
    }
    let metadata = object["metadata"].as_object_mut().context("metadata")?;
    for field in VOLATILE {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    {
        if let Some(stamp) = annotations.get_mut("underpin.dev/claim") {
            *stamp = json!("STAMP");
        }
        // The time of the last run; the run that creates the namespace need not mark it.
        annotations.remove("underpin.dev/last-up");
        // Counted by a controller.
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        // Jobs get their own uid, under one name or (since 1.27) two.
        labels.remove("controller-uid");
        labels.remove("batch.kubernetes.io/controller-uid");
    }
    metadata.insert("owned".to_owned(), owned);
    let is_job = object["kind"] == "Job";
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        if spec
            .get("clusterIP")
            .is_some_and(|address| address != "None")
        {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
        if is_job {
            // Both hold the Job's own uid.
            spec.remove("selector");
            spec["template"]["metadata"] = Value::Null;
        }
    }
    Ok(serde_json::from_str(
        &object.to_string().replace(stack, "STACK"),
    )?)
}

/// Which fields the program owns by its applies, and what else it has touched.
fn owned_fields(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten();
    let own = entries.filter(|entry| {
        text(entry, "/manager").starts_with("underpin") && entry["operation"] == "Apply"
    });
    own.map(|entry| json!([entry["manager"], entry["fieldsV1"]]))
        .collect()
}
