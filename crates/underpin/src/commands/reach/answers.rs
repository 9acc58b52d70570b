//! The answers to what was asked, pair by pair.

use underpin_connect::{
    Answer, Endpoint, Engine, Flow, Outcome, Question, Reason, Target, Verdict,
};
use underpin_model::{Protocol, wording};

use super::ends::AskedPort;
use crate::error::CommandError;

/// Pairs that one question may mean; beyond these a list serves better.
const PAIRS: usize = 1000;

/// What one pair of ends is told.
pub(crate) struct Told {
    pub(crate) from: Endpoint,
    pub(crate) to: Target,
    pub(crate) reply: Reply,
}

/// The answer for one pair.
pub(crate) enum Reply {
    /// On one port.
    Port(Question, Answer),
    /// On all ports, and what the policies say of them.
    AllPorts(Outcome, Vec<Flow>),
    /// Nothing can be told.
    Nothing(Reason),
}

impl Told {
    /// All in all: of several ports, what holds for each of them.
    pub(crate) fn verdict(&self) -> Verdict {
        match &self.reply {
            Reply::Port(_, answer) => answer.verdict,
            Reply::AllPorts(outcome, _) if outcome.allowed.is_all() => Verdict::Allowed,
            Reply::AllPorts(outcome, _)
                if outcome.allowed.is_empty() && outcome.unknown.is_empty() =>
            {
                Verdict::Refused
            }
            Reply::AllPorts(..) | Reply::Nothing(_) => Verdict::Unknown,
        }
    }
}

/// Asks every pair; of a Service without a port, each of its ports.
pub(super) fn ask(
    engine: &Engine,
    sources: &[Endpoint],
    targets: &[Target],
    port: Option<&AskedPort>,
) -> Result<Vec<Told>, CommandError> {
    if sources.len() * targets.len() > PAIRS {
        return Err(CommandError::usage(
            format!(
                "that means {} and {}: more than {PAIRS} pairs",
                wording::count(sources.len(), "source"),
                wording::count(targets.len(), "destination")
            ),
            "name workloads instead of namespaces, or leave both out and list everybody with \
             --output csv",
        ));
    }
    let mut told = Vec::new();
    for from in sources {
        for to in targets {
            told.extend(pair(engine, from, to, port)?);
        }
    }
    Ok(told)
}

fn pair(
    engine: &Engine,
    from: &Endpoint,
    to: &Target,
    port: Option<&AskedPort>,
) -> Result<Vec<Told>, CommandError> {
    let ports = match (port, to) {
        (Some(port), _) => vec![port.clone()],
        (None, Target::Endpoint(endpoint)) => {
            let reply = on_all_ports(engine, from, endpoint);
            return Ok(vec![told(from, to, reply)]);
        }
        (None, Target::Service { namespace, name }) => {
            let ports = engine.service_ports(namespace, name);
            let ports: Vec<AskedPort> = ports
                .into_iter()
                .map(|(protocol, port)| (protocol, underpin_model::PortRef::Number(port)))
                .collect();
            if ports.is_empty() {
                return Err(CommandError::usage(
                    format!("the ports of {to} are not known"),
                    format!("ask for one, such as {to}:80"),
                ));
            }
            ports
        }
    };
    let asked = ports.into_iter().map(|(protocol, port)| {
        let question = Question {
            from: from.clone(),
            to: to.clone(),
            protocol,
            port,
        };
        let answer = engine.answer(&question);
        told(from, to, Reply::Port(question, answer))
    });
    Ok(asked.collect())
}

fn told(from: &Endpoint, to: &Target, reply: Reply) -> Told {
    Told {
        from: from.clone(),
        to: to.clone(),
        reply,
    }
}

fn on_all_ports(engine: &Engine, from: &Endpoint, to: &Endpoint) -> Reply {
    let outcome = match engine.reach(from, to) {
        Ok(outcome) => outcome,
        Err(reason) => return Reply::Nothing(reason),
    };
    // Policies that name no protocol mean TCP: what they say of it is what is mostly asked.
    match engine.explain(from, to, Protocol::Tcp) {
        Ok(flows) => Reply::AllPorts(outcome, flows),
        Err(reason) => Reply::Nothing(reason),
    }
}
