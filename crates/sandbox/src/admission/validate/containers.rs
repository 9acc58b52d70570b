//! Containers of pods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    common::{self, not_negative, one_of, required_texts},
    names, volumes,
};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{field, integer, list, present, text},
};

/// Which list of containers it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Those that run all the time.
    Main,
    /// Those that run before.
    Initial,
}

/// One list of containers; `others` are names that are taken.
pub(super) fn containers(
    causes: &mut Causes,
    path: &Path<'_>,
    all: &[Value],
    role: Role,
    others: &[Value],
    volumes: &BTreeMap<&str, &Value>,
) {
    if role == Role::Main && all.is_empty() {
        causes.required(path, "");
        return;
    }
    let mut seen: BTreeSet<&str> = others.iter().map(|other| text(other, "name")).collect();
    for (at, container) in all.iter().enumerate() {
        let path = path.index(at);
        one(causes, &path, container, volumes);
        let name = text(container, "name");
        if !seen.insert(name) {
            causes.duplicate(&path.child("name"), name);
        }
        if role == Role::Initial && text(container, "restartPolicy") != "Always" {
            for name in [
                "lifecycle",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
            ] {
                if present(container, name).is_some() {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    causes.forbidden(&path.child(name), detail);
                }
            }
        }
    }
    host_ports(causes, path, all, role);
}

fn one(causes: &mut Causes, path: &Path<'_>, container: &Value, volumes: &BTreeMap<&str, &Value>) {
    let name = text(container, "name");
    if name.is_empty() {
        causes.required(&path.child("name"), "");
    } else {
        causes.invalid_each(&path.child("name"), name, &names::label(name));
    }
    let image = text(container, "image");
    if image.is_empty() {
        causes.required(&path.child("image"), "");
    } else if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        causes.invalid(&path.child("image"), image, detail);
    }
    if let Some(lifecycle) = present(container, "lifecycle") {
        let path = path.child("lifecycle");
        for name in ["postStart", "preStop"] {
            if let Some(hook) = present(lifecycle, name) {
                handler(causes, &path.child(name), hook);
            }
        }
    }
    for (name, once) in [
        ("livenessProbe", true),
        ("startupProbe", true),
        ("readinessProbe", false),
    ] {
        if let Some(found) = present(container, name) {
            probe(causes, &path.child(name), found, once);
        }
    }
    let policy = text(container, "terminationMessagePolicy");
    if !matches!(policy, "File" | "FallbackToLogsOnError") {
        let detail = "must be 'File' or 'FallbackToLogsOnError'";
        causes.invalid(&path.child("terminationMessagePolicy"), policy, detail);
    }
    ports(causes, &path.child("ports"), list(container, "ports"));
    environment(causes, &path.child("env"), list(container, "env"));
    environment_from(causes, &path.child("envFrom"), list(container, "envFrom"));
    volumes::mounts(causes, path, container, volumes);
    one_of(
        causes,
        path,
        container,
        "imagePullPolicy",
        &["Always", "IfNotPresent", "Never"],
    );
    common::resources(
        causes,
        &path.child("resources"),
        field(container, "resources"),
    );
    security(
        causes,
        &path.child("securityContext"),
        field(container, "securityContext"),
    );
}

fn probe(causes: &mut Causes, path: &Path<'_>, probe: &Value, once: bool) {
    const NUMBERS: [&str; 5] = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    handler(causes, path, probe);
    not_negative(causes, path, probe, &NUMBERS);
    let threshold = integer(probe, "successThreshold").unwrap_or(1);
    if once && threshold != 1 {
        causes.invalid(&path.child("successThreshold"), &threshold, "must be 1");
    }
}

/// What a probe or a hook does: exactly one thing.
fn handler(causes: &mut Causes, path: &Path<'_>, handler: &Value) {
    let mut found = 0;
    for name in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = present(handler, name) else {
            continue;
        };
        let path = path.child(name);
        found += 1;
        if found > 1 {
            causes.forbidden(&path, "may not specify more than 1 handler type");
            continue;
        }
        match name {
            "exec" if list(action, "command").is_empty() => {
                causes.required(&path.child("command"), "");
            }
            "httpGet" => {
                required_texts(causes, &path, action, &["path"]);
                common::port(causes, &path.child("port"), field(action, "port"));
                common::one_of_if_set(causes, &path, action, "scheme", &["HTTP", "HTTPS"]);
                for header in list(action, "httpHeaders") {
                    let name = text(header, "name");
                    causes.invalid_each(
                        &path.child("httpHeaders"),
                        name,
                        &names::header_name(name),
                    );
                }
            }
            "tcpSocket" | "grpc" => {
                common::port(causes, &path.child("port"), field(action, "port"));
            }
            _ => {}
        }
    }
    if found == 0 {
        causes.required(path, "must specify a handler type");
    }
}

fn ports(causes: &mut Causes, path: &Path<'_>, ports: &[Value]) {
    let mut seen = BTreeSet::new();
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let name = text(port, "name");
        if !name.is_empty() {
            let found = names::port_name(name);
            causes.invalid_each(&path.child("name"), name, &found);
            if found.is_empty() && !seen.insert(name) {
                causes.duplicate(&path.child("name"), name);
            }
        }
        if integer(port, "containerPort").unwrap_or_default() == 0 {
            causes.required(&path.child("containerPort"), "");
        } else {
            common::port_number(causes, &path, port, "containerPort");
        }
        if integer(port, "hostPort").unwrap_or_default() != 0 {
            common::port_number(causes, &path, port, "hostPort");
        }
        one_of(causes, &path, port, "protocol", &["SCTP", "TCP", "UDP"]);
    }
}

/// A node's port can be taken once by a pod; init containers run one after the other.
fn host_ports(causes: &mut Causes, path: &Path<'_>, all: &[Value], role: Role) {
    let mut seen = BTreeSet::new();
    for (at, container) in all.iter().enumerate() {
        if role == Role::Initial {
            seen.clear();
        }
        let path = path.index(at);
        let path = path.child("ports");
        for (at, port) in list(container, "ports").iter().enumerate() {
            let number = integer(port, "hostPort").unwrap_or_default();
            if number == 0 {
                continue;
            }
            let key = format!(
                "{}/{}/{number}",
                text(port, "protocol"),
                text(port, "hostIP")
            );
            if !seen.insert(key.clone()) {
                causes.duplicate(&path.index(at).child("hostPort"), &key);
            }
        }
    }
}

fn environment(causes: &mut Causes, path: &Path<'_>, all: &[Value]) {
    for (at, variable) in all.iter().enumerate() {
        let path = path.index(at);
        let name = text(variable, "name");
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        } else {
            causes.invalid_each(
                &path.child("name"),
                name,
                &names::environment_variable(name),
            );
        }
        if let Some(from) = present(variable, "valueFrom") {
            value_from(causes, &path.child("valueFrom"), variable, from);
        }
    }
}

fn value_from(causes: &mut Causes, path: &Path<'_>, variable: &Value, from: &Value) {
    let mut found = 0;
    if let Some(reference) = present(from, "fieldRef") {
        found += 1;
        field_reference(causes, &path.child("fieldRef"), reference);
    }
    if let Some(reference) = present(from, "resourceFieldRef") {
        found += 1;
        required_texts(
            causes,
            &path.child("resourceFieldRef"),
            reference,
            &["resource"],
        );
    }
    for name in ["configMapKeyRef", "secretKeyRef"] {
        let Some(reference) = present(from, name) else {
            continue;
        };
        found += 1;
        let path = path.child(name);
        let target = text(reference, "name");
        causes.invalid_each(&path.child("name"), target, &names::subdomain(target));
        let key = text(reference, "key");
        if key.is_empty() {
            causes.required(&path.child("key"), "");
        } else {
            causes.invalid_each(&path.child("key"), key, &names::config_key(key));
        }
    }
    if present(from, "fileKeyRef").is_some() {
        found += 1;
    }
    if found == 0 {
        let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
        causes.invalid(path, "", detail);
    } else if !text(variable, "value").is_empty() {
        causes.invalid(path, "", "may not be specified when `value` is not empty");
    } else if found > 1 {
        causes.invalid(
            path,
            "",
            "may not have more than one field specified at a time",
        );
    }
}

fn field_reference(causes: &mut Causes, path: &Path<'_>, reference: &Value) {
    const FIELDS: [&str; 9] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    let name = text(reference, "fieldPath");
    let subscript = name.strip_suffix(']').and_then(|name| {
        let (name, key) = name.split_once("['")?;
        Some((name, key.strip_suffix('\'')?))
    });
    match subscript {
        _ if name.is_empty() => causes.required(&path.child("fieldPath"), ""),
        Some(("metadata.annotations" | "metadata.labels", key)) => {
            causes.invalid_each(path, key, &names::qualified(&key.to_ascii_lowercase()));
        }
        Some((name, _)) => causes.invalid(path, name, "does not support subscript"),
        None if FIELDS.contains(&name) => {}
        None if matches!(name, "metadata.labels" | "metadata.annotations") => {
            causes.not_supported(&path.child("fieldPath"), name, &FIELDS);
        }
        None => {
            let detail = format!("error converting fieldPath: field label not supported: {name}");
            causes.invalid(&path.child("fieldPath"), name, &detail);
        }
    }
}

fn environment_from(causes: &mut Causes, path: &Path<'_>, all: &[Value]) {
    for (at, source) in all.iter().enumerate() {
        let item = path.index(at);
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            let found = names::environment_variable(prefix);
            causes.invalid_each(&item.child("prefix"), prefix, &found);
        }
        let mut found = 0;
        for name in ["configMapRef", "secretRef"] {
            let Some(reference) = present(source, name) else {
                continue;
            };
            found += 1;
            let path = item.child(name);
            required_texts(causes, &path, reference, &["name"]);
            common::reference(causes, &path, reference, "name", names::subdomain);
        }
        if found == 0 {
            causes.invalid(
                path,
                "",
                "must specify one of: `configMapRef` or `secretRef`",
            );
        } else if found > 1 {
            causes.invalid(
                path,
                "",
                "may not have more than one field specified at a time",
            );
        }
    }
}

fn security(causes: &mut Causes, path: &Path<'_>, context: &Value) {
    identities(causes, path, context, &["runAsUser", "runAsGroup"]);
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false))
        && context.get("privileged") == Some(&Value::Bool(true))
    {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        causes.invalid(path, context, detail);
    }
    seccomp(
        causes,
        &path.child("seccompProfile"),
        field(context, "seccompProfile"),
    );
}

/// Numbers of users and groups.
pub(super) fn identities(causes: &mut Causes, path: &Path<'_>, context: &Value, fields: &[&str]) {
    const MOST: i64 = i32::MAX as i64;
    for name in fields {
        if let Some(number) = integer(context, name)
            && !(0..=MOST).contains(&number)
        {
            causes.invalid(&path.child(name), &number, &names::between(0, MOST));
        }
    }
}

pub(super) fn seccomp(causes: &mut Causes, path: &Path<'_>, profile: &Value) {
    if profile.is_null() {
        return;
    }
    match text(profile, "type") {
        "" => causes.required(
            &path.child("type"),
            "type is required when seccompProfile is set",
        ),
        "Localhost" if present(profile, "localhostProfile").is_none() => causes.required(
            &path.child("localhostProfile"),
            "must be set when seccomp type is Localhost",
        ),
        "Localhost" => {}
        "RuntimeDefault" | "Unconfined" => {
            if present(profile, "localhostProfile").is_some() {
                let detail = "can only be set when seccomp type is Localhost";
                causes.invalid(&path.child("localhostProfile"), profile, detail);
            }
        }
        other => {
            const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
            causes.not_supported(&path.child("type"), other, &TYPES);
        }
    }
}
