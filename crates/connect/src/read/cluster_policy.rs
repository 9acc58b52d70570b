//! AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy of
//! `policy.networking.k8s.io`.

use std::sync::Arc;

use serde_json::Value;
use underpin_model::{Depth, FieldPath, Object, Protocol};

use super::reader::{Reader, field};
use crate::{
    addresses::AddressSet,
    gap::Gap,
    labels::Selector,
    policy::{
        Action, Direction, Namespaces, Peer, PeerId, PeerTier, Policy, PortEntry, Rule, Subject,
        Tier,
    },
    ports::Connections,
};

/// After every priority that a policy can declare: the one BaselineAdminNetworkPolicy has none.
const BEHIND_ALL: i64 = i64::MAX;

/// AdminNetworkPolicy.
pub(super) fn admin(object: &Arc<Object>, reader: &mut Reader<'_>) -> Policy {
    let (priority, gap) = priority(object, reader);
    policy(object, (Tier::Admin, false), priority, gap, reader)
}

/// BaselineAdminNetworkPolicy.
pub(super) fn baseline(object: &Arc<Object>, reader: &mut Reader<'_>) -> Policy {
    policy(object, (Tier::Baseline, false), BEHIND_ALL, None, reader)
}

/// ClusterNetworkPolicy.
pub(super) fn cluster(object: &Arc<Object>, reader: &mut Reader<'_>) -> Policy {
    let (priority, mut gap) = priority(object, reader);
    let tier = match object.text("/spec/tier") {
        Some("Admin") => (Tier::Admin, false),
        Some("Baseline") => (Tier::Baseline, false),
        tier => {
            let unknown = tier.is_none().then(|| reader.missing(&spec(), "tier"));
            gap = Some(unknown.flatten().unwrap_or_else(|| {
                reader.defect(&spec().key("tier"), "is neither Admin nor Baseline");
                Gap::Unreadable
            }));
            // A Pass of the one tier leads to the next, and of the other to what is allowed to all.
            (Tier::Admin, true)
        }
    };
    policy(object, tier, priority, gap, reader)
}

fn spec() -> FieldPath {
    FieldPath::new("spec")
}

/// The priority, or the first and why it is not known. What may come later may come first: what it
/// says is then unknown anyway.
fn priority(object: &Object, reader: &mut Reader<'_>) -> (i64, Option<Gap>) {
    let value = object.at("/spec/priority").unwrap_or(&Value::Null);
    if let Some(priority) = value.as_i64() {
        return (priority, None);
    }
    let path = spec().key("priority");
    let gap = reader.incomplete(value, &path).unwrap_or_else(|| {
        reader.defect(&path, "is no number");
        Gap::Unreadable
    });
    (0, Some(gap))
}

/// A policy of a tier, and whether it may be of the tier Baseline instead.
fn policy(
    object: &Arc<Object>,
    (tier, perhaps_baseline): (Tier, bool),
    priority: i64,
    gap: Option<Gap>,
    reader: &mut Reader<'_>,
) -> Policy {
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let (namespaces, pods) = subject(spec, reader);
    let mut rules = |direction| {
        if object.depth == Depth::Metadata {
            return Some(unknown_rules(0, &Gap::Unreadable, reader));
        }
        read_rules(spec, direction, tier, reader)
    };
    let egress = rules(Direction::Egress);
    let ingress = rules(Direction::Ingress);
    let unread = (object.depth == Depth::Metadata).then_some(Gap::Unreadable);
    let gap = gap.or(unread).or_else(|| reader.existence());
    Policy {
        object: object.clone(),
        tier,
        perhaps_baseline,
        priority,
        subject: Subject {
            namespaces: Namespaces::Selected(namespaces),
            pods,
            uncertain: [gap.clone(), gap],
        },
        egress,
        ingress,
    }
}

/// The namespaces and pods that the policy is about.
fn subject(spec: &Value, reader: &mut Reader<'_>) -> (Selector, Selector) {
    let path = FieldPath::new("spec.subject");
    let subject = field(spec, "subject").unwrap_or(&Value::Null);
    let unknown = |gap: Gap| (Selector::unknown(gap.clone()), Selector::unknown(gap));
    if let Some(gap) = reader.incomplete(subject, &path) {
        return unknown(gap);
    }
    selected(subject, &path, reader).unwrap_or_else(|| {
        let gap = reader.inside(&path);
        unknown(gap.unwrap_or_else(|| {
            reader.defect(&path, "selects neither namespaces nor pods");
            Gap::Unreadable
        }))
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

/// A rule that may do anything with anything.
fn unknown_rules(index: usize, gap: &Gap, reader: &mut Reader<'_>) -> Vec<Rule> {
    let peer = reader.peer(Peer::Unknown(gap.clone()));
    let rule = |action| Rule {
        action,
        index,
        name: None,
        peers: Some(vec![peer]),
        ports: None,
    };
    [Action::Allow, Action::Deny, Action::Pass].map(rule).into()
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
        Err(gap) => return Some(unknown_rules(0, &gap, reader)),
    };
    let each = rules.iter().enumerate();
    let rules =
        each.flat_map(
            |(index, rule)| match read_rule(rule, index, direction, tier, reader) {
                Ok(rule) => vec![rule],
                Err(gap) => unknown_rules(index, &gap, reader),
            },
        );
    Some(rules.collect())
}

fn read_rule(
    rule: &Value,
    index: usize,
    direction: Direction,
    tier: Tier,
    reader: &mut Reader<'_>,
) -> Result<Rule, Gap> {
    let path = Policy::rule_path(direction, index);
    if let Some(gap) = reader.incomplete(rule, &path) {
        return Err(gap);
    }
    let action = match field(rule, "action").and_then(Value::as_str) {
        Some("Allow" | "Accept") => Action::Allow,
        Some("Deny") => Action::Deny,
        Some("Pass") => Action::Pass,
        action => {
            let unknown = action.is_none().then(|| reader.missing(&path, "action"));
            return Err(unknown.flatten().unwrap_or_else(|| {
                reader.defect(
                    &path.key("action"),
                    "is no action: Allow, Accept, Deny or Pass",
                );
                Gap::Unreadable
            }));
        }
    };
    let list = match direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    };
    let peers = match reader.list(rule, &path, list) {
        Ok(peers) => peers.unwrap_or_default(),
        Err(gap) => {
            let peers = Some(vec![reader.peer(Peer::Unknown(gap))]);
            return Ok(rule_of(rule, index, action, peers, &path, reader));
        }
    };
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
    let rule = rule_of(rule, index, action, Some(ids), &path, reader);
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

fn rule_of(
    rule: &Value,
    index: usize,
    action: Action,
    peers: Option<Vec<PeerId>>,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Rule {
    let name = field(rule, "name").and_then(Value::as_str);
    Rule {
        action,
        index,
        name: name.map(str::to_owned),
        peers,
        ports: read_ports(rule, path, reader),
    }
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
    if let Some(gap) = reader.incomplete(peer, path) {
        return Some(Peer::Unknown(gap));
    }
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
        let unknown = ["networks", "domainNames"].map(|key| {
            let missing = field(peer, key)
                .is_none()
                .then(|| reader.missing(path, key));
            missing.flatten()
        });
        if let Some(gap) = unknown.into_iter().flatten().next() {
            return Some(Peer::Unknown(gap));
        }
        if field(peer, "networks").is_some() {
            return Some(networks(peer, path, reader).unwrap_or_else(Peer::Unknown));
        }
        if field(peer, "domainNames").is_some() {
            return Some(domain_names(peer, path, reader).unwrap_or_else(Peer::Unknown));
        }
    }
    if let Some(gap) = reader.inside(path) {
        return Some(Peer::Unknown(gap));
    }
    reader.defect(
        path,
        "has no field that is known here: the rule fails closed",
    );
    None
}

fn networks(peer: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<Peer, Gap> {
    let blocks = reader.list(peer, path, "networks")?.unwrap_or_default();
    let mut ranges = Vec::with_capacity(blocks.len());
    for (index, value) in blocks.iter().enumerate() {
        ranges.push(reader.block(Some(value), &path.key("networks").index(index))?);
    }
    Ok(Peer::Addresses {
        set: AddressSet::new(&ranges, &[]),
        tier: PeerTier::Cluster,
        gap: None,
    })
}

fn domain_names(peer: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<Peer, Gap> {
    let names = reader.list(peer, path, "domainNames")?.unwrap_or_default();
    if let Some(gap) = reader.inside(&path.key("domainNames")) {
        return Err(gap);
    }
    let texts: Option<Vec<String>> = names
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect();
    let Some(names) = texts else {
        reader.defect(&path.key("domainNames"), "is no list of names");
        return Err(Gap::Unreadable);
    };
    Ok(Peer::DomainNames(names))
}

/// The ports, in the form of either version; all when there are none.
fn read_ports(rule: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Option<Vec<PortEntry>> {
    let missing = reader.missing(path, "protocols");
    let list = if field(rule, "protocols").is_some() || missing.is_some() {
        "protocols"
    } else {
        "ports"
    };
    let ports = match reader.list(rule, path, list) {
        Ok(ports) => ports.filter(|ports| !ports.is_empty())?,
        Err(gap) => return Some(vec![PortEntry::unknown(gap)]),
    };
    let each = ports.iter().enumerate();
    let entries = each.map(|(index, port)| {
        let path = path.key(list).index(index);
        if let Some(gap) = reader
            .inside(&path)
            .or_else(|| reader.incomplete(port, &path))
        {
            return PortEntry::unknown(gap);
        }
        let entry = if list == "protocols" {
            read_protocol(port, &path, reader)
        } else {
            read_port(port, &path, reader)
        };
        entry.unwrap_or_else(PortEntry::unknown)
    });
    Some(entries.collect())
}

/// `portNumber`, `portRange` or `namedPort` of v1alpha1.
fn read_port(entry: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<PortEntry, Gap> {
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
        return Err(Gap::Unreadable);
    };
    Ok(PortEntry::Named(None, name.to_owned()))
}

fn read_range(
    range: &Value,
    protocol: Protocol,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<PortEntry, Gap> {
    let mut end = |key| {
        let value = field(range, key).unwrap_or(&Value::Null);
        reader.port(value, &path.key(key))
    };
    let (first, last) = (end("start")?, end("end")?);
    if last < first {
        reader.defect(&path.key("end"), "is smaller than start");
        return Err(Gap::Unreadable);
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
) -> Result<PortEntry, Gap> {
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
    Err(Gap::Unreadable)
}
