//! From names to pods: what a question's ends are, and what answers behind a Service.

use std::{borrow::Cow, sync::Arc};

use underpin_model::{ObjectKey, PortRef, Protocol};

use crate::{
    answer::{Answer, Flow, Trace, Verdict},
    engine::Engine,
    evaluate::{Applicable, Outcome},
    labels::{Labels, Selector, Tri},
    party::{Node, Party, Pod},
    policy::Direction,
    ports::Connections,
    profile::Profile,
    question::{Endpoint, Question, Target},
    read::{Published, ServiceFields, ServicePort, SliceFields, TargetPort},
    reason::Reason,
    trace,
};

/// How many Services may stand for one another by name.
const ALIAS_DEPTH: usize = 4;

/// One end, resolved.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) party: Party,
    /// The pod of the world, where it is one.
    id: Option<u32>,
    /// Whose it is, for people.
    name: String,
    /// The pod of the world that it is, if that is a single one.
    single: Option<ObjectKey>,
    /// Whether nothing is known that limits what it sends.
    is_free: bool,
}

/// An end with the port it is asked on, or why there is none.
type Backend = (End, Result<u16, Reason>);

impl Engine {
    /// Whether a new connection is allowed, with what every policy says of it.
    pub fn answer(&self, question: &Question) -> Answer {
        let to = self.backends(&question.to, question.protocol, &question.port, ALIAS_DEPTH);
        self.answer_to(&question.from, &question.to, to, question.protocol)
    }

    /// As [`Self::answer`], with one connection of each verdict that there is instead of one per pair
    /// of pods: enough to bear it out, and cheap where there are many.
    pub fn brief_answer(&self, question: &Question) -> Answer {
        let to = self.backends(&question.to, question.protocol, &question.port, ALIAS_DEPTH);
        self.brief_answer_to(&question.from, &question.to, to, question.protocol)
    }

    /// Whether a new connection is allowed on every port of a protocol, or on none: for what has
    /// ports that nothing tells. With one connection of each verdict that there is.
    pub fn answer_on_any_port(&self, from: &Endpoint, to: &Target, protocol: Protocol) -> Answer {
        let unknown = || Reason::NoBackend(format!("which port of {to} is meant is not known"));
        let ends = match to {
            Target::Endpoint(endpoint) => self.ends(endpoint),
            Target::Service { namespace, name } => {
                self.behind_on_any_port(&(namespace.clone(), name.clone()), ALIAS_DEPTH)
            }
        };
        let ends = ends.map(|ends| {
            let ends = ends.into_iter();
            ends.map(|end| (end, Err(unknown()))).collect()
        });
        self.brief_answer_to(from, to, ends, protocol)
    }

    fn brief_answer_to(
        &self,
        from: &Endpoint,
        target: &Target,
        backends: Result<Vec<Backend>, Reason>,
        protocol: Protocol,
    ) -> Answer {
        let (from, to) = match (self.ends(from), backends) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(reason), _) | (_, Err(reason)) => return unknown_because(reason),
        };
        let mut seen: Vec<Verdict> = Vec::new();
        let mut flows = Vec::new();
        for source in &from {
            let seen_as = self.rewrites_source(source, target);
            for (destination, port) in &to {
                let number = port.as_ref().ok().copied();
                let mut verdict = self.verdict(source, destination, protocol, number);
                if let Some((_, other)) = &seen_as
                    && self.verdict(other, destination, protocol, number) != verdict
                {
                    verdict = Verdict::Unknown;
                }
                if !seen.contains(&verdict) {
                    seen.push(verdict);
                    flows.push(self.flow_to(target, source, destination, protocol, port));
                }
            }
        }
        sum_up(flows)
    }

    /// What both directions of one connection come to.
    fn verdict(&self, from: &End, to: &End, protocol: Protocol, port: Option<u16>) -> Verdict {
        if is_itself(from, to) {
            return Verdict::Allowed;
        }
        let scope = || match port {
            Some(port) => Connections::port(protocol, port),
            None => Connections::of(protocol),
        };
        let direction = |end: &End, direction, other: &End| match &end.party {
            Party::Pod(pod) if !end.is_free || direction == Direction::Ingress => {
                let applicable = self.policies_about(end.id, pod, direction);
                let about = (&**pod, &*applicable);
                let outcome = self.judge(about, direction, &other.party, scope(), &mut |_| {});
                trace::verdict(&outcome, &scope())
            }
            _ => Verdict::Allowed,
        };
        match direction(to, Direction::Ingress, from) {
            Verdict::Refused => Verdict::Refused,
            ingress => both(ingress, direction(from, Direction::Egress, to)),
        }
    }

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

    fn answer_to(
        &self,
        from: &Endpoint,
        target: &Target,
        backends: Result<Vec<Backend>, Reason>,
        protocol: Protocol,
    ) -> Answer {
        let (from, to) = match (self.ends(from), backends) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(reason), _) | (_, Err(reason)) => return unknown_because(reason),
        };
        let mut flows = Vec::new();
        for source in &from {
            for (destination, port) in &to {
                flows.push(self.flow_to(target, source, destination, protocol, port));
            }
        }
        sum_up(flows)
    }

    /// One connection by way of what it goes to.
    fn flow_to(
        &self,
        target: &Target,
        from: &End,
        to: &End,
        protocol: Protocol,
        port: &Result<u16, Reason>,
    ) -> Flow {
        let mut flow = self.flow(from, to, protocol, port.clone());
        if let Some((reason, other)) = self.rewrites_source(from, target) {
            let seen = self.flow(&other, to, protocol, port.clone());
            if seen.verdict != flow.verdict {
                flow.verdict = Verdict::Unknown;
                flow.ingress.reasons.push(reason);
            }
        }
        flow
    }

    /// Who else a Service's pods may see in place of a client from outside, and why: nodes and load
    /// balancers that forward a connection may put their own address there.
    fn rewrites_source(&self, source: &End, to: &Target) -> Option<(Reason, End)> {
        let (Party::Range(_) | Party::Name(_), Target::Service { namespace, name }) =
            (&source.party, to)
        else {
            return None;
        };
        let id = (namespace.clone(), name.clone());
        let published = self.inventory.services.get(&id)?.published;
        let party = match published.filter(|_| self.profile == Profile::Documented)? {
            Published::ItsNode => return None,
            // Of no name that a node has.
            Published::AnyNode => Party::Node(self.node("")),
            Published::Balancer => Party::Name(String::new()),
        };
        let why = Reason::SourceAddress(format!("service/{namespace}/{name}"));
        let end = End {
            party,
            ..source.clone()
        };
        Some((why, end))
    }

    /// What is allowed between two ends, over all ports.
    pub fn reach(&self, from: &Endpoint, to: &Endpoint) -> Result<Outcome, Reason> {
        let (sources, destinations) = (self.ends(from)?, self.ends(to)?);
        let mut all: Option<Outcome> = None;
        for source in &sources {
            for destination in &destinations {
                let one = self.outcome(source, destination);
                all = Some(match all {
                    Some(all) => all.either(&one),
                    None => one,
                });
            }
        }
        Ok(all.unwrap_or_default())
    }

    fn outcome(&self, from: &End, to: &End) -> Outcome {
        if is_itself(from, to) {
            return Outcome::all();
        }
        let direction = |end: &End, direction, other: &End| match &end.party {
            Party::Pod(pod) if !end.is_free || direction == Direction::Ingress => {
                let applicable = self.policies_about(end.id, pod, direction);
                self.judge(
                    (pod, &applicable),
                    direction,
                    &other.party,
                    Connections::all(),
                    &mut |_| {},
                )
            }
            _ => Outcome::all(),
        };
        direction(from, Direction::Egress, to).and(&direction(to, Direction::Ingress, from))
    }

    fn flow(&self, from: &End, to: &End, protocol: Protocol, asked: Result<u16, Reason>) -> Flow {
        let mut flow = self.traced_flow(from, to, protocol, asked.as_ref().ok().copied());
        if let (Verdict::Unknown, Err(reason)) = (flow.verdict, asked) {
            flow.ingress.reasons.push(reason);
        }
        flow
    }

    /// One connection; without a port, all of the protocol.
    pub(crate) fn traced_flow(
        &self,
        from: &End,
        to: &End,
        protocol: Protocol,
        port: Option<u16>,
    ) -> Flow {
        let is_itself = is_itself(from, to);
        let traced = |end: &End, direction, other: &End| {
            let unlimited = Trace {
                direction,
                verdict: Verdict::Allowed,
                lines: Vec::new(),
                reasons: Vec::new(),
            };
            let (Party::Pod(pod), false) = (&end.party, is_itself) else {
                return unlimited;
            };
            if end.is_free && direction == Direction::Egress {
                return unlimited;
            }
            let applicable = self.policies_about(end.id, pod, direction);
            self.trace(&trace::Traced {
                pod,
                applicable: &applicable,
                direction,
                other: &other.party,
                protocol,
                port,
            })
        };
        let egress = traced(from, Direction::Egress, to);
        let ingress = traced(to, Direction::Ingress, from);
        let verdict = both(egress.verdict, ingress.verdict);
        Flow {
            from: from.name.clone(),
            to: to.name.clone(),
            protocol,
            port,
            verdict,
            is_itself,
            egress,
            ingress,
        }
    }

    fn policies_about(
        &self,
        id: Option<u32>,
        pod: &Pod,
        direction: Direction,
    ) -> Cow<'_, Applicable> {
        match id {
            Some(id) => Cow::Borrowed(self.group(id, direction)),
            None => Cow::Owned(self.applicable(pod, direction)),
        }
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
            Endpoint::Address(address) => match self.inventory.with_address(*address) {
                Some((key, id)) => vec![self.end_of(key, *id)],
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
        }
    }

    /// A node of the world, or one of which its name alone is known.
    fn node(&self, name: &str) -> Arc<Node> {
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
    fn backends(
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
    fn behind_on_any_port(&self, id: &(String, String), depth: usize) -> Result<Vec<End>, Reason> {
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

/// Whether two ends are one pod. Pods of one workload are several.
fn is_itself(from: &End, to: &End) -> bool {
    from.single.is_some() && from.single == to.single
}

/// What the verdicts of both directions come to.
fn both(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Refused, _) | (_, Verdict::Refused) => Verdict::Refused,
        (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
        (Verdict::Allowed, Verdict::Allowed) => Verdict::Allowed,
    }
}

fn unknown_because(reason: Reason) -> Answer {
    Answer {
        verdict: Verdict::Unknown,
        reasons: vec![reason],
        flows: Vec::new(),
    }
}

fn sum_up(flows: Vec<Flow>) -> Answer {
    let has = |verdict| flows.iter().any(|flow| flow.verdict == verdict);
    let verdict = match (
        has(Verdict::Allowed),
        has(Verdict::Refused),
        has(Verdict::Unknown),
    ) {
        (true, false, false) => Verdict::Allowed,
        (false, true, false) => Verdict::Refused,
        _ => Verdict::Unknown,
    };
    let mut reasons = Vec::new();
    if verdict == Verdict::Unknown {
        for flow in flows.iter().filter(|flow| flow.verdict == Verdict::Unknown) {
            reasons.extend_from_slice(&flow.egress.reasons);
            reasons.extend_from_slice(&flow.ingress.reasons);
        }
        if has(Verdict::Allowed) && has(Verdict::Refused) {
            reasons.push(Reason::BackendsDiffer);
        }
        reasons.sort();
        reasons.dedup();
    }
    Answer {
        verdict,
        reasons,
        flows,
    }
}
