//! NetworkPolicy of `networking.k8s.io`.

use serde_json::Value;
use underpin_model::{Depth, FieldPath, Object};

use super::reader::{Malformed, Reader, field};
use crate::{
    addresses::AddressSet,
    labels::Selector,
    policy::{
        Action, Direction, Namespaces, Peer, PeerId, PeerTier, Policy, PortEntry, Rule, Subject,
        Tier,
    },
    ports::Connections,
};

/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

pub(super) fn read(object: &Object, reader: &mut Reader<'_>) -> Policy {
    let path = FieldPath::new("spec");
    let namespace = object.key.namespace.as_deref();
    let namespace = namespace.unwrap_or(DEFAULT_NAMESPACE).to_owned();
    let spec = match object.at("/spec") {
        _ if object.depth == Depth::Metadata => &Value::Null,
        Some(spec @ Value::Object(_)) => spec,
        // Without a spec, a policy selects all pods and isolates them for ingress.
        None | Some(Value::Null) => &Value::Object(serde_json::Map::new()),
        Some(_) => {
            reader.defect(&path, "is no map");
            &Value::Null
        }
    };
    let readable = spec.is_object();
    let pods = if readable {
        let selector = reader.selector(spec, &path, "podSelector");
        selector.unwrap_or_else(Selector::everything)
    } else {
        Selector::Unreadable
    };
    let types = policy_types(spec, &path, reader);
    let mut rules = |direction, applies: bool| {
        applies.then(|| {
            if readable {
                read_rules(spec, direction, &namespace, reader)
            } else {
                vec![unreadable_rule(0, reader)]
            }
        })
    };
    let egress = rules(Direction::Egress, types.egress);
    let ingress = rules(Direction::Ingress, types.ingress);
    Policy {
        object: object.clone(),
        tier: Tier::Network,
        priority: 0,
        subject: Subject {
            namespaces: Namespaces::Named(namespace),
            pods,
            uncertain: types.uncertain,
        },
        egress,
        ingress,
    }
}

struct PolicyTypes {
    ingress: bool,
    egress: bool,
    uncertain: bool,
}

/// What the policy says something of: as declared, else ingress, and egress if it has a rule for it.
fn policy_types(spec: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> PolicyTypes {
    let unknown = PolicyTypes {
        ingress: true,
        egress: true,
        uncertain: true,
    };
    if !spec.is_object() {
        return unknown;
    }
    let declared = match reader.list(spec, path, "policyTypes") {
        Ok(declared) => declared.unwrap_or_default(),
        Err(Malformed) => return unknown,
    };
    if declared.is_empty() {
        let egress = field(spec, "egress");
        return PolicyTypes {
            ingress: true,
            // An empty list is dropped when the policy is stored: it is as if it were not there.
            egress: egress
                .is_some_and(|rules| rules.as_array().is_none_or(|list| !list.is_empty())),
            uncertain: false,
        };
    }
    let has = |name: &str| declared.iter().any(|value| value.as_str() == Some(name));
    let known = |value: &Value| matches!(value.as_str(), Some("Ingress" | "Egress"));
    if let Some(at) = declared.iter().position(|value| !known(value)) {
        reader.defect(
            &path.key("policyTypes").index(at),
            "is neither Ingress nor Egress",
        );
        return unknown;
    }
    PolicyTypes {
        ingress: has("Ingress"),
        egress: has("Egress"),
        uncertain: false,
    }
}

fn unreadable_rule(index: usize, reader: &mut Reader<'_>) -> Rule {
    Rule {
        action: Action::Allow,
        index,
        name: None,
        peers: Some(vec![reader.peer(Peer::Unreadable)]),
        ports: None,
    }
}

fn read_rules(
    spec: &Value,
    direction: Direction,
    namespace: &str,
    reader: &mut Reader<'_>,
) -> Vec<Rule> {
    let (list, peers) = match direction {
        Direction::Egress => ("egress", "to"),
        Direction::Ingress => ("ingress", "from"),
    };
    let rules = match reader.list(spec, &FieldPath::new("spec"), list) {
        Ok(rules) => rules.unwrap_or_default(),
        Err(Malformed) => return vec![unreadable_rule(0, reader)],
    };
    let each = rules.iter().enumerate();
    each.map(|(index, rule)| {
        let path = Policy::rule_path(direction, index);
        if !rule.is_object() {
            reader.defect(&path, "is no map");
            return unreadable_rule(index, reader);
        }
        Rule {
            action: Action::Allow,
            index,
            name: None,
            peers: read_peers(rule, &path, peers, namespace, reader),
            ports: read_ports(rule, &path, reader),
        }
    })
    .collect()
}

/// The peers; everybody when there are none.
fn read_peers(
    rule: &Value,
    path: &FieldPath,
    list: &str,
    namespace: &str,
    reader: &mut Reader<'_>,
) -> Option<Vec<PeerId>> {
    let peers = match reader.list(rule, path, list) {
        Ok(peers) => peers.filter(|peers| !peers.is_empty())?,
        Err(Malformed) => return Some(vec![reader.peer(Peer::Unreadable)]),
    };
    let each = peers.iter().enumerate();
    let peers = each.map(|(index, peer)| {
        let peer = read_peer(peer, &path.key(list).index(index), namespace, reader);
        let peer = peer.unwrap_or(Peer::Unreadable);
        reader.peer(peer)
    });
    Some(peers.collect())
}

fn read_peer(
    peer: &Value,
    path: &FieldPath,
    namespace: &str,
    reader: &mut Reader<'_>,
) -> Result<Peer, Malformed> {
    let namespaces = reader.selector(peer, path, "namespaceSelector");
    let pods = reader.selector(peer, path, "podSelector");
    let selects = namespaces.is_some() || pods.is_some();
    match field(peer, "ipBlock") {
        None if selects => Ok(Peer::Pods {
            namespaces: namespaces.map_or_else(
                || Namespaces::Named(namespace.to_owned()),
                Namespaces::Selected,
            ),
            pods: pods.unwrap_or_else(Selector::everything),
            tier: PeerTier::Network,
        }),
        None => {
            reader.defect(
                path,
                "names no peer: one of podSelector, namespaceSelector, ipBlock",
            );
            Err(Malformed)
        }
        Some(_) if selects => {
            reader.defect(
                path,
                "mixes ipBlock with selectors, which Kubernetes refuses",
            );
            Err(Malformed)
        }
        Some(block) => read_block(block, &path.key("ipBlock"), reader),
    }
}

fn read_block(block: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<Peer, Malformed> {
    let cidr = reader.block(field(block, "cidr"), &path.key("cidr"))?;
    let mut except = Vec::new();
    for (index, value) in reader
        .list(block, path, "except")?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let place = path.key("except").index(index);
        let excepted = reader.block(Some(value), &place)?;
        if !cidr.holds(&excepted) || cidr == excepted {
            reader.defect(&place, "is not a part of cidr, which Kubernetes refuses");
        }
        except.push(excepted);
    }
    Ok(Peer::Addresses {
        set: AddressSet::new(&[cidr], &except),
        tier: PeerTier::Network,
    })
}

/// The ports; all when there are none.
fn read_ports(rule: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Option<Vec<PortEntry>> {
    let ports = match reader.list(rule, path, "ports") {
        Ok(ports) => ports.filter(|ports| !ports.is_empty())?,
        Err(Malformed) => return Some(vec![PortEntry::Unreadable]),
    };
    let each = ports.iter().enumerate();
    let entries = each.map(|(index, port)| {
        let entry = read_port(port, &path.key("ports").index(index), reader);
        entry.unwrap_or(PortEntry::Unreadable)
    });
    Some(entries.collect())
}

fn read_port(
    entry: &Value,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<PortEntry, Malformed> {
    if !entry.is_object() {
        reader.defect(path, "is no map");
        return Err(Malformed);
    }
    let protocol = reader.protocol(entry, path)?;
    let end = field(entry, "endPort");
    match (field(entry, "port"), end) {
        (None, None) => Ok(PortEntry::Numbers(Connections::of(protocol))),
        (Some(Value::String(name)), None) => Ok(PortEntry::Named(Some(protocol), name.clone())),
        (Some(port), None) => {
            let port = reader.port(port, &path.key("port"))?;
            Ok(PortEntry::Numbers(Connections::port(protocol, port)))
        }
        (None | Some(Value::String(_)), Some(_)) => {
            reader.defect(&path.key("endPort"), "needs a number in port");
            Err(Malformed)
        }
        (Some(port), Some(end)) => {
            let first = reader.port(port, &path.key("port"))?;
            let last = reader.port(end, &path.key("endPort"))?;
            if last < first {
                reader.defect(&path.key("endPort"), "is smaller than port");
                return Err(Malformed);
            }
            Ok(PortEntry::Numbers(Connections::range(
                protocol, first, last,
            )))
        }
    }
}
