//! The strategies: what the server itself decides of an object that is created or updated.

use serde_json::{Map, Value, json};

use super::{Operation, custom, defaults, normal, pods, qos, services, view::at, wire::shape};
use crate::{Kind, State, object, object::child};

/// Kinds whose generation counts changes of what is asked for; custom resources have one too.
const WITH_GENERATION: &[(&str, &str)] = &[
    ("", "ReplicationController"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("policy", "PodDisruptionBudget"),
    ("scheduling.k8s.io", "PriorityClass"),
];

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Sets what is missing and has a default, in normal form. Doing it twice changes nothing.
pub(crate) fn set_defaults(kind: &Kind, value: &mut Value) {
    if kind.definition.is_some() {
        custom::set_defaults(kind, value);
        return;
    }
    normal::normalise(kind, value);
    if let (Some(shape), Value::Object(map)) =
        (shape::of_kind(&kind.kind, &kind.version), &mut *value)
    {
        defaults::fill(shape, map);
    }
    if kind.kind.is("apps", "StatefulSet") {
        let claims = value
            .pointer_mut("/spec/volumeClaimTemplates")
            .and_then(Value::as_array_mut);
        for claim in claims.into_iter().flatten() {
            claim["apiVersion"] = json!("v1");
            claim["kind"] = json!("PersistentVolumeClaim");
        }
    }
    if kind.kind.is("", "Namespace") {
        let name = object::name(value).to_owned();
        if let (false, Value::Object(map)) = (name.is_empty(), value) {
            let labels = child(child(map, "metadata"), "labels");
            labels.insert("kubernetes.io/metadata.name".to_owned(), json!(name));
        }
    }
}

/// The strategy's preparation: defaults; status and spec by subresource (empty: the object
/// itself); generation; allocation; what admission adds. `new` has its uid and name already.
pub(crate) fn prepare(
    state: &mut State,
    kind: &Kind,
    operation: Operation,
    old: Option<&Value>,
    new: &mut Value,
    subresource: &str,
) {
    set_defaults(kind, new);
    let Some(old) = old.filter(|_| operation == Operation::Update) else {
        create(state, kind, new);
        set_generation(kind, None, new);
        return;
    };
    keep_metadata(old, new);
    keep_by_subresource(kind, old, new, subresource);
    if kind.kind.is("", "Service") && subresource.is_empty() {
        services::update(state, old, new);
    }
    if kind.kind.is("apps", "DaemonSet") && subresource.is_empty() {
        template_generation(Some(old), new);
    }
    set_generation(kind, Some(old), new);
}

fn create(state: &mut State, kind: &Kind, new: &mut Value) {
    if let Some(Value::Object(metadata)) = new.get_mut("metadata") {
        metadata.remove("deletionTimestamp");
        metadata.remove("deletionGracePeriodSeconds");
    }
    clear_status(kind, new);
    match (kind.kind.group.as_str(), kind.kind.kind.as_str()) {
        ("", "Namespace") => namespace_finalizer(new),
        ("", "Pod") => {
            pods::admit(state, new);
            let class = qos::class(at(new, "/spec"));
            new["status"] = json!({"phase": "Pending", "qosClass": class});
        }
        ("", "Service") => services::create(state, new),
        ("", "PersistentVolumeClaim") => {
            default_storage_class(state, new);
            add_finalizer(new, "kubernetes.io/pvc-protection");
        }
        ("", "PersistentVolume") => add_finalizer(new, "kubernetes.io/pv-protection"),
        ("apps", "DaemonSet") => template_generation(None, new),
        ("batch", "Job") => job_selector(new),
        ("networking.k8s.io", "Ingress") => default_ingress_class(state, new),
        _ => {}
    }
}

/// The namespace controller's finalizer comes after what the client asks for.
fn namespace_finalizer(new: &mut Value) {
    let Value::Object(namespace) = new else {
        return;
    };
    let spec = child(namespace, "spec");
    let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
    match finalizers {
        Value::Array(all) if all.iter().any(|one| one == "kubernetes") => {}
        Value::Array(all) => all.push(json!("kubernetes")),
        other => *other = json!(["kubernetes"]),
    }
}

/// The status is the server's: on creation it is empty, but for what has a default.
fn clear_status(kind: &Kind, new: &mut Value) {
    let Value::Object(map) = new else { return };
    if kind.definition.is_some() {
        if kind.has_status {
            map.remove("status");
        }
        return;
    }
    if !kind.has_status || kind.kind.is("", "Node") {
        return;
    }
    map.remove("status");
    set_defaults(kind, new);
}

/// What an update may leave out or may not change without being refused.
fn keep_metadata(old: &Value, new: &mut Value) {
    let Value::Object(map) = new else { return };
    let metadata = child(map, "metadata");
    let old = |name: &str| old.pointer(&format!("/metadata/{name}")).cloned();
    for name in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let is_missing = metadata
            .get(name)
            .is_none_or(|value| value.is_null() || value.as_str() == Some(""));
        if let (true, Some(value)) = (is_missing, old(name)) {
            metadata.insert(name.to_owned(), value);
        }
    }
    match old("generation") {
        Some(value) => metadata.insert("generation".to_owned(), value),
        None => metadata.remove("generation"),
    };
}

fn keep_by_subresource(kind: &Kind, old: &Value, new: &mut Value, subresource: &str) {
    let (Value::Object(new), Value::Object(old)) = (new, old) else {
        return;
    };
    match subresource {
        "" => {
            let keeps_status = kind.has_status;
            if keeps_status {
                keep(old, new, "status");
            }
            if kind.kind.is("", "Namespace") {
                keep(old, new, "spec");
            }
            if kind
                .kind
                .is("apiextensions.k8s.io", "CustomResourceDefinition")
            {
                stored_versions(new);
            }
        }
        "finalize" => keep(old, new, "status"),
        "status" if kind.definition.is_some() => {
            let status = new.remove("status");
            let managed = new
                .get("metadata")
                .and_then(|m| m.get("managedFields"))
                .cloned();
            let version = new
                .get("metadata")
                .and_then(|m| m.get("resourceVersion"))
                .cloned();
            new.clone_from(old);
            new.remove("status");
            if let Some(status) = status {
                new.insert("status".to_owned(), status);
            }
            let metadata = child(new, "metadata");
            for (name, value) in [("managedFields", managed), ("resourceVersion", version)] {
                if let Some(value) = value {
                    metadata.insert(name.to_owned(), value);
                }
            }
        }
        "status" => {
            let others: Vec<String> = old
                .keys()
                .chain(new.keys())
                .filter(|name| {
                    !matches!(name.as_str(), "metadata" | "status" | "kind" | "apiVersion")
                })
                .cloned()
                .collect();
            for name in others {
                keep(old, new, &name);
            }
            if kind.kind.is("apps", "Deployment") {
                let labels = old.get("metadata").and_then(|m| m.get("labels")).cloned();
                let metadata = child(new, "metadata");
                metadata.remove("labels");
                if let Some(labels) = labels {
                    metadata.insert("labels".to_owned(), labels);
                }
            }
        }
        _ => {}
    }
}

fn keep(old: &Map<String, Value>, new: &mut Map<String, Value>, name: &str) {
    match old.get(name) {
        Some(value) if new.get(name) == Some(value) => {}
        Some(value) => {
            new.insert(name.to_owned(), value.clone());
        }
        None => {
            new.remove(name);
        }
    }
}

/// 1 at first, one more with every change of what is asked for; other kinds have none.
fn set_generation(kind: &Kind, old: Option<&Value>, new: &mut Value) {
    let counts = kind.definition.is_some()
        || WITH_GENERATION
            .iter()
            .any(|(group, name)| kind.kind.is(group, name));
    if !counts {
        // What the client gave a new object stays, and means nothing.
        return;
    }
    let generation = match old {
        None => 1,
        Some(old) => {
            let before = at(old, "/metadata/generation").as_i64().unwrap_or_default();
            let changed = is_changed(kind, old, new);
            before + i64::from(changed)
        }
    };
    let Value::Object(map) = new else { return };
    let metadata = child(map, "metadata");
    metadata.insert("generation".to_owned(), json!(generation));
}

fn is_changed(kind: &Kind, old: &Value, new: &Value) -> bool {
    let (Value::Object(old_map), Value::Object(new_map)) = (old, new) else {
        return false;
    };
    if kind.kind.is("scheduling.k8s.io", "PriorityClass") {
        return false;
    }
    let counts = |name: &&String| {
        let is_status = *name == "status" && (kind.definition.is_none() || kind.has_status);
        !is_status && !matches!(name.as_str(), "metadata" | "kind" | "apiVersion")
    };
    let mut names = old_map.keys().chain(new_map.keys()).filter(counts);
    let changed = names.any(|name| old_map.get(name) != new_map.get(name));
    let annotations = |value| at(value, "/metadata/annotations");
    // A Deployment's controller must see a change of annotations, which it copies.
    let copied = kind.kind.is("apps", "Deployment") && annotations(old) != annotations(new);
    changed || copied
}

/// The annotation that stands for a field older than apps/v1.
fn template_generation(old: Option<&Value>, new: &mut Value) {
    let template = |value: &Value| at(value, "/spec/template").clone();
    let generation = old.map_or(1, |old| {
        let annotations = at(old, "/metadata/annotations");
        let before = annotations.get(TEMPLATE_GENERATION).and_then(Value::as_str);
        let before: i64 = before.and_then(|text| text.parse().ok()).unwrap_or(1);
        before + i64::from(template(old) != template(new))
    });
    let Value::Object(map) = new else { return };
    let annotations = child(child(map, "metadata"), "annotations");
    annotations.insert(
        TEMPLATE_GENERATION.to_owned(),
        json!(generation.to_string()),
    );
}

/// A definition remembers every version that objects were ever stored in.
fn stored_versions(new: &mut Map<String, Value>) {
    let versions = new.get("spec").and_then(|spec| spec.get("versions"));
    let storage = versions
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|version| version.get("storage") == Some(&json!(true)))
        .and_then(|version| version.get("name"))
        .cloned();
    let Some(storage) = storage else { return };
    let status = child(new, "status");
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Value::Array(stored) = stored
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
}

fn add_finalizer(new: &mut Value, finalizer: &str) {
    if object::finalizers(new).any(|found| found == finalizer) {
        return;
    }
    let Value::Object(map) = new else { return };
    let metadata = child(map, "metadata");
    match metadata.get_mut("finalizers") {
        Some(Value::Array(finalizers)) => finalizers.push(json!(finalizer)),
        _ => {
            metadata.insert("finalizers".to_owned(), json!([finalizer]));
        }
    }
}

/// A job selects its pods by its own uid, unless it says that it knows better.
fn job_selector(new: &mut Value) {
    if at(new, "/spec/manualSelector") == &json!(true) {
        return;
    }
    let (uid, name) = (object::uid(new).to_owned(), object::name(new).to_owned());
    let Some(Value::Object(spec)) = new.get_mut("spec") else {
        return;
    };
    let selector = child(child(spec, "selector"), "matchLabels");
    selector.insert("batch.kubernetes.io/controller-uid".to_owned(), json!(uid));
    let labels = child(child(child(spec, "template"), "metadata"), "labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("job-name", &name),
    ] {
        labels.insert(key.to_owned(), json!(value));
    }
    // Labels that were taken from the template are taken from it as it is now.
    let labels = labels.clone();
    let Value::Object(map) = new else { return };
    let own = child(child(map, "metadata"), "labels");
    if own
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
    {
        own.extend(labels);
    }
}

fn default_storage_class(state: &State, new: &mut Value) {
    const OLD: &str = "volume.beta.kubernetes.io/storage-class";
    let annotations = at(new, "/metadata/annotations");
    if annotations.get(OLD).is_some() || new.pointer("/spec/storageClassName").is_some() {
        return;
    }
    let is_default = "storageclass.kubernetes.io/is-default-class";
    if let Some(class) = marked(state, "storage.k8s.io", "StorageClass", is_default) {
        new["spec"]["storageClassName"] = json!(class);
    }
}

fn default_ingress_class(state: &State, new: &mut Value) {
    const OLD: &str = "kubernetes.io/ingress.class";
    let annotations = at(new, "/metadata/annotations");
    if annotations.get(OLD).is_some() || new.pointer("/spec/ingressClassName").is_some() {
        return;
    }
    let is_default = "ingressclass.kubernetes.io/is-default-class";
    if let Some(class) = marked(state, "networking.k8s.io", "IngressClass", is_default) {
        new["spec"]["ingressClassName"] = json!(class);
    }
}

/// The youngest class that an annotation marks as the default; by name among equals.
fn marked(state: &State, group: &str, kind: &str, annotation: &str) -> Option<String> {
    let classes = state.objects(&underpin_model::GroupKind::new(group, kind));
    let mut found: Vec<_> = classes
        .values()
        .filter(|class| {
            let annotations = at(class, "/metadata/annotations");
            annotations.get(annotation) == Some(&json!("true"))
        })
        .collect();
    found.sort_by_key(|class| {
        let created = object::text(class, "/metadata/creationTimestamp").to_owned();
        (std::cmp::Reverse(created), object::name(class).to_owned())
    });
    found.first().map(|class| object::name(class).to_owned())
}
