//! What a need asks: one question per workload that may be meant and per port that may be.

use underpin_connect::{Answer, Endpoint, Engine, Question, Target};
use underpin_model::{Consumer, Need, PortRef, Protocol, Supplier};

/// One question; without a port where nothing tells which it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) from: Endpoint,
    pub(super) to: Target,
    pub(super) protocol: Protocol,
    pub(super) port: Option<PortRef>,
}

impl Asked {
    pub(super) fn answer(&self, engine: &Engine) -> Answer {
        match &self.port {
            Some(port) => engine.brief_answer(&Question {
                from: self.from.clone(),
                to: self.to.clone(),
                protocol: self.protocol,
                port: port.clone(),
            }),
            None => engine.answer_on_any_port(&self.from, &self.to, self.protocol),
        }
    }
}

/// The questions of a need: per workload that may connect, one per port that may be meant.
pub(super) fn questions(engine: &Engine, need: &Need) -> Vec<Vec<Asked>> {
    let to = target(engine, &need.to);
    let ports = ports(engine, need);
    let of = |from: Endpoint| {
        let ports = ports.iter();
        let asked = ports.map(|(protocol, port)| Asked {
            from: from.clone(),
            to: to.clone(),
            protocol: *protocol,
            port: port.clone(),
        });
        asked.collect()
    };
    sources(engine, &need.from).into_iter().map(of).collect()
}

/// Who may be meant by a consumer. Of what the world does not hold, the namespace is known.
fn sources(engine: &Engine, consumer: &Consumer) -> Vec<Endpoint> {
    match consumer {
        Consumer::Workload(key) if engine.knows(key) => vec![Endpoint::Workload(key.clone())],
        Consumer::Workload(key) => vec![unseen(underpin_refs::namespace_of(key))],
        Consumer::Named { namespace, name } => {
            let own = engine.workloads_in(namespace);
            or_unseen(own.filter(|key| key.name == *name), namespace)
        }
        Consumer::Namespace(namespace) => or_unseen(engine.workloads_in(namespace), namespace),
        Consumer::IngressController => vec![Endpoint::IngressController],
        Consumer::ApiServer => vec![Endpoint::ApiServer],
        Consumer::Address(address) => vec![Endpoint::Address(*address)],
    }
}

fn or_unseen<'a>(
    known: impl Iterator<Item = &'a underpin_model::ObjectKey>,
    namespace: &str,
) -> Vec<Endpoint> {
    let known: Vec<Endpoint> = known.cloned().map(Endpoint::Workload).collect();
    if known.is_empty() {
        vec![unseen(namespace)]
    } else {
        known
    }
}

/// Pods that the world does not hold.
fn unseen(namespace: &str) -> Endpoint {
    Endpoint::Pods {
        namespace: namespace.to_owned(),
        labels: None,
    }
}

fn target(engine: &Engine, supplier: &Supplier) -> Target {
    Target::Endpoint(match supplier {
        Supplier::Service { namespace, name } => {
            return Target::Service {
                namespace: namespace.clone(),
                name: name.clone(),
            };
        }
        Supplier::Workload(key) if engine.knows(key) => Endpoint::Workload(key.clone()),
        Supplier::Workload(key) => unseen(underpin_refs::namespace_of(key)),
        Supplier::Host(name) => Endpoint::Host(name.clone()),
        Supplier::Address(address) => Endpoint::Address(*address),
    })
}

/// The ports that may be meant: the one named, else each that the Service declares.
fn ports(engine: &Engine, need: &Need) -> Vec<(Protocol, Option<PortRef>)> {
    if need.port.is_some() {
        return vec![(need.protocol, need.port.clone())];
    }
    let declared = match &need.to {
        Supplier::Service { namespace, name } => engine.service_ports(namespace, name),
        _ => Vec::new(),
    };
    if declared.is_empty() {
        return vec![(need.protocol, None)];
    }
    let declared = declared.into_iter();
    declared
        .map(|(protocol, port)| (protocol, Some(PortRef::Number(port))))
        .collect()
}
