//! From names to pods: what a question's ends are, and what answers behind a Service.

use std::sync::Arc;

use underpin_model::{ObjectKey, PortRef, Protocol};

use crate::{
    engine::Engine,
    labels::{Labels, Selector, Tri},
    networks::Way,
    party::{Node, Party},
    question::{Endpoint, Target},
    read::{ServiceFields, ServicePort, SliceFields, TargetPort},
    reason::Reason,
};

/// How many Services may stand for one another by name.
pub(crate) const ALIAS_DEPTH: usize = 4;

/// One end, resolved.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) party: Party,
    /// The pod of the world, where it is one.
    pub(crate) id: Option<u32>,
    /// Whose it is, for people.
    pub(crate) name: String,
    /// The pod of the world that it is, if that is a single one.
    pub(crate) single: Option<ObjectKey>,
    /// Whether nothing is known that limits what it sends.
    pub(crate) is_free: bool,
    /// How a connection comes to it.
    pub(crate) way: Way,
}

/// An end with the port it is asked on, or why there is none.
pub(crate) type Backend = (End, Result<u16, Reason>);

impl Engine {
    /// The protocols and ports that a Service of the world declares; none where clients choose
    /// them, or where it is not known.
    pub fn service_ports(&self, namespace: &str, name: &str) -> Vec<(Protocol, u16)> {
        let id = (namespace.to_owned(), name.to_owned());
        let service = self.inventory.services.get(&id);
        let ports = service.map_or(&[][..], |service| &service.ports);
        let mut ports: Vec<(Protocol, u16)> = ports
            .iter()
            .map(|port| (port.protocol, port.port))
            .collect();
        ports.sort_unstable();
        ports
    }

    /// The pods or addresses that an endpoint is.
    pub(crate) fn ends(&self, endpoint: &Endpoint) -> Result<Vec<End>, Reason> {
        let name = endpoint.to_string();
        let end = |party| {
            vec![End {
                party,
                id: None,
                name: name.clone(),
                single: None,
                is_free: false,
                way: Way::Straight,
            }]
        };
        Ok(match endpoint {
            Endpoint::Workload(key) => {
                let ids = self.inventory.workloads.get(key);
                let ids = ids.ok_or_else(|| Reason::NoBackend(format!("{key} is not known")))?;
                ids.iter().map(|id| self.end_of(key, *id)).collect()
            }
            Endpoint::Pods { namespace, labels } => {
                let labels = Labels {
                    known: labels.clone().unwrap_or_default(),
                    open: labels.is_none(),
                    ..Labels::default()
                };
                end(self.unseen(namespace, labels))
            }
            Endpoint::PodsOfSome { namespaces, labels } => {
                let pod = self.inventory.some_pod(namespaces.clone(), labels.clone());
                end(Party::Pod(Arc::new(pod)))
            }
            Endpoint::Address(address) => match self.inventory.with_address(*address) {
                Some((key, id)) => vec![self.end_of(key, id)],
                None => end(self.at_address(*address)),
            },
            Endpoint::Host(host) => end(Party::Name(host.clone())),
            Endpoint::Node(node) => end(Party::Node(self.node(node))),
            Endpoint::IngressController | Endpoint::ApiServer => {
                let pod = self.inventory.anybody();
                let mut ends = end(Party::Pod(Arc::new(pod)));
                ends[0].is_free = true;
                ends
            }
        })
    }

    fn end_of(&self, key: &ObjectKey, id: u32) -> End {
        End {
            party: Party::Pod(self.pod(id).clone()),
            id: Some(id),
            name: key.to_string(),
            single: key.kind.is("", "Pod").then(|| key.clone()),
            is_free: false,
            way: Way::Straight,
        }
    }

    /// A node of the world, or one of which its name alone is known.
    pub(crate) fn node(&self, name: &str) -> Arc<Node> {
        let known = self.inventory.nodes.iter().find(|node| node.name == name);
        known.cloned().unwrap_or_else(|| {
            Arc::new(Node {
                name: name.to_owned(),
                labels: Labels {
                    open: true,
                    ..Labels::default()
                },
                addresses: Vec::new(),
            })
        })
    }

    /// What answers a target on a port.
    pub(crate) fn backends(
        &self,
        target: &Target,
        protocol: Protocol,
        port: &PortRef,
        depth: usize,
    ) -> Result<Vec<Backend>, Reason> {
        match target {
            Target::Endpoint(endpoint) => {
                let ends = self.ends(endpoint)?.into_iter();
                let with_port = ends.map(|end| {
                    let port = match port {
                        PortRef::Number(number) => Ok(*number),
                        PortRef::Name(name) => named_port(&end.party, protocol, name),
                    };
                    (end, port)
                });
                Ok(with_port.collect())
            }
            Target::Service { namespace, name } => {
                let id = (namespace.clone(), name.clone());
                let Some(service) = self.inventory.services.get(&id) else {
                    let what = format!("Service {name} is not known in namespace {namespace}");
                    return Ok(vec![self.unseen_behind(&id, None, Reason::NoBackend(what))]);
                };
                if let Some(host) = &service.external_name {
                    return self.alias(host, protocol, port, depth);
                }
                self.behind(service, &id, protocol, port)
            }
        }
    }

    fn unseen(&self, namespace: &str, labels: Labels) -> Party {
        Party::Pod(Arc::new(self.inventory.unseen_pod(namespace, labels)))
    }

    /// Pods behind a Service that the world does not hold, such as an operator's. Which port of
    /// theirs it is remains unknown; what holds for all ports is certain all the same.
    fn unseen_behind(
        &self,
        (namespace, name): &(String, String),
        selector: Option<&Selector>,
        why: Reason,
    ) -> Backend {
        let labels = Labels {
            known: selector.map(Selector::labels).unwrap_or_default(),
            open: true,
            ..Labels::default()
        };
        let end = End {
            party: self.unseen(namespace, labels),
            id: None,
            name: format!("pods behind service/{namespace}/{name}"),
            single: None,
            is_free: false,
            way: Way::by_service(namespace, name, false),
        };
        (end, Err(why))
    }

    /// What a Service of type ExternalName stands for: another Service, or a host outside.
    fn alias(
        &self,
        host: &str,
        protocol: Protocol,
        port: &PortRef,
        depth: usize,
    ) -> Result<Vec<Backend>, Reason> {
        let depth = depth.checked_sub(1).ok_or_else(|| too_many_aliases(host))?;
        self.backends(&alias_target(host), protocol, port, depth)
    }

    fn behind(
        &self,
        service: &ServiceFields,
        (namespace, name): &(String, String),
        protocol: Protocol,
        port: &PortRef,
    ) -> Result<Vec<Backend>, Reason> {
        let asked = service.ports.iter().find(|declared| {
            declared.protocol == protocol
                && match port {
                    PortRef::Number(number) => declared.port == *number,
                    PortRef::Name(name) => declared.name.as_deref() == Some(name),
                }
        });
        let whose = || format!("Service {name} of namespace {namespace}");
        // A headless Service is but a name for the pods: clients choose the port.
        let port = match (asked, port) {
            (_, PortRef::Number(number)) if service.headless => Port::OfPods(*number),
            (Some(port), _) => Port::OfService(port),
            (None, port) => {
                let what = format!("{} has no port {protocol} {port}", whose());
                return Err(Reason::NoBackend(what));
            }
        };
        let selected = service.selector.iter();
        let mut found: Vec<Backend> = selected
            .flat_map(|selector| self.selected(namespace, selector))
            .map(|end| {
                let number = port.on(&end.party);
                (end, number)
            })
            .collect();
        if found.is_empty() {
            let slices = self.inventory.slices(namespace, name);
            found = slices
                .iter()
                .flat_map(|slice| self.of_slice(slice, &port, protocol))
                .collect();
        }
        let way = Way::by_service(namespace, name, service.headless);
        for (end, _) in &mut found {
            end.way = way;
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let why = Reason::NoBackend(format!("no pod or address is known behind {}", whose()));
        match &service.selector {
            Some(selector) => {
                let id = (namespace.clone(), name.clone());
                let (end, unknown) = self.unseen_behind(&id, Some(selector), why);
                let number = port.on(&end.party);
                Ok(vec![(end, number.or(unknown))])
            }
            None => Err(why),
        }
    }

    /// The pods of a namespace that a Service's selector selects.
    fn selected(&self, namespace: &str, selector: &Selector) -> Vec<End> {
        let own = self.inventory.candidates(namespace, selector);
        let matched: Vec<(Tri, &ObjectKey, u32)> = own
            .map(|(key, id)| {
                let matches = selector.matches(&self.pod(id).labels);
                match key.namespace {
                    Some(_) => (matches, key, id),
                    // It may lie in another namespace.
                    None => (matches.at_most_maybe(), key, id),
                }
            })
            .filter(|(matches, ..)| *matches != Tri::No)
            .collect();
        // Labels that controllers add are not known: those count if nobody else does.
        let best = matched.iter().map(|(matches, ..)| *matches).max();
        matched
            .iter()
            .filter(|(matches, ..)| Some(*matches) == best)
            .map(|(_, key, id)| self.end_of(key, *id))
            .collect()
    }

    /// The pods and addresses behind a Service, whatever its ports.
    pub(crate) fn behind_on_any_port(
        &self,
        id: &(String, String),
        depth: usize,
    ) -> Result<Vec<End>, Reason> {
        let (namespace, name) = id;
        let nobody = || {
            Reason::NoBackend(format!(
                "nothing is known behind service/{namespace}/{name}"
            ))
        };
        let Some(service) = self.inventory.services.get(id) else {
            return Ok(vec![self.unseen_behind(id, None, nobody()).0]);
        };
        if let Some(host) = &service.external_name {
            let depth = depth.checked_sub(1).ok_or_else(|| too_many_aliases(host))?;
            return match alias_target(host) {
                Target::Endpoint(endpoint) => self.ends(&endpoint),
                Target::Service { namespace, name } => {
                    self.behind_on_any_port(&(namespace, name), depth)
                }
            };
        }
        let selected = service.selector.iter();
        let mut found: Vec<End> = selected
            .flat_map(|selector| self.selected(namespace, selector))
            .collect();
        if found.is_empty() {
            let slices = self.inventory.slices(namespace, name).iter();
            let addresses = slices.flat_map(|slice| &slice.addresses);
            found = addresses
                .flat_map(|address| self.ends(&outside(address)).unwrap_or_default())
                .collect();
        }
        let way = Way::by_service(namespace, name, service.headless);
        for end in &mut found {
            end.way = way;
        }
        match &service.selector {
            _ if !found.is_empty() => Ok(found),
            Some(selector) => Ok(vec![self.unseen_behind(id, Some(selector), nobody()).0]),
            None => Err(nobody()),
        }
    }

    fn of_slice(&self, slice: &SliceFields, port: &Port<'_>, protocol: Protocol) -> Vec<Backend> {
        let numbers: Vec<u16> = match port {
            Port::OfPods(number) => vec![*number],
            Port::OfService(service) => slice
                .ports
                .iter()
                .filter(|(name, of, _)| *of == protocol && *name == service.name)
                .filter_map(|(_, _, number)| *number)
                .collect(),
        };
        let mut found = Vec::new();
        for address in &slice.addresses {
            for number in &numbers {
                let ends = self.ends(&outside(address)).unwrap_or_default();
                found.extend(ends.into_iter().map(|end| (end, Ok(*number))));
            }
        }
        found
    }
}

fn too_many_aliases(host: &str) -> Reason {
    Reason::NoBackend(format!("{host} stands for too many Services in a row"))
}

/// What the name that an ExternalName stands for is.
fn alias_target(host: &str) -> Target {
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    match labels[..] {
        [name, namespace, "svc", ..] => Target::Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        _ => Target::Endpoint(outside(host)),
    }
}

/// An address, or the name of a host.
fn outside(text: &str) -> Endpoint {
    match text.parse() {
        Ok(address) => Endpoint::Address(address),
        Err(_) => Endpoint::Host(text.to_owned()),
    }
}

/// A port as pods see it.
enum Port<'a> {
    OfPods(u16),
    OfService(&'a ServicePort),
}

impl Port<'_> {
    fn on(&self, party: &Party) -> Result<u16, Reason> {
        match self {
            Self::OfPods(number) => Ok(*number),
            Self::OfService(service) => match &service.target {
                TargetPort::Number(number) => Ok(*number),
                TargetPort::Name(name) => named_port(party, service.protocol, name),
            },
        }
    }
}

/// The port that a pod gives this name.
fn named_port(party: &Party, protocol: Protocol, name: &str) -> Result<u16, Reason> {
    let unknown = || Reason::NamedPort(name.to_owned());
    let Party::Pod(pod) = party else {
        return Err(unknown());
    };
    let mut known = pod.ports.known.iter();
    let port = known.find(|(known, of, _)| known == name && *of == protocol);
    port.map(|(_, _, number)| *number).ok_or_else(unknown)
}
