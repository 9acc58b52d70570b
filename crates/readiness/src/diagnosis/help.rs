//! Words for what containers, registries and schedulers say, and what to do about it.

/// What is said of an image when nobody says why.
pub(super) const UNPULLABLE: &str = "cannot be pulled";

/// What an image lacks, by what the registry or the runtime said.
pub(super) fn image_lack(message: &str) -> &'static str {
    let text = message.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says(&[
        "not found",
        "manifest unknown",
        "name unknown",
        "does not exist",
    ]) {
        "was not found"
    } else if says(&[
        "unauthorized",
        "denied",
        "forbidden",
        "authentication required",
        "401",
        "403",
    ]) {
        "was refused by its registry"
    } else if says(&["toomanyrequests", "too many requests", "rate limit", "429"]) {
        "was refused for now: its registry limits how often it is asked"
    } else if says(&[
        "no such host",
        "timeout",
        "connection refused",
        "i/o timeout",
        "x509",
        "tls",
    ]) {
        "could not be fetched: its registry cannot be reached"
    } else if says(&["couldn't parse", "invalid reference", "invalid image name"]) {
        "has a name that cannot be read"
    } else {
        UNPULLABLE
    }
}

/// The way out where an image cannot be had.
pub(super) fn of_image(message: &str) -> String {
    match image_lack(message) {
        "was refused by its registry" => {
            "check the pod's imagePullSecrets, or that of its ServiceAccount; for a public registry, \
             the image's name"
        }
        "could not be fetched: its registry cannot be reached" => {
            "check the registry's name in the image, and that nodes reach it"
        }
        "was refused for now: its registry limits how often it is asked" => {
            "wait, or give the pod imagePullSecrets of an account with a higher limit"
        }
        _ => {
            "check the image's name and tag; if the registry is private, the pod's imagePullSecrets"
        }
    }
    .to_owned()
}

/// The way out where a container cannot be made, by what the kubelet said.
pub(super) fn of_making(message: &str) -> Option<String> {
    let text = message.to_ascii_lowercase();
    let kinds = [("secret", "Secret"), ("configmap", "ConfigMap")];
    let kind = kinds.iter().find(|(word, _)| text.contains(word));
    if text.contains("couldn't find key") {
        let (_, kind) = kind?;
        return Some(format!(
            "add the key to the {kind}, or correct its name in the pod template"
        ));
    }
    if text.contains("not found") {
        let (_, kind) = kind?;
        return Some(format!(
            "declare the {kind} in the stack, or correct its name in the pod template"
        ));
    }
    if text.contains("runasnonroot") {
        return Some("let the image run as a user other than root, or set runAsUser".to_owned());
    }
    None
}

/// The way out where no node takes a pod.
pub(super) fn of_scheduling(message: &str) -> Option<String> {
    let text = message.to_ascii_lowercase();
    let says = |part| text.contains(part);
    let help = if says("insufficient") || says("too many pods") {
        "lower the pod's requests, or add nodes"
    } else if says("persistentvolumeclaim") && says("not found") {
        "declare the PersistentVolumeClaim in the stack, or correct its name in the pod template"
    } else if says("unbound") && says("persistentvolumeclaim") {
        "see why the claim is not bound: `kubectl describe pvc` in its namespace"
    } else if says("node affinity") || says("node selector") || says("didn't match") {
        "correct the pod's nodeSelector or affinity, or label a node"
    } else if says("taint") {
        "let the pod tolerate the nodes' taints, or add nodes without"
    } else {
        return None;
    };
    Some(help.to_owned())
}

/// The way out where a quota is used up: `exceeded quota: team, requested: …`.
fn of_quota(message: &str, namespace: Option<&str>) -> Option<String> {
    let (_, rest) = message
        .split_once("exceeded quota: ")
        .or_else(|| message.split_once("failed quota: "))?;
    let name = rest.split([',', ':', ' ']).next().unwrap_or_default();
    let within = namespace.map(|namespace| format!(" -n {namespace}"));
    let within = within.unwrap_or_default();
    Some(format!(
        "ask for less (fewer replicas, smaller requests), or have ResourceQuota {name} raised: \
         `kubectl describe quota {name}{within}` shows what is used"
    ))
}

/// The way out where pods, or what they mount, cannot be made, by what an event says of an object
/// in a namespace.
pub(super) fn of_event(reason: &str, message: &str, namespace: Option<&str>) -> Option<String> {
    if let Some(help) = of_quota(message, namespace) {
        return Some(help);
    }
    let text = message.to_ascii_lowercase();
    match reason {
        "FailedMount" | "Failed" => of_making(message),
        "FailedScheduling" => of_scheduling(message),
        "Unhealthy" => Some(
            "see what the probe asks for in the pod template, and what the container answers"
                .to_owned(),
        ),
        "FailedCreate" if text.contains("serviceaccount") => Some(
            "declare the ServiceAccount in the stack, or correct its name in the pod template"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Exit codes that shells and runtimes give a meaning, and the signals behind those above 128.
const SIGKILL: i64 = 137;
const SIGSEGV: i64 = 139;
const SIGTERM: i64 = 143;
const NOT_EXECUTABLE: i64 = 126;
const NOT_FOUND: i64 = 127;

/// How a container ended: `exited with code 1`.
pub(super) fn ending(
    reason: &str,
    code: Option<i64>,
    signal: Option<i64>,
    memory_limit: Option<&str>,
) -> String {
    if reason == "OOMKilled" {
        let limit = memory_limit.map(|limit| format!(" of {limit}"));
        let limit = limit.unwrap_or_default();
        return format!("was killed (OOMKilled): it used more memory than its limit{limit}");
    }
    if let Some(signal) = signal {
        return format!("was ended by signal {signal}");
    }
    match code {
        Some(0) => "exited with code 0, although it is to keep running".to_owned(),
        Some(SIGKILL) => "was killed (code 137, SIGKILL)".to_owned(),
        Some(SIGSEGV) => "crashed (code 139, SIGSEGV)".to_owned(),
        Some(SIGTERM) => "was stopped (code 143, SIGTERM)".to_owned(),
        Some(NOT_EXECUTABLE) => "exited with code 126: its command cannot be executed".to_owned(),
        Some(NOT_FOUND) => "exited with code 127: its command was not found".to_owned(),
        Some(code) => match reason {
            "" | "Error" | "Completed" => format!("exited with code {code}"),
            reason => format!("ended ({reason}, code {code})"),
        },
        None => "keeps ending".to_owned(),
    }
}

/// The way out where a container ended.
pub(super) fn of_ending(reason: &str, code: Option<i64>) -> Option<String> {
    let help = match (reason, code) {
        ("OOMKilled", _) => "raise the container's memory limit, or let it use less",
        (_, Some(0)) => "a container that does its work and ends belongs into a Job",
        (_, Some(NOT_EXECUTABLE | NOT_FOUND)) => {
            "check the container's command and args, and the image's platform"
        }
        (_, Some(SIGKILL)) => {
            "a liveness probe or the node may have killed it: see the events, and its memory limit"
        }
        _ => return None,
    };
    Some(help.to_owned())
}
