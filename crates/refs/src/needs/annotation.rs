//! Our own annotations: needs that nothing else tells, and what looks like a need and is none.

use underpin_model::{
    Confidence, Consumer, Evidence, FieldPath, LabelSelector, Object, PortRef, Protocol, Supplier,
    World,
    names::{NEEDS_ANNOTATION, NO_NEEDS_ANNOTATION},
};

use super::{ProblemKind, found::Found, labelled::Pods, suppression::Suppression};
use crate::{
    field::Field,
    host::is_label,
    pods::{namespace_of, pod_template},
};

/// The parts of a suppression: what is suppressed, and why.
const REASON: &str = " -- ";

/// Adds what annotations declare, and returns what they suppress.
pub(super) fn read(world: &World, pods: &Pods<'_>, found: &mut Found) -> Vec<Suppression> {
    let mut suppressions = Vec::new();
    for object in world.objects() {
        let is_service = object.key.kind.is("", "Service");
        if is_service && has_any(Field::root(object).at("metadata.annotations").as_ref()) {
            let consumers = behind(object, pods);
            let own = Field::root(object).at("metadata.annotations");
            of_annotations(object, own, &consumers, found, &mut suppressions);
        }
    }
    for (object, workload) in &pods.bearing {
        let consumers = [Consumer::Workload(workload.clone())];
        let own = Field::root(object).at("metadata.annotations");
        of_annotations(object, own, &consumers, found, &mut suppressions);
        let template = pod_template(object).filter(|(path, _)| !path.as_str().is_empty());
        let of_pods =
            template.and_then(|(path, value)| Field { value, path }.at("metadata.annotations"));
        of_annotations(object, of_pods, &consumers, found, &mut suppressions);
    }
    suppressions
}

/// One annotation; its name holds dots.
fn text<'a>(annotations: &Field<'a>, name: &str) -> Option<&'a str> {
    annotations.get(name)?.text()
}

fn has_any(annotations: Option<&Field<'_>>) -> bool {
    let has = |name| annotations.is_some_and(|all| all.value.get(name).is_some());
    has(NEEDS_ANNOTATION) || has(NO_NEEDS_ANNOTATION)
}

/// The workloads behind a Service; its namespace where none is known.
fn behind(object: &Object, pods: &Pods<'_>) -> Vec<Consumer> {
    let namespace = namespace_of(&object.key);
    let selector = object
        .at("/spec/selector")
        .and_then(LabelSelector::from_map);
    let workloads = selector
        .filter(|selector| !selector.0.is_empty())
        .map(|selector| pods.selected(namespace, &selector))
        .unwrap_or_default();
    if workloads.is_empty() {
        return vec![Consumer::Namespace(namespace.to_owned())];
    }
    workloads.into_iter().map(Consumer::Workload).collect()
}

fn of_annotations(
    object: &Object,
    annotations: Option<Field<'_>>,
    consumers: &[Consumer],
    found: &mut Found,
    suppressions: &mut Vec<Suppression>,
) {
    let Some(annotations) = annotations.filter(|all| has_any(Some(all))) else {
        return;
    };
    let path = |name: &str| annotations.path.key(name);
    if let Some(text) = text(&annotations, NEEDS_ANNOTATION) {
        for entry in entries(text) {
            declared(object, entry, path(NEEDS_ANNOTATION), consumers, found);
        }
    }
    if let Some(text) = text(&annotations, NO_NEEDS_ANNOTATION) {
        let path = path(NO_NEEDS_ANNOTATION);
        let parts = text.split_once(REASON);
        let Some((targets, reason)) = parts.filter(|(_, reason)| !reason.trim().is_empty()) else {
            let note = format!(
                "says no reason; write it behind the targets, as in `db/postgres{REASON}only in tests`"
            );
            found.problem(ProblemKind::Malformed, object.evidence(path, note));
            return;
        };
        for target in entries(targets) {
            let Some((to, port)) = target_of(object, target) else {
                let evidence = not_understood(object, &path, target, "namespace/service");
                found.problem(ProblemKind::Malformed, evidence);
                continue;
            };
            suppressions.push(Suppression {
                consumers: consumers.to_vec(),
                to,
                port: port.map(|(_, port)| port),
                reason: reason.trim().to_owned(),
                evidence: object
                    .evidence(path.clone(), format!("says that {target} is not needed")),
            });
        }
    }
}

fn declared(
    object: &Object,
    entry: &str,
    path: FieldPath,
    consumers: &[Consumer],
    found: &mut Found,
) {
    let Some((to, port)) = target_of(object, entry) else {
        let evidence = not_understood(object, &path, entry, "namespace/service:port");
        found.problem(ProblemKind::Malformed, evidence);
        return;
    };
    let (protocol, port) = port.map_or((Protocol::Tcp, None), |(protocol, port)| {
        (protocol, Some(port))
    });
    for consumer in consumers {
        let evidence = object.evidence(path.clone(), format!("declares {entry}"));
        let to = (to.clone(), protocol, port.clone());
        found.add(consumer, to, Confidence::Certain, evidence);
    }
}

fn not_understood(object: &Object, path: &FieldPath, entry: &str, form: &str) -> Evidence {
    let note = format!("`{entry}` is not of the form {form}, nor a host name");
    object.evidence(path.clone(), note)
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split([',', '\n']).map(str::trim);
    parts.filter(|part| !part.is_empty())
}

type Port = (Protocol, PortRef);

/// `namespace/service:port/protocol`, `service:port` of the same namespace, `host.example:port`.
fn target_of(object: &Object, entry: &str) -> Option<(Supplier, Option<Port>)> {
    let (name, port) = match entry.split_once(':') {
        Some((name, port)) => (name, Some(port_of(port)?)),
        None => (entry, None),
    };
    let to = match name.split_once('/') {
        Some((namespace, service)) => Supplier::Service {
            namespace: Some(namespace).filter(|name| is_label(name))?.to_owned(),
            name: Some(service).filter(|name| is_label(name))?.to_owned(),
        },
        None if !name.split('.').all(is_label) => return None,
        None if name.contains('.') => match name.parse() {
            Ok(address) => Supplier::Address(address),
            Err(_) => Supplier::Host(name.to_ascii_lowercase()),
        },
        None => Supplier::Service {
            namespace: namespace_of(&object.key).to_owned(),
            name: name.to_owned(),
        },
    };
    Some((to, port))
}

fn port_of(text: &str) -> Option<Port> {
    let (port, protocol) = match text.split_once('/') {
        Some((port, protocol)) => (port, Protocol::from_name(&protocol.to_ascii_uppercase())?),
        None => (text, Protocol::Tcp),
    };
    let port = match port.parse::<u16>() {
        Ok(0) | Err(_) if port.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        Ok(number) => PortRef::Number(number),
        Err(_) if is_label(port) => PortRef::Name(port.to_owned()),
        Err(_) => return None,
    };
    Some((protocol, port))
}
