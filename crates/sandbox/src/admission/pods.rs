//! What admission adds to a pod that is created: its service account's token, priority,
//! tolerations.

use serde_json::{Map, Value, json};
use underpin_model::GroupKind;

use super::view::{flag, list, text};
use crate::{State, object};

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_SECONDS: i64 = 3_607;
/// How long a pod stays on a node that is not ready, in seconds.
const TOLERATION_SECONDS: i64 = 300;
/// What generated names end in: no vowels, so that no words come out.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;

/// Admits a pod.
pub(super) fn admit(state: &mut State, pod: &mut Value) {
    let namespace = object::namespace(pod).to_owned();
    let is_mirror = pod
        .pointer("/metadata/annotations")
        .is_some_and(|annotations| annotations.get("kubernetes.io/config.mirror").is_some());
    let Some(Value::Object(spec)) = pod.get_mut("spec") else {
        return;
    };
    if !is_mirror {
        service_account(state, &namespace, spec);
    }
    priority(state, spec);
    tolerations(spec);
}

fn service_account(state: &mut State, namespace: &str, spec: &mut Map<String, Value>) {
    let name = spec
        .entry("serviceAccountName")
        .or_insert_with(|| json!("default"));
    let name = name.as_str().unwrap_or_default().to_owned();
    spec.insert("serviceAccount".to_owned(), json!(name));
    let account = state
        .get(&GroupKind::core("ServiceAccount"), namespace, &name)
        .cloned();
    let automount = spec
        .get("automountServiceAccountToken")
        .or_else(|| account.as_ref()?.get("automountServiceAccountToken"))
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if automount {
        mount_token(state, spec);
    }
    let pulls = account
        .as_deref()
        .and_then(|account| account.get("imagePullSecrets"))
        .filter(|secrets| secrets.as_array().is_some_and(|list| !list.is_empty()));
    if let Some(secrets) = pulls {
        spec.entry("imagePullSecrets")
            .or_insert_with(|| secrets.clone());
    }
}

/// Mounts a token where every container that has none of its own finds it.
fn mount_token(state: &mut State, spec: &mut Map<String, Value>) {
    const LISTS: [&str; 2] = ["initContainers", "containers"];
    let has_token = |container: &Value| {
        let mut mounts = list(container, "volumeMounts").iter();
        mounts.any(|mount| text(mount, "mountPath") == TOKEN_PATH)
    };
    let containers = LISTS.iter().filter_map(|name| spec.get(*name)?.as_array());
    if containers.flatten().all(has_token) {
        return;
    }
    let volume = format!("kube-api-access-{}", suffix(state));
    let mount = json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH});
    for name in LISTS {
        let containers = spec.get_mut(name).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if has_token(container) {
                continue;
            }
            match container.get_mut("volumeMounts") {
                Some(Value::Array(mounts)) => mounts.push(mount.clone()),
                _ => container["volumeMounts"] = json!([mount]),
            }
        }
    }
    let volume = token_volume(&volume);
    match spec.get_mut("volumes") {
        Some(Value::Array(volumes)) => volumes.push(volume),
        _ => {
            spec.insert("volumes".to_owned(), json!([volume]));
        }
    }
}

fn token_volume(name: &str) -> Value {
    let namespace = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]}})
}

fn suffix(state: &mut State) -> String {
    let mut random = state.random();
    let base = ALPHABET.len() as u64;
    (0..SUFFIX_LENGTH)
        .map(|_| {
            let digit = usize::try_from(random % base).unwrap_or_default();
            random /= base;
            char::from(ALPHABET[digit])
        })
        .collect()
}

/// The priority is that of the pod's class, or of the default one.
fn priority(state: &State, spec: &mut Map<String, Value>) {
    let of_kind = GroupKind::new("scheduling.k8s.io", "PriorityClass");
    let named = spec.get("priorityClassName").and_then(Value::as_str);
    let class = if let Some(name) = named.filter(|name| !name.is_empty()) {
        state.get(&of_kind, "", name).cloned()
    } else {
        let classes = state.objects(&of_kind);
        let mut all = classes.values();
        all.find(|class| flag(class, "globalDefault")).cloned()
    };
    let found = |name: &str| class.as_ref().and_then(|class| class.get(name)).cloned();
    if named.is_none_or(str::is_empty) && class.is_some() {
        let name = class.as_deref().map(object::name).unwrap_or_default();
        spec.insert("priorityClassName".to_owned(), json!(name));
    }
    spec.insert("priority".to_owned(), found("value").unwrap_or(json!(0)));
    spec.entry("preemptionPolicy")
        .or_insert_with(|| found("preemptionPolicy").unwrap_or(json!("PreemptLowerPriority")));
}

fn tolerations(spec: &mut Map<String, Value>) {
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
        let Value::Array(tolerations) = tolerations else {
            return;
        };
        let tolerated = tolerations.iter().any(|toleration| {
            let (on, effect) = (text(toleration, "key"), text(toleration, "effect"));
            (on == key || on.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !tolerated {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": TOLERATION_SECONDS,
            }));
        }
    }
}
