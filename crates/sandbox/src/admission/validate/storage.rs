//! PersistentVolumes, PersistentVolumeClaims, StorageClasses.

use serde_json::{Map, Value};

use super::{
    affinity,
    common::{amount, nano, one_of_if_set},
    metadata, names,
};
use crate::{
    admission::{
        causes::Causes,
        path::Path,
        view::{at, entries, field, list, present, text},
    },
    object,
};

const SPEC: Path<'static> = Path::root("spec");
const MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Fields of a volume's spec that are not its source.
const NO_SOURCE: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

pub(super) fn volume(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];
    let spec = field(new, "spec");
    if list(spec, "accessModes").is_empty() {
        causes.required(&SPEC.child("accessModes"), "");
    }
    access_modes(causes, &SPEC.child("accessModes"), spec);
    let path = SPEC.child("capacity");
    let capacity = field(spec, "capacity");
    if capacity.as_object().is_none_or(Map::is_empty) {
        causes.required(&path, "");
    }
    if capacity
        .as_object()
        .is_none_or(|map| map.len() != 1 || !map.contains_key("storage"))
    {
        causes.not_supported(&path, capacity, &["storage"]);
    }
    for (name, value) in entries(spec, "capacity") {
        if nano(value) <= 0 {
            causes.invalid(&path.key(name), value, "must be greater than zero");
        }
    }
    one_of_if_set(
        causes,
        &SPEC,
        spec,
        "persistentVolumeReclaimPolicy",
        &POLICIES,
    );
    if let Some(node) = present(spec, "nodeAffinity") {
        let path = SPEC.child("nodeAffinity");
        let path = path.child("required");
        match present(node, "required") {
            Some(required) => affinity::node_selector(causes, &path, required),
            None => causes.required(&path, "must specify required node constraints"),
        }
    }
    match sources(spec).count() {
        0 => causes.required(&SPEC, "must specify a volume type"),
        1 => {}
        _ => {
            for (name, _) in sources(spec).skip(1) {
                causes.forbidden(&SPEC.child(name), "may not specify more than 1 volume type");
            }
        }
    }
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        causes.invalid_each(
            &SPEC.child("storageClassName"),
            class,
            &names::subdomain(class),
        );
    }
    one_of_if_set(causes, &SPEC, spec, "volumeMode", &VOLUME_MODES);
    if let Some(old) = old {
        volume_update(causes, field(old, "spec"), spec);
    }
}

fn sources(spec: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let map = spec.as_object();
    map.into_iter()
        .flatten()
        .filter(|(name, value)| !NO_SOURCE.contains(&name.as_str()) && !value.is_null())
}

fn volume_update(causes: &mut Causes, old: &Value, new: &Value) {
    if !sources(old).eq(sources(new)) {
        let detail = "spec.persistentvolumesource is immutable after creation";
        causes.forbidden(&SPEC.child("persistentvolumesource"), detail);
    }
    let mode = |spec: &Value| field(spec, "volumeMode").clone();
    causes.immutable(
        &Path::root("volumeMode"),
        Some(&mode(old)),
        Some(&mode(new)),
    );
    if present(old, "nodeAffinity").is_some() {
        let path = Path::root("nodeAffinity");
        causes.immutable(&path, old.get("nodeAffinity"), new.get("nodeAffinity"));
    }
}

fn access_modes(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    for mode in list(spec, "accessModes").iter().filter_map(Value::as_str) {
        if !MODES.contains(&mode) {
            causes.not_supported(path, mode, &MODES);
        }
    }
    let single = list(spec, "accessModes").contains(&Value::from("ReadWriteOncePod"));
    if single && list(spec, "accessModes").len() > 1 {
        let detail = "may not use ReadWriteOncePod with other access modes";
        causes.forbidden(path, detail);
    }
}

/// The spec of a claim, also within templates.
pub(super) fn claim_spec(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    if list(spec, "accessModes").is_empty() {
        let detail = "at least 1 access mode is required";
        causes.required(&path.child("accessModes"), detail);
    }
    if let Some(selector) = present(spec, "selector") {
        metadata::selector(causes, &path.child("selector"), selector);
    }
    access_modes(causes, &path.child("accessModes"), spec);
    let resources = path.child("resources");
    let storage = resources.key("storage");
    match at(spec, "/resources/requests").get("storage") {
        None => causes.required(&storage, ""),
        Some(value) if nano(value) <= 0 => {
            causes.invalid(&storage, value, "must be greater than zero");
        }
        Some(value) => amount(causes, &storage, "storage", value),
    }
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        causes.invalid_each(
            &path.child("storageClassName"),
            class,
            &names::subdomain(class),
        );
    }
    one_of_if_set(causes, path, spec, "volumeMode", &VOLUME_MODES);
    if let Some(source) = present(spec, "dataSource") {
        let path = path.child("dataSource");
        for name in ["name", "kind"] {
            if text(source, name).is_empty() {
                causes.required(&path.child(name), "");
            }
        }
        let kind = text(source, "kind");
        if text(source, "apiGroup").is_empty() && kind != "PersistentVolumeClaim" {
            causes.invalid(&path, kind, "");
        }
    }
}

pub(super) fn claim(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    claim_spec(causes, &SPEC, field(new, "spec"));
    let Some(old) = old else { return };
    let annotation = |value| {
        at(value, "/metadata/annotations")
            .get(OLD_CLASS)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    if annotation(old) != annotation(new) {
        let path = Path::root("metadata");
        let path = path.child("annotations");
        causes.invalid(
            &path.child(OLD_CLASS),
            &annotation(new),
            "field is immutable",
        );
    }
    let is_bound = object::text(new, "/status/phase") == "Bound";
    let (before, after) = (field(old, "spec"), field(new, "spec"));
    if fixed_part(before, before, is_bound) != fixed_part(after, before, is_bound) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        causes.forbidden(&SPEC, detail);
    }
    let size = |spec: &Value| nano(at(spec, "/resources/requests/storage"));
    if size(after) < size(before) {
        let path = SPEC.child("resources");
        let path = path.child("requests");
        let detail = "field can not be less than previous value";
        causes.forbidden(&path.child("storage"), detail);
    }
    let mode = |spec: &Value| field(spec, "volumeMode").clone();
    causes.immutable(
        &Path::root("volumeMode"),
        Some(&mode(before)),
        Some(&mode(after)),
    );
}

/// What may not change: not the size of a bound claim; a volume may be named once.
fn fixed_part(spec: &Value, old: &Value, is_bound: bool) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(map) = &mut spec {
        if text(old, "volumeName").is_empty() {
            map.remove("volumeName");
        }
        if is_bound {
            map.remove("volumeAttributesClassName");
            if let Some(Value::Object(requests)) = map
                .get_mut("resources")
                .and_then(|resources| resources.get_mut("requests"))
            {
                requests.remove("storage");
            }
        }
    }
    spec
}

/// Claims in templates have a status that says nothing.
pub(super) fn without_claim_status(spec: &mut Map<String, Value>) {
    let claims = spec
        .get_mut("volumeClaimTemplates")
        .and_then(Value::as_array_mut);
    for claim in claims
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        claim.remove("status");
    }
}

pub(super) fn class(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let provisioner = text(new, "provisioner");
    if provisioner.is_empty() {
        causes.required(&Path::root("provisioner"), "");
    } else {
        let found = names::qualified(&provisioner.to_ascii_lowercase());
        causes.invalid_each(&Path::root("provisioner"), provisioner, &found);
    }
    for (name, supported) in [
        ("reclaimPolicy", ["Delete", "Retain"]),
        ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"]),
    ] {
        if let Some(value) = present(new, name)
            && !value
                .as_str()
                .is_some_and(|value| supported.contains(&value))
        {
            causes.not_supported(&Path::root(name), value, &supported);
        }
    }
    let Some(old) = old else { return };
    if field(old, "parameters") != field(new, "parameters") {
        let detail = "updates to parameters are forbidden.";
        causes.forbidden(&Path::root("parameters"), detail);
    }
    if field(old, "provisioner") != field(new, "provisioner") {
        let detail = "updates to provisioner are forbidden.";
        causes.forbidden(&Path::root("provisioner"), detail);
    }
    if field(old, "reclaimPolicy") != field(new, "reclaimPolicy") {
        let detail = "updates to reclaimPolicy are forbidden.";
        causes.forbidden(&Path::root("reclaimPolicy"), detail);
    }
    let name = "volumeBindingMode";
    causes.immutable(&Path::root(name), old.get(name), new.get(name));
}
