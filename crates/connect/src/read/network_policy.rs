//! NetworkPolicy of `networking.k8s.io`.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;
use underpin_model::{Depth, FieldPath, Object};

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

/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

pub(super) fn read(object: &Arc<Object>, reader: &mut Reader<'_>) -> Policy {
    let namespace = namespace(object, reader);
    let (pods, types, rules) = match spec(object, reader) {
        Ok(spec) => readable(&spec, &namespace, reader),
        Err(gap) => unreadable(&gap, reader),
    };
    let [egress, ingress] = rules;
    Policy {
        object: object.clone(),
        tier: Tier::Network,
        perhaps_baseline: false,
        priority: 0,
        subject: Subject {
            namespaces: namespace,
            pods,
            uncertain: types.map(|known| known.err().or_else(|| reader.existence())),
        },
        egress,
        ingress,
    }
}

/// The namespace; `default` when there is none.
pub(super) fn namespace(object: &Object, reader: &Reader<'_>) -> Namespaces {
    if let Some(namespace) = &object.key.namespace {
        return Namespaces::Named(namespace.clone());
    }
    match reader.missing(&FieldPath::new("metadata"), "namespace") {
        Some(gap) => Namespaces::Unknown(gap),
        None => Namespaces::Named(DEFAULT_NAMESPACE.to_owned()),
    }
}

fn spec<'o>(object: &'o Object, reader: &mut Reader<'_>) -> Result<Cow<'o, Value>, Gap> {
    if object.depth == Depth::Metadata {
        return Err(Gap::Unreadable);
    }
    match object.at("/spec") {
        Some(spec @ Value::Object(_)) => Ok(Cow::Borrowed(spec)),
        // Without a spec, a policy selects all pods and isolates them for ingress.
        None | Some(Value::Null) => {
            let empty = || Ok(Cow::Owned(Value::Object(serde_json::Map::new())));
            reader
                .missing(&FieldPath::root(), "spec")
                .map_or_else(empty, Err)
        }
        Some(_) => {
            reader.defect(&FieldPath::new("spec"), "is no map");
            Err(Gap::Unreadable)
        }
    }
}

/// The pods, why it is not known per direction whether the policy is about them, and the rules.
type Content = (Selector, [Result<bool, Gap>; 2], [Option<Vec<Rule>>; 2]);

fn readable(spec: &Value, namespace: &Namespaces, reader: &mut Reader<'_>) -> Content {
    let selector = reader.selector(spec, &FieldPath::new("spec"), "podSelector");
    let types = policy_types(spec, reader);
    let rules = [Direction::Egress, Direction::Ingress].map(|direction| {
        let applies = types[direction as usize].as_ref().ok() != Some(&false);
        applies.then(|| read_rules(spec, direction, namespace, reader))
    });
    let pods = selector.unwrap_or_else(Selector::everything);
    (pods, types, rules)
}

fn unreadable(gap: &Gap, reader: &mut Reader<'_>) -> Content {
    let mut rules = || Some(vec![unknown_rule(0, gap.clone(), reader)]);
    let rules = [rules(), rules()];
    let types = [gap, gap].map(|gap| Err(gap.clone()));
    (Selector::unknown(gap.clone()), types, rules)
}

/// What the policy says something of, per direction: as declared, else ingress, and egress if it
/// has a rule for it.
fn policy_types(spec: &Value, reader: &mut Reader<'_>) -> [Result<bool, Gap>; 2] {
    let path = FieldPath::new("spec");
    let unknown = |gap: Gap| [Err(gap.clone()), Err(gap)];
    let declared = match reader.list(spec, &path, "policyTypes") {
        Ok(declared) => declared.unwrap_or_default(),
        Err(gap) => return unknown(gap),
    };
    let path_of_types = path.key("policyTypes");
    if let Some(gap) = reader.inside(&path_of_types) {
        return unknown(gap);
    }
    if declared.is_empty() {
        let egress = match (field(spec, "egress"), reader.missing(&path, "egress")) {
            // An empty list is dropped when the policy is stored: it is as if it were not there.
            (Some(Value::Array(rules)), _) => match rules.iter().find(|rule| !rule.is_null()) {
                None => reader
                    .inside(&path.key("egress"))
                    .map_or(Ok(!rules.is_empty()), Err),
                Some(_) => Ok(true),
            },
            (Some(_), _) => Ok(true),
            (None, Some(gap)) => Err(gap),
            (None, None) => Ok(false),
        };
        return [egress, Ok(true)];
    }
    let has = |name: &str| declared.iter().any(|value| value.as_str() == Some(name));
    let known = |value: &Value| matches!(value.as_str(), Some("Ingress" | "Egress"));
    if let Some(at) = declared.iter().position(|value| !known(value)) {
        reader.defect(&path_of_types.index(at), "is neither Ingress nor Egress");
        return unknown(Gap::Unreadable);
    }
    [Ok(has("Egress")), Ok(has("Ingress"))]
}

fn unknown_rule(index: usize, gap: Gap, reader: &mut Reader<'_>) -> Rule {
    Rule {
        action: Action::Allow,
        index,
        name: None,
        peers: Some(vec![reader.peer(Peer::Unknown(gap))]),
        ports: None,
    }
}

fn read_rules(
    spec: &Value,
    direction: Direction,
    namespace: &Namespaces,
    reader: &mut Reader<'_>,
) -> Vec<Rule> {
    let (list, peers) = match direction {
        Direction::Egress => ("egress", "to"),
        Direction::Ingress => ("ingress", "from"),
    };
    let rules = match reader.list(spec, &FieldPath::new("spec"), list) {
        Ok(rules) => rules.unwrap_or_default(),
        Err(gap) => return vec![unknown_rule(0, gap, reader)],
    };
    let each = rules.iter().enumerate();
    each.map(|(index, rule)| {
        let path = Policy::rule_path(direction, index);
        if let Some(gap) = reader.incomplete(rule, &path).filter(|_| rule.is_null()) {
            return unknown_rule(index, gap, reader);
        }
        if !rule.is_object() {
            reader.defect(&path, "is no map");
            return unknown_rule(index, Gap::Unreadable, reader);
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
    namespace: &Namespaces,
    reader: &mut Reader<'_>,
) -> Option<Vec<PeerId>> {
    let peers = match reader.list(rule, path, list) {
        Ok(peers) => peers.filter(|peers| !peers.is_empty())?,
        Err(gap) => return Some(vec![reader.peer(Peer::Unknown(gap))]),
    };
    let each = peers.iter().enumerate();
    let peers = each.map(|(index, peer)| {
        let peer = read_peer(peer, &path.key(list).index(index), namespace, reader);
        let peer = peer.unwrap_or_else(Peer::Unknown);
        reader.peer(peer)
    });
    Some(peers.collect())
}

fn read_peer(
    peer: &Value,
    path: &FieldPath,
    namespace: &Namespaces,
    reader: &mut Reader<'_>,
) -> Result<Peer, Gap> {
    if let Some(gap) = reader.incomplete(peer, path) {
        return Err(gap);
    }
    let namespaces = reader.selector(peer, path, "namespaceSelector");
    let pods = reader.selector(peer, path, "podSelector");
    let selects = namespaces.is_some() || pods.is_some();
    match field(peer, "ipBlock") {
        None if selects => Ok(Peer::Pods {
            namespaces: namespaces.map_or_else(|| namespace.clone(), Namespaces::Selected),
            pods: pods.unwrap_or_else(Selector::everything),
            tier: PeerTier::Network,
        }),
        None => {
            if let Some(gap) = reader.missing(path, "ipBlock") {
                return Err(gap);
            }
            reader.defect(
                path,
                "names no peer: one of podSelector, namespaceSelector, ipBlock",
            );
            Err(Gap::Unreadable)
        }
        Some(_) if selects => {
            reader.defect(
                path,
                "mixes ipBlock with selectors, which Kubernetes refuses",
            );
            Err(Gap::Unreadable)
        }
        Some(block) => read_block(block, &path.key("ipBlock"), reader),
    }
}

fn read_block(block: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<Peer, Gap> {
    let cidr = reader.block(field(block, "cidr"), &path.key("cidr"))?;
    let mut except = Vec::new();
    let (list, mut gap) = match reader.list(block, path, "except") {
        Ok(list) => (list.unwrap_or_default(), None),
        Err(gap) => (&[][..], Some(gap)),
    };
    for (index, value) in list.iter().enumerate() {
        let place = path.key("except").index(index);
        let excepted = match reader.block(Some(value), &place) {
            Ok(excepted) => excepted,
            Err(unknown) => {
                gap = Some(unknown);
                continue;
            }
        };
        if !cidr.holds(&excepted) || cidr == excepted {
            reader.defect(&place, "is not a part of cidr, which Kubernetes refuses");
        }
        except.push(excepted);
    }
    Ok(Peer::Addresses {
        set: AddressSet::new(&[cidr], &except),
        tier: PeerTier::Network,
        gap,
    })
}

/// The ports; all when there are none.
fn read_ports(rule: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Option<Vec<PortEntry>> {
    let ports = match reader.list(rule, path, "ports") {
        Ok(ports) => ports.filter(|ports| !ports.is_empty())?,
        Err(gap) => return Some(vec![PortEntry::unknown(gap)]),
    };
    let each = ports.iter().enumerate();
    let entries = each.map(|(index, port)| {
        let entry = read_port(port, &path.key("ports").index(index), reader);
        entry.unwrap_or_else(PortEntry::unknown)
    });
    Some(entries.collect())
}

fn read_port(entry: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Result<PortEntry, Gap> {
    if let Some(gap) = reader.incomplete(entry, path) {
        return Err(gap);
    }
    if !entry.is_object() {
        reader.defect(path, "is no map");
        return Err(Gap::Unreadable);
    }
    let protocol = reader.protocol(entry, path)?;
    for key in ["port", "endPort"] {
        let gap = field(entry, key)
            .is_none()
            .then(|| reader.missing(path, key));
        if let Some(gap) = gap.flatten() {
            return Ok(PortEntry::Unknown(gap, Connections::of(protocol)));
        }
    }
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
            Err(Gap::Unreadable)
        }
        (Some(port), Some(end)) => {
            let first = reader.port(port, &path.key("port"))?;
            let last = reader.port(end, &path.key("endPort"))?;
            if last < first {
                reader.defect(&path.key("endPort"), "is smaller than port");
                return Err(Gap::Unreadable);
            }
            Ok(PortEntry::Numbers(Connections::range(
                protocol, first, last,
            )))
        }
    }
}
