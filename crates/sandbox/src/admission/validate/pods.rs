//! Pods and pod templates.

use serde_json::{Value, json};

use super::{
    affinity,
    common::{one_of, one_of_if_set, reference},
    containers::{self, Role},
    metadata, names, volumes,
};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{field, flag, integer, list, present, text},
};

const SPEC: Path<'static> = Path::root("spec");
const MOST_SECONDS: i64 = i32::MAX as i64;

/// A template within a workload.
pub(super) fn template(causes: &mut Causes, path: &Path<'_>, template: &Value) {
    let metadata = field(template, "metadata");
    metadata::labels(causes, &path.child("labels"), field(metadata, "labels"));
    metadata::annotations(causes, &path.child("annotations"), metadata);
    let spec_path = path.child("spec");
    let pod = field(template, "spec");
    spec(causes, &spec_path, pod);
    if !list(pod, "ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        causes.forbidden(&spec_path.child("ephemeralContainers"), detail);
    }
}

/// A pod that is created or updated.
pub(super) fn pod(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let new = field(new, "spec");
    spec(causes, &SPEC, new);
    match old {
        None => {
            if !list(new, "ephemeralContainers").is_empty() {
                causes.forbidden(
                    &SPEC.child("ephemeralContainers"),
                    "cannot be set on create",
                );
            }
        }
        Some(old) => update(causes, field(old, "spec"), new),
    }
}

fn spec(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    const PREEMPTION: [&str; 2] = ["PreemptLowerPriority", "Never"];
    const DNS: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    let known = volumes::volumes(causes, &path.child("volumes"), spec);
    let (main, initial) = (list(spec, "containers"), list(spec, "initContainers"));
    containers::containers(
        causes,
        &path.child("containers"),
        main,
        Role::Main,
        &[],
        &known,
    );
    let initial_path = path.child("initContainers");
    containers::containers(causes, &initial_path, initial, Role::Initial, main, &known);
    one_of(
        causes,
        path,
        spec,
        "restartPolicy",
        &["Always", "OnFailure", "Never"],
    );
    one_of(causes, path, spec, "dnsPolicy", &DNS);
    metadata::labels(
        causes,
        &path.child("nodeSelector"),
        field(spec, "nodeSelector"),
    );
    security(causes, path, spec);
    affinity::affinity(causes, &path.child("affinity"), field(spec, "affinity"));
    dns(causes, path, spec);
    spread(causes, &path.child("topologySpreadConstraints"), spec);
    reference(causes, path, spec, "serviceAccountName", names::subdomain);
    reference(causes, path, spec, "nodeName", names::subdomain);
    if let Some(seconds) = integer(spec, "activeDeadlineSeconds")
        && !(1..=MOST_SECONDS).contains(&seconds)
    {
        let path = path.child("activeDeadlineSeconds");
        causes.invalid(&path, &seconds, &names::between(1, MOST_SECONDS));
    }
    if let Some(seconds) = integer(spec, "terminationGracePeriodSeconds")
        && seconds < 0
    {
        let path = path.child("terminationGracePeriodSeconds");
        causes.invalid(&path, &seconds, "must be greater than or equal to 0");
    }
    reference(causes, path, spec, "hostname", names::label);
    reference(causes, path, spec, "subdomain", names::label);
    tolerations(causes, &path.child("tolerations"), spec);
    for alias in list(spec, "hostAliases") {
        let path = path.child("hostAliases");
        let address = text(alias, "ip");
        causes.invalid_each(&path.child("ip"), address, &names::ip_address(address));
        for host in list(alias, "hostnames").iter().filter_map(Value::as_str) {
            causes.invalid_each(&path.child("hostnames"), host, &names::subdomain(host));
        }
    }
    reference(causes, path, spec, "priorityClassName", names::subdomain);
    reference(causes, path, spec, "runtimeClassName", names::subdomain);
    one_of_if_set(causes, path, spec, "preemptionPolicy", &PREEMPTION);
}

fn security(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    let context = field(spec, "securityContext");
    if flag(spec, "hostNetwork") {
        host_network(causes, &path.child("containers"), spec);
    }
    let path = path.child("securityContext");
    containers::identities(
        causes,
        &path,
        context,
        &["fsGroup", "runAsUser", "runAsGroup"],
    );
    if flag(spec, "shareProcessNamespace") && flag(spec, "hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        causes.invalid(&path.child("shareProcessNamespace"), &json!(true), detail);
    }
    one_of_if_set(
        causes,
        &path,
        context,
        "fsGroupChangePolicy",
        &["Always", "OnRootMismatch"],
    );
    containers::seccomp(
        causes,
        &path.child("seccompProfile"),
        field(context, "seccompProfile"),
    );
}

/// On the node's network a container's port is the node's.
fn host_network(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    for (at, container) in list(spec, "containers").iter().enumerate() {
        let path = path.index(at);
        let path = path.child("ports");
        for (at, port) in list(container, "ports").iter().enumerate() {
            let number = integer(port, "containerPort").unwrap_or_default();
            let host = integer(port, "hostPort").unwrap_or_default();
            if host != 0 && host != number {
                let detail = "must match `hostPort` when `hostNetwork` is true";
                causes.invalid(&path.index(at).child("containerPort"), &number, detail);
            }
        }
    }
}

fn dns(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    let config = present(spec, "dnsConfig");
    let path = path.child("dnsConfig");
    if text(spec, "dnsPolicy") == "None" {
        let Some(config) = config else {
            causes.required(&path, "must provide `dnsConfig` when `dnsPolicy` is None");
            return;
        };
        if list(config, "nameservers").is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            causes.required(&path.child("nameservers"), detail);
        }
    }
    let Some(config) = config else { return };
    let servers = path.child("nameservers");
    for (at, server) in list(config, "nameservers")
        .iter()
        .filter_map(Value::as_str)
        .enumerate()
    {
        causes.invalid_each(&servers.index(at), server, &names::ip_address(server));
    }
    let searches = path.child("searches");
    for (at, domain) in list(config, "searches")
        .iter()
        .filter_map(Value::as_str)
        .enumerate()
    {
        let domain = domain.trim_end_matches('.');
        causes.invalid_each(&searches.index(at), domain, &names::subdomain(domain));
    }
    let options = path.child("options");
    for (at, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            causes.required(&options.index(at), "must not be empty");
        }
    }
}

fn spread(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    let all = list(spec, "topologySpreadConstraints");
    for (at, constraint) in all.iter().enumerate() {
        let path = path.index(at);
        let skew = integer(constraint, "maxSkew").unwrap_or_default();
        if skew <= 0 {
            causes.invalid(&path.child("maxSkew"), &skew, "must be greater than zero");
        }
        let key = text(constraint, "topologyKey");
        if key.is_empty() {
            causes.required(&path.child("topologyKey"), "can not be empty");
        }
        let action = text(constraint, "whenUnsatisfiable");
        if !matches!(action, "DoNotSchedule" | "ScheduleAnyway") {
            let supported = ["DoNotSchedule", "ScheduleAnyway"];
            causes.not_supported(&path.child("whenUnsatisfiable"), action, &supported);
        }
        let again = all[at + 1..].iter().any(|other| {
            text(other, "topologyKey") == key && text(other, "whenUnsatisfiable") == action
        });
        if again {
            let path = path.child("{topologyKey, whenUnsatisfiable}");
            causes.duplicate(&path, &format!("{{{key}, {action}}}"));
        }
    }
}

fn tolerations(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    for (at, toleration) in list(spec, "tolerations").iter().enumerate() {
        const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        let path = path.index(at);
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        if !key.is_empty() {
            causes.invalid_each(&path.child("key"), key, &names::qualified(key));
        }
        if key.is_empty() && operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            causes.invalid(&path.child("operator"), operator, detail);
        }
        let effect = text(toleration, "effect");
        if present(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            causes.invalid(&path.child("effect"), effect, detail);
        }
        let value = text(toleration, "value");
        match operator {
            "Equal" | "" => {
                let found = names::label_value(value);
                if !found.is_empty() {
                    causes.invalid(&path.child("operator"), value, &found.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                let detail = "value must be empty when `operator` is 'Exists'";
                causes.invalid(&path.child("operator"), toleration, detail);
            }
            "Exists" => {}
            other => causes.not_supported(&path.child("operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            causes.not_supported(&path.child("effect"), effect, &EFFECTS);
        }
    }
}

/// Of a pod that is there almost nothing may change.
fn update(causes: &mut Causes, old: &Value, new: &Value) {
    for name in ["containers", "initContainers"] {
        if list(old, name).len() != list(new, name).len() {
            let detail = "pod updates may not add or remove containers";
            causes.forbidden(&SPEC.child(name), detail);
            return;
        }
    }
    let path = SPEC.child("activeDeadlineSeconds");
    let seconds = |spec| integer(spec, "activeDeadlineSeconds");
    match (seconds(old), seconds(new)) {
        (Some(before), Some(now)) if before < now => {
            causes.invalid(&path, &now, "must be less than or equal to previous value");
        }
        (Some(_), None) => {
            let detail = "must not update from a positive integer to nil value";
            causes.invalid(&path, &Value::Null, detail);
        }
        _ => {}
    }
    let bare = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Value::Object(map) = &mut toleration {
            map.remove("tolerationSeconds");
        }
        toleration
    };
    let now: Vec<Value> = list(new, "tolerations").iter().map(bare).collect();
    for before in list(old, "tolerations").iter().map(bare) {
        if !now.contains(&before) {
            let detail = "existing toleration can not be modified except its tolerationSeconds";
            causes.forbidden(&SPEC.child("tolerations"), detail);
        }
    }
    if fixed_part(old) != fixed_part(new) {
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        causes.forbidden(&SPEC, detail);
    }
}

/// A pod's spec without what may change.
fn fixed_part(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(map) = &mut spec {
        for name in [
            "activeDeadlineSeconds",
            "tolerations",
            "ephemeralContainers",
        ] {
            map.remove(name);
        }
        for name in ["containers", "initContainers"] {
            let containers = map.get_mut(name).and_then(Value::as_array_mut);
            for container in containers
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
            {
                container.remove("image");
            }
        }
        // The scheduler's binding goes through a subresource, but a first name may be set.
        if map.get("nodeName").and_then(Value::as_str) == Some("") {
            map.remove("nodeName");
        }
    }
    spec
}
