//! What must be there before a pod's containers can start.

use serde_json::Value;
use underpin_model::GroupKind;

use crate::{State, object};

/// Why a pod cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    /// The waiting containers' reason.
    pub(super) reason: &'static str,
    /// Their message; empty if there is none.
    pub(super) message: String,
    /// Reason and message of the event that tells of it.
    pub(super) event: (&'static str, String),
}

/// Whether objects of a kind are what pods may wait for.
pub(super) fn is_needed_kind(kind: &GroupKind) -> bool {
    kind.is("", "ConfigMap") || kind.is("", "Secret")
}

/// What a pod lacks, if anything: ConfigMaps and Secrets that it mounts or reads.
pub(super) fn lack(state: &State, pod: &Value) -> Option<Lack> {
    let namespace = object::namespace(pod);
    let is_there =
        |kind: &str, name: &str| state.get(&GroupKind::core(kind), namespace, name).is_some();
    for volume in list(pod, "/spec/volumes") {
        for (kind, name) in mounted(volume) {
            if !is_there(kind, name) {
                let (volume, what) = (object::text(volume, "/name"), kind.to_ascii_lowercase());
                let told = format!(
                    "MountVolume.SetUp failed for volume \"{volume}\" : {what} \"{name}\" not found"
                );
                // The kubelet tells the mount's failure in an event; the containers only wait.
                return Some(Lack {
                    reason: "ContainerCreating",
                    message: String::new(),
                    event: ("FailedMount", told),
                });
            }
        }
    }
    let containers = list(pod, "/spec/initContainers").chain(list(pod, "/spec/containers"));
    for (kind, name) in containers.flat_map(read) {
        if !is_there(kind, name) {
            let what = kind.to_ascii_lowercase();
            let message = format!("{what} \"{name}\" not found");
            return Some(Lack {
                reason: "CreateContainerConfigError",
                event: ("Failed", format!("Error: {message}")),
                message,
            });
        }
    }
    None
}

/// A pod whose first image is not in its registry.
pub(super) fn unpullable(pod: &Value) -> Lack {
    let image = object::text(pod, "/spec/containers/0/image");
    let told = format!(
        "Failed to pull image \"{image}\": rpc error: code = NotFound desc = failed to resolve \
         reference \"{image}\": not found"
    );
    Lack {
        reason: "ImagePullBackOff",
        message: format!("Back-off pulling image \"{image}\""),
        event: ("Failed", told),
    }
}

/// Kind and name of an object.
type Need<'v> = (&'static str, &'v str);

fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn mounted(volume: &Value) -> Vec<Need<'_>> {
    let mut needs = Vec::new();
    let sources = list(volume, "/projected/sources");
    for source in std::iter::once(volume).chain(sources) {
        needs.extend(need(source, "/configMap", "ConfigMap", "/name"));
        let name = if source.pointer("/secret/secretName").is_some() {
            "/secretName"
        } else {
            "/name"
        };
        needs.extend(need(source, "/secret", "Secret", name));
    }
    needs
}

fn read(container: &Value) -> Vec<Need<'_>> {
    let mut needs = Vec::new();
    for source in list(container, "/envFrom") {
        needs.extend(need(source, "/configMapRef", "ConfigMap", "/name"));
        needs.extend(need(source, "/secretRef", "Secret", "/name"));
    }
    for variable in list(container, "/env") {
        let source = "/valueFrom/configMapKeyRef";
        needs.extend(need(variable, source, "ConfigMap", "/name"));
        needs.extend(need(variable, "/valueFrom/secretKeyRef", "Secret", "/name"));
    }
    needs
}

fn need<'v>(value: &'v Value, pointer: &str, kind: &'static str, name: &str) -> Option<Need<'v>> {
    let source = value.pointer(pointer)?;
    let optional = source.get("optional") == Some(&Value::Bool(true));
    (!optional).then(|| (kind, object::text(source, name)))
}
