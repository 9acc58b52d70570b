//! AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy of
//! `policy.networking.k8s.io`.

use serde_json::Value;
use underpin_model::{Depth, FieldPath, Object, Protocol};

use super::reader::{Malformed, Reader, field};
use crate::{
    addresses::AddressSet,
    labels::Selector,
    policy::{
        Action, Direction, Namespaces, Peer, PeerTier, Policy, PortEntry, Rule, Subject, Tier,
    },
    ports::Connections,
};

/// After every priority that a policy can declare: the one BaselineAdminNetworkPolicy has none.
const BEHIND_ALL: i64 = i64::MAX;

/// AdminNetworkPolicy.
pub(super) fn admin(object: &Object, reader: &mut Reader<'_>) -> Policy {
    let (priority, certain) = priority(object, reader);
    policy(object, Tier::Admin, priority, certain, reader)
}

/// BaselineAdminNetworkPolicy.
pub(super) fn baseline(object: &Object, reader: &mut Reader<'_>) -> Policy {
    policy(object, Tier::Baseline, BEHIND_ALL, true, reader)
}

/// ClusterNetworkPolicy.
pub(super) fn cluster(object: &Object, reader: &mut Reader<'_>) -> Policy {
    let (priority, mut certain) = priority(object, reader);
    let tier = match object.text("/spec/tier") {
        Some("Admin") => Tier::Admin,
        Some("Baseline") => Tier::Baseline,
        _ => {
            reader.defect(
                &FieldPath::new("spec.tier"),
                "is neither Admin nor Baseline",
            );
            certain = false;
            Tier::Admin
        }
    };
    policy(object, tier, priority, certain, reader)
}

/// The priority, and whether it could be read.
fn priority(object: &Object, reader: &mut Reader<'_>) -> (i64, bool) {
    let Some(priority) = object.at("/spec/priority").and_then(Value::as_i64) else {
        reader.defect(&FieldPath::new("spec.priority"), "is no number");
        return (0, false);
    };
    (priority, true)
}

fn policy(
    object: &Object,
    tier: Tier,
    priority: i64,
    certain: bool,
    reader: &mut Reader<'_>,
) -> Policy {
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let (namespaces, pods) = subject(spec, reader);
    let mut rules = |direction| {
        if object.depth == Depth::Metadata {
            return Some(vec![unreadable_rule(0, reader)]);
        }
        read_rules(spec, direction, tier, reader)
    };
    let egress = rules(Direction::Egress);
    let ingress = rules(Direction::Ingress);
    Policy {
        object: object.clone(),
        tier,
        priority,
        subject: Subject {
            namespaces: Namespaces::Selected(namespaces),
            pods,
            uncertain: !certain || object.depth == Depth::Metadata,
        },
        egress,
        ingress,
    }
}

/// The namespaces and pods that the policy is about.
fn subject(spec: &Value, reader: &mut Reader<'_>) -> (Selector, Selector) {
    let path = FieldPath::new("spec.subject");
    let subject = field(spec, "subject").unwrap_or(&Value::Null);
    selected(subject, &path, reader).unwrap_or_else(|| {
        reader.defect(&path, "selects neither namespaces nor pods");
        (Selector::Unreadable, Selector::Unreadable)
    })
}

/// Namespaces and pods by `namespaces`, or by `pods` with its two selectors.
fn selected(
    value: &Value,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Option<(Selector, Selector)> {
    if let Some(namespaces) = reader.selector(value, path, "namespaces") {
        return Some((namespaces, Selector::everything()));
    }
    let (pods, path) = (field(value, "pods")?, path.key("pods"));
    let mut part = |key| {
        let selector = reader.selector(pods, &path, key);
        selector.unwrap_or_else(Selector::everything)
    };
    Some((part("namespaceSelector"), part("podSelector")))
}

fn unreadable_rule(index: usize, reader: &mut Reader<'_>) -> Rule {
    Rule {
        // Together with the unknown subject: it may deny, and nothing makes it certain.
        action: Action::Deny,
        index,
        name: None,
        peers: Some(vec![reader.peer(Peer::Unreadable)]),
        ports: None,
    }
}

fn read_rules(
    spec: &Value,
    direction: Direction,
    tier: Tier,
    reader: &mut Reader<'_>,
) -> Option<Vec<Rule>> {
    let list = match direction {
        Direction::Egress => "egress",
        Direction::Ingress => "ingress",
    };
    let rules = match reader.list(spec, &FieldPath::new("spec"), list) {
        Ok(rules) => rules.filter(|rules| !rules.is_empty())?,
        Err(Malformed) => return Some(vec![unreadable_rule(0, reader)]),
    };
    let each = rules.iter().enumerate();
    let rules = each.map(|(index, rule)| {
        read_rule(rule, index, direction, tier, reader)
            .unwrap_or_else(|Malformed| unreadable_rule(index, reader))
    });
    Some(rules.collect())
}

fn read_rule(
    rule: &Value,
    index: usize,
    direction: Direction,
    tier: Tier,
    reader: &mut Reader<'_>,
) -> Result<Rule, Malformed> {
    let path = Policy::rule_path(direction, index);
    let action = match field(rule, "action").and_then(Value::as_str) {
        Some("Allow" | "Accept") => Action::Allow,
        Some("Deny") => Action::Deny,
        Some("Pass") => Action::Pass,
        _ => {
            reader.defect(
                &path.key("action"),
                "is no action: Allow, Accept, Deny or Pass",
            );
            return Err(Malformed);
        }
    };
    let list = match direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    };
    let peers = reader.list(rule, &path, list)?.unwrap_or_default();
    if peers.is_empty() {
        reader.defect(&path.key(list), "names no peer, which Kubernetes refuses");
    }
    let mut ids = Vec::with_capacity(peers.len());
    let mut fails_closed = false;
    for (at, peer) in peers.iter().enumerate() {
        match read_peer(peer, &path.key(list).index(at), direction, reader) {
            Some(peer) => ids.push(reader.peer(peer)),
            // Of a newer version of the API: an Allow matches nothing by it, and anything else
            // denies everything.
            None if action == Action::Allow => {}
            None => fails_closed = true,
        }
    }
    let rule = Rule {
        action,
        index,
        name: field(rule, "name")
            .and_then(Value::as_str)
            .map(str::to_owned),
        peers: Some(ids),
        ports: read_ports(rule, &path, reader),
    };
    if fails_closed || (tier == Tier::Baseline && is_pass_of_old(&rule, reader)) {
        return Ok(Rule {
            action: Action::Deny,
            peers: None,
            ports: None,
            ..rule
        });
    }
    Ok(rule)
}

/// BaselineAdminNetworkPolicy knows no Pass.
fn is_pass_of_old(rule: &Rule, reader: &Reader<'_>) -> bool {
    rule.action == Action::Pass && reader.kind() == "BaselineAdminNetworkPolicy"
}

/// One peer; `None` when it has no field that is known.
fn read_peer(
    peer: &Value,
    path: &FieldPath,
    direction: Direction,
    reader: &mut Reader<'_>,
) -> Option<Peer> {
    if let Some((namespaces, pods)) = selected(peer, path, reader) {
        return Some(Peer::Pods {
            namespaces: Namespaces::Selected(namespaces),
            pods,
            tier: PeerTier::Cluster,
        });
    }
    if direction == Direction::Egress {
        if let Some(nodes) = reader.selector(peer, path, "nodes") {
            return Some(Peer::Nodes(nodes));
        }
        if field(peer, "networks").is_some() {
            return Some(networks(peer, path, reader).unwrap_or(Peer::Unreadable));
        }
        if field(peer, "domainNames").is_some() {
            return Some(domain_names(peer, path, reader).unwrap_or(Peer::Unreadable));
        }
    }
    reader.defect(
        path,
        "has no field that is known here: the rule fails closed",
    );
    None
}

fn networks(peer: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<Peer, Malformed> {
    let blocks = reader.list(peer, path, "networks")?.unwrap_or_default();
    let mut ranges = Vec::with_capacity(blocks.len());
    for (index, value) in blocks.iter().enumerate() {
        ranges.push(reader.block(Some(value), &path.key("networks").index(index))?);
    }
    Ok(Peer::Addresses {
        set: AddressSet::new(&ranges, &[]),
        tier: PeerTier::Cluster,
    })
}

fn domain_names(
    peer: &Value,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<Peer, Malformed> {
    let names = reader.list(peer, path, "domainNames")?.unwrap_or_default();
    let texts: Option<Vec<String>> = names
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect();
    let Some(names) = texts else {
        reader.defect(&path.key("domainNames"), "is no list of names");
        return Err(Malformed);
    };
    Ok(Peer::DomainNames(names))
}

/// The ports, in the form of either version; all when there are none.
fn read_ports(rule: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Option<Vec<PortEntry>> {
    let list = if field(rule, "protocols").is_some() {
        "protocols"
    } else {
        "ports"
    };
    let ports = match reader.list(rule, path, list) {
        Ok(ports) => ports.filter(|ports| !ports.is_empty())?,
        Err(Malformed) => return Some(vec![PortEntry::Unreadable]),
    };
    let each = ports.iter().enumerate();
    let entries = each.map(|(index, port)| {
        let path = path.key(list).index(index);
        let entry = if list == "protocols" {
            read_protocol(port, &path, reader)
        } else {
            read_port(port, &path, reader)
        };
        entry.unwrap_or(PortEntry::Unreadable)
    });
    Some(entries.collect())
}

/// `portNumber`, `portRange` or `namedPort` of v1alpha1.
fn read_port(
    entry: &Value,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<PortEntry, Malformed> {
    if let Some(number) = field(entry, "portNumber") {
        let path = path.key("portNumber");
        let protocol = reader.protocol(number, &path)?;
        let port = field(number, "port").unwrap_or(&Value::Null);
        let port = reader.port(port, &path.key("port"))?;
        return Ok(PortEntry::Numbers(Connections::port(protocol, port)));
    }
    if let Some(range) = field(entry, "portRange") {
        let path = path.key("portRange");
        let protocol = reader.protocol(range, &path)?;
        return read_range(range, protocol, &path, reader);
    }
    let Some(name) = field(entry, "namedPort").and_then(Value::as_str) else {
        reader.defect(path, "is none of portNumber, portRange and namedPort");
        return Err(Malformed);
    };
    Ok(PortEntry::Named(None, name.to_owned()))
}

fn read_range(
    range: &Value,
    protocol: Protocol,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<PortEntry, Malformed> {
    let mut end = |key| {
        let value = field(range, key).unwrap_or(&Value::Null);
        reader.port(value, &path.key(key))
    };
    let (first, last) = (end("start")?, end("end")?);
    if last < first {
        reader.defect(&path.key("end"), "is smaller than start");
        return Err(Malformed);
    }
    Ok(PortEntry::Numbers(Connections::range(
        protocol, first, last,
    )))
}

/// `tcp`, `udp`, `sctp` or `destinationNamedPort` of v1alpha2.
fn read_protocol(
    entry: &Value,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<PortEntry, Malformed> {
    if let Some(name) = field(entry, "destinationNamedPort").and_then(Value::as_str) {
        return Ok(PortEntry::Named(None, name.to_owned()));
    }
    for (key, protocol) in [
        ("tcp", Protocol::Tcp),
        ("udp", Protocol::Udp),
        ("sctp", Protocol::Sctp),
    ] {
        let Some(value) = field(entry, key) else {
            continue;
        };
        let path = path.key(key).key("destinationPort");
        let Some(port) = field(value, "destinationPort") else {
            return Ok(PortEntry::Numbers(Connections::of(protocol)));
        };
        if let Some(range) = field(port, "range") {
            return read_range(range, protocol, &path.key("range"), reader);
        }
        let number = field(port, "number").unwrap_or(&Value::Null);
        let number = reader.port(number, &path.key("number"))?;
        return Ok(PortEntry::Numbers(Connections::port(protocol, number)));
    }
    reader.defect(path, "is none of tcp, udp, sctp and destinationNamedPort");
    Err(Malformed)
}
