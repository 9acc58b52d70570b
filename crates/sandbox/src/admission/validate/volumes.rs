//! Volumes of pods.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{common::required_texts, names, storage};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{entries, field, integer, list, present, text},
};

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// The volumes that are right, by name, for the mounts to refer to.
pub(super) fn volumes<'v>(
    causes: &mut Causes,
    path: &Path<'_>,
    spec: &'v Value,
) -> BTreeMap<&'v str, &'v Value> {
    let mut right = BTreeMap::new();
    for (at, volume) in list(spec, "volumes").iter().enumerate() {
        let path = path.index(at);
        let before = causes.len();
        source(causes, &path, volume);
        let name = text(volume, "name");
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        } else {
            causes.invalid_each(&path.child("name"), name, &names::label(name));
        }
        if right.contains_key(name) {
            causes.duplicate(&path.child("name"), name);
        }
        if causes.len() == before {
            right.insert(name, volume);
        }
    }
    right
}

/// Kinds of volume, in the order in which the server looks at them, and what they cannot do
/// without.
const SOURCES: &[(&str, &[&str])] = &[
    ("emptyDir", &[]),
    ("hostPath", &["path"]),
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("secret", &["secretName"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("glusterfs", &["endpoints", "path"]),
    ("flocker", &[]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &[]),
    ("quobyte", &["registry", "volume"]),
    ("downwardAPI", &[]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("configMap", &["name"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &[]),
    ("projected", &[]),
    ("portworxVolume", &["volumeID"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("csi", &["driver"]),
    ("ephemeral", &[]),
    ("image", &["reference"]),
];

fn source(causes: &mut Causes, path: &Path<'_>, volume: &Value) {
    let mut found = 0;
    for (name, required) in SOURCES {
        let Some(source) = present(volume, name) else {
            continue;
        };
        let path = path.child(name);
        found += 1;
        if found > 1 {
            causes.forbidden(&path, "may not specify more than 1 volume type");
            continue;
        }
        required_texts(causes, &path, source, required);
        details(causes, &path, name, source);
    }
    if found == 0 {
        causes.required(path, "must specify a volume type");
    }
}

fn details(causes: &mut Causes, path: &Path<'_>, name: &str, source: &Value) {
    match name {
        "hostPath" => {
            const TYPES: [&str; 8] = [
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ];
            no_steps_back(causes, &path.child("path"), text(source, "path"));
            if !TYPES.contains(&text(source, "type")) {
                causes.not_supported(&path.child("type"), text(source, "type"), &TYPES);
            }
        }
        "nfs" if !text(source, "path").starts_with('/') => {
            causes.invalid(
                &path.child("path"),
                text(source, "path"),
                "must be an absolute path",
            );
        }
        "secret" | "configMap" => {
            file_mode(causes, path, source, "defaultMode");
            items(causes, path, source);
        }
        "downwardAPI" => {
            file_mode(causes, path, source, "defaultMode");
            for file in list(source, "items") {
                downward_file(causes, path, file);
            }
        }
        "projected" => {
            file_mode(causes, path, source, "defaultMode");
            projected(causes, path, source);
        }
        "ephemeral" => match present(source, "volumeClaimTemplate") {
            Some(template) => {
                let path = path.child("volumeClaimTemplate");
                storage::claim_spec(causes, &path.child("spec"), field(template, "spec"));
            }
            None => causes.required(&path.child("volumeClaimTemplate"), ""),
        },
        _ => {}
    }
}

fn file_mode(causes: &mut Causes, path: &Path<'_>, source: &Value, name: &str) {
    if let Some(mode) = integer(source, name)
        && !(0..=0o777).contains(&mode)
    {
        causes.invalid(&path.child(name), &mode, FILE_MODE);
    }
}

fn items(causes: &mut Causes, path: &Path<'_>, source: &Value) {
    let list_path = path.child("items");
    for (at, item) in list(source, "items").iter().enumerate() {
        let path = list_path.index(at);
        required_texts(causes, &path, item, &["key", "path"]);
        file_path(causes, &path.child("path"), text(item, "path"));
        file_mode(causes, &path, item, "mode");
    }
}

fn projected(causes: &mut Causes, path: &Path<'_>, source: &Value) {
    let list_path = path.child("sources");
    for (at, source) in list(source, "sources").iter().enumerate() {
        let path = list_path.index(at);
        for name in ["secret", "configMap"] {
            if let Some(source) = present(source, name) {
                let path = path.child(name);
                required_texts(causes, &path, source, &["name"]);
                items(causes, &path, source);
            }
        }
        if let Some(downward) = present(source, "downwardAPI") {
            for file in list(downward, "items") {
                downward_file(causes, &path.child("downwardAPI"), file);
            }
        }
        if let Some(token) = present(source, "serviceAccountToken") {
            let path = path.child("serviceAccountToken");
            let seconds = integer(token, "expirationSeconds").unwrap_or_default();
            if seconds < 600 {
                let detail = "may not specify a duration less than 10 minutes";
                causes.invalid(&path.child("expirationSeconds"), &seconds, detail);
            }
            required_texts(causes, &path, token, &["path"]);
        }
        let known = entries_of(source).count();
        if known > 1 {
            causes.forbidden(&path, "may not specify more than 1 volume type per source");
        }
    }
}

fn entries_of(value: &Value) -> impl Iterator<Item = &String> {
    let map = value.as_object();
    map.into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name)
}

fn downward_file(causes: &mut Causes, path: &Path<'_>, file: &Value) {
    required_texts(causes, path, file, &["path"]);
    file_path(causes, &path.child("path"), text(file, "path"));
    let (object, resource) = (present(file, "fieldRef"), present(file, "resourceFieldRef"));
    match (object, resource) {
        (Some(_), Some(_)) => causes.invalid(
            path,
            "resource",
            "fieldRef and resourceFieldRef can not be specified simultaneously",
        ),
        (Some(reference), None) => {
            required_texts(causes, &path.child("fieldRef"), reference, &["fieldPath"]);
        }
        (None, Some(reference)) => {
            let path = path.child("resourceFieldRef");
            required_texts(causes, &path, reference, &["containerName", "resource"]);
        }
        (None, None) => {
            causes.required(path, "one of fieldRef and resourceFieldRef is required");
        }
    }
    file_mode(causes, path, file, "mode");
}

/// A path below the volume's root.
fn file_path(causes: &mut Causes, path: &Path<'_>, target: &str) {
    descending(causes, path, target);
    if target.starts_with("..") && !target.starts_with("../") {
        causes.invalid(path, target, "must not start with '..'");
    }
}

fn descending(causes: &mut Causes, path: &Path<'_>, target: &str) {
    if target.starts_with('/') {
        causes.invalid(path, target, "must be a relative path");
    }
    no_steps_back(causes, path, target);
}

fn no_steps_back(causes: &mut Causes, path: &Path<'_>, target: &str) {
    if target.split('/').any(|part| part == "..") {
        causes.invalid(path, target, "must not contain '..'");
    }
}

/// Where a container mounts volumes.
pub(super) fn mounts(
    causes: &mut Causes,
    path: &Path<'_>,
    container: &Value,
    volumes: &BTreeMap<&str, &Value>,
) {
    let list_path = path.child("volumeMounts");
    let mut seen: Vec<&str> = Vec::new();
    for (at, mount) in list(container, "volumeMounts").iter().enumerate() {
        let path = list_path.index(at);
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        }
        if !volumes.contains_key(name) {
            causes.not_found(&path.child("name"), name);
        }
        if target.is_empty() {
            causes.required(&path.child("mountPath"), "");
        }
        if seen.contains(&target) {
            causes.invalid(&path.child("mountPath"), target, "must be unique");
        }
        seen.push(target);
        descending(causes, &list_path.child("subPath"), text(mount, "subPath"));
        let expression = text(mount, "subPathExpr");
        if !expression.is_empty() && !text(mount, "subPath").is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            causes.invalid(&path.child("subPathExpr"), expression, detail);
        }
        descending(causes, &list_path.child("subPathExpr"), expression);
        propagation(causes, &list_path, container, mount);
    }
    let list_path = path.child("volumeDevices");
    for (at, device) in list(container, "volumeDevices").iter().enumerate() {
        let path = list_path.index(at);
        required_texts(causes, &path, device, &["name", "devicePath"]);
        match volumes.get(text(device, "name")) {
            None => causes.not_found(&path.child("name"), text(device, "name")),
            Some(volume) if entries(volume, "persistentVolumeClaim").next().is_none() => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                causes.invalid(&path.child("name"), text(device, "name"), detail);
            }
            Some(_) => {}
        }
    }
}

fn propagation(causes: &mut Causes, path: &Path<'_>, container: &Value, mount: &Value) {
    const MODES: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
    let Some(mode) = present(mount, "mountPropagation") else {
        return;
    };
    let path = path.child("mountPropagation");
    let mode = mode.as_str().unwrap_or_default();
    if !MODES.contains(&mode) {
        causes.not_supported(&path, mode, &MODES);
    }
    let privileged = container.pointer("/securityContext/privileged") == Some(&Value::Bool(true));
    if mode == "Bidirectional" && !privileged {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        causes.forbidden(&path, detail);
    }
}
