//! Questions answered: what the policies about both ends of a connection come to.

use std::borrow::Cow;

use underpin_model::Protocol;

use crate::{
    answer::{Answer, Flow, Trace, Verdict},
    engine::Engine,
    evaluate::{Applicable, Outcome},
    networks::Way,
    party::{Party, Pod},
    policy::Direction,
    ports::Connections,
    profile::Profile,
    question::{Endpoint, Question, Target},
    read::Published,
    reason::Reason,
    resolve::{ALIAS_DEPTH, Backend, End},
    trace,
};

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
                    && self.verdict(other, &forwarded(destination), protocol, number) != verdict
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
                let party = (&other.party, to.way);
                let outcome = self.judge(about, direction, party, scope(), &mut |_| {});
                trace::verdict(&outcome, &scope())
            }
            _ => Verdict::Allowed,
        };
        match direction(to, Direction::Ingress, from) {
            Verdict::Refused => Verdict::Refused,
            ingress => both(ingress, direction(from, Direction::Egress, to)),
        }
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
            let seen = self.flow(&other, &forwarded(to), protocol, port.clone());
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
        self.over_pairs(from, to, |from, to| self.outcome(from, to))
    }

    /// What the policies about one of the ends let pass, whatever those about the other say: those about
    /// the source for egress, those about the destination for ingress.
    pub fn reach_one_way(
        &self,
        from: &Endpoint,
        to: &Endpoint,
        direction: Direction,
    ) -> Result<Outcome, Reason> {
        self.over_pairs(from, to, |from, to| match direction {
            Direction::Egress => self.one_way(from, direction, to, to.way),
            Direction::Ingress => self.one_way(to, direction, from, to.way),
        })
    }

    /// What a judgement of each pair of ends comes to.
    fn over_pairs(
        &self,
        from: &Endpoint,
        to: &Endpoint,
        judge: impl Fn(&End, &End) -> Outcome,
    ) -> Result<Outcome, Reason> {
        let (sources, destinations) = (self.ends(from)?, self.ends(to)?);
        let mut all: Option<Outcome> = None;
        for source in &sources {
            for destination in &destinations {
                let one = judge(source, destination);
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
        let egress = self.one_way(from, Direction::Egress, to, to.way);
        egress.and(&self.one_way(to, Direction::Ingress, from, to.way))
    }

    /// What the policies about an end let pass to or from another.
    fn one_way(&self, end: &End, direction: Direction, other: &End, way: Way) -> Outcome {
        match &end.party {
            Party::Pod(pod) if !end.is_free || direction == Direction::Ingress => {
                let applicable = self.policies_about(end.id, pod, direction);
                let about = (&**pod, &*applicable);
                self.judge(
                    about,
                    direction,
                    (&other.party, way),
                    Connections::all(),
                    &mut |_| {},
                )
            }
            _ => Outcome::all(),
        }
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
                way: to.way,
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
}

/// Whether two ends are one pod. Pods of one workload are several.
fn is_itself(from: &End, to: &End) -> bool {
    from.single.is_some() && from.single == to.single
}

/// The pod behind a Service, for what a node or a load balancer forwards to it: that reaches every network.
fn forwarded(to: &End) -> End {
    End {
        way: Way::EveryNetwork,
        ..to.clone()
    }
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

fn sum_up(mut flows: Vec<Flow>) -> Answer {
    flows.shrink_to_fit();
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
