//! One direction of one connection, with what every policy said.

use underpin_model::{FieldPath, Protocol};

use crate::{
    answer::{Effect, Line, Trace, Verdict},
    difference::{Difference, peer_difference, port_difference},
    engine::Engine,
    evaluate::{Applicable, Event, Outcome},
    labels::Tri,
    matching::Matcher,
    networks::Way,
    party::{Party, Pod},
    policy::{Action, Direction, NamedPorts, Policy, PortEntry, Rule},
    ports::Connections,
    reason::Reason,
};

/// The connection that is traced, seen from one of its ends.
pub(crate) struct Traced<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) applicable: &'a Applicable,
    pub(crate) direction: Direction,
    pub(crate) other: &'a Party,
    pub(crate) way: Way,
    pub(crate) protocol: Protocol,
    /// The port; absent where it is not known, and all of the protocol are asked about.
    pub(crate) port: Option<u16>,
}

impl Engine {
    pub(crate) fn trace(&self, traced: &Traced<'_>) -> Trace {
        let scope = traced.scope();
        let mut recorder = Recorder {
            engine: self,
            traced,
            lines: Vec::new(),
            reasons: Vec::new(),
        };
        let outcome = self.judge(
            (traced.pod, traced.applicable),
            traced.direction,
            (traced.other, traced.way),
            scope,
            &mut |event| recorder.record(event),
        );
        let Recorder {
            mut lines,
            mut reasons,
            ..
        } = recorder;
        // Answers are kept by the ten thousand.
        lines.shrink_to_fit();
        let verdict = verdict(&outcome, &traced.scope());
        reasons.sort();
        reasons.dedup();
        if verdict != Verdict::Unknown {
            reasons.clear();
        }
        Trace {
            direction: traced.direction,
            verdict,
            lines,
            reasons,
        }
    }
}

impl Traced<'_> {
    fn scope(&self) -> Connections {
        match self.port {
            Some(port) => Connections::port(self.protocol, port),
            None => Connections::of(self.protocol),
        }
    }
}

/// The verdict on a question about ports that must all fare alike.
pub(crate) fn verdict(outcome: &Outcome, scope: &Connections) -> Verdict {
    if outcome.allowed == *scope {
        Verdict::Allowed
    } else if outcome.allowed.is_empty() && outcome.unknown.is_empty() {
        Verdict::Refused
    } else {
        Verdict::Unknown
    }
}

struct Recorder<'a> {
    engine: &'a Engine,
    traced: &'a Traced<'a>,
    lines: Vec<Line>,
    reasons: Vec<Reason>,
}

impl Recorder<'_> {
    fn record(&mut self, event: Event<'_>) {
        match event {
            Event::Selects(policy, certainty) => self.selects(policy, certainty),
            Event::Rule {
                policy,
                rule,
                peer,
                matched,
                certain,
                possible,
            } => self.rule(policy, rule, (peer, matched), (&certain, &possible)),
            Event::SamePriority => self.reasons.push(Reason::SamePriority),
            Event::Unread(tier) => {
                let reason = self.engine.why_unread(tier, self.traced.pod);
                self.reasons.push(reason);
            }
            Event::OwnNode(Tri::Maybe) => self.reasons.push(Reason::OwnNode),
            Event::OwnNode(_) => {}
            Event::Isolates(certainty) => self.isolates(certainty),
        }
    }

    fn isolates(&mut self, certainty: Tri) {
        let Traced {
            pod,
            direction,
            other,
            way,
            ..
        } = *self.traced;
        let isolation = self.engine.isolation(pod, direction, other, way);
        let networks = &self.engine.inventory.primary;
        self.reasons.extend(networks.why(&isolation, pod));
        let Some(own) = networks.get(&pod.network) else {
            return;
        };
        let (effect, words) = match certainty {
            Tri::Yes => (
                Effect::Isolates,
                format!("the other end is on {}", networks.whose(other)),
            ),
            Tri::Maybe | Tri::No => (
                Effect::MayIsolate,
                "whether the other end reaches it is not known".to_owned(),
            ),
        };
        let note = format!("is the pod's primary network, and {words}");
        self.lines.push(Line {
            evidence: own.object.evidence(own.role.clone(), note),
            tier: None,
            effect,
            rule: None,
            peer: None,
            port: None,
            difference: None,
        });
    }

    fn selects(&mut self, policy: &Policy, certainty: Tri) {
        let effect = if certainty == Tri::Yes {
            Effect::Selects
        } else {
            let reason = Matcher::why_subject(policy, self.traced.direction, self.traced.pod);
            self.reasons.push(reason);
            Effect::MaySelect
        };
        let field = match policy.object.at("/spec/podSelector") {
            Some(_) => "podSelector",
            None => "subject",
        };
        let path = FieldPath::new("spec").key(field);
        self.line(policy, effect, path, (None, None, None));
    }

    fn rule(
        &mut self,
        policy: &Policy,
        rule: &Rule,
        (peer, matched): (Tri, Option<usize>),
        (certain, possible): (&Connections, &Connections),
    ) {
        let direction = self.traced.direction;
        let path = Policy::rule_path(direction, rule.index);
        let at = |peer, port| (Some(rule.index), peer, port);
        if peer == Tri::No {
            self.line(policy, Effect::PeerDiffers, path, at(None, None));
            let peers = &self.engine.peers;
            let differs = peer_difference(peers, policy, rule, direction, self.traced.other);
            return self.differs(differs);
        }
        if possible.is_empty() {
            self.line(policy, Effect::PortDiffers, path, at(matched, None));
            let about = rule.reach(self.named_ports()).certain;
            return self.differs(Some(port_difference(policy, rule, direction, &about)));
        }
        let is_certain = peer == Tri::Yes && !certain.is_empty();
        if peer == Tri::Maybe {
            self.why_peer(policy, rule, matched);
        }
        if certain.is_empty() {
            self.why_port(policy, rule);
        }
        let effect = match (rule.action, is_certain) {
            (Action::Allow, true) => Effect::Allows,
            (Action::Allow, false) => Effect::MayAllow,
            (Action::Deny, true) => Effect::Denies,
            (Action::Deny, false) => Effect::MayDeny,
            (Action::Pass, true) => Effect::Passes,
            (Action::Pass, false) => Effect::MayPass,
        };
        let path = match (matched, self.port_index(rule)) {
            (Some(peer), _) => Policy::peer_path(direction, rule.index, peer),
            (None, Some(port)) => policy.port_path(direction, rule.index, port),
            (None, None) => path,
        };
        let port = self.port_index(rule);
        self.line(policy, effect, path, at(matched, port));
    }

    fn why_peer(&mut self, policy: &Policy, rule: &Rule, matched: Option<usize>) {
        let peers = rule.peers.as_deref().unwrap_or_default();
        if let Some(id) = matched.and_then(|at| peers.get(at)) {
            let peer = self.engine.peers.get(*id);
            self.reasons
                .push(Matcher::why_peer(policy, peer, self.traced.other));
        }
    }

    fn why_port(&mut self, policy: &Policy, rule: &Rule) {
        let entries = rule.ports.iter().flatten();
        self.reasons.extend(entries.filter_map(|entry| match entry {
            PortEntry::Named(_, name) => Some(Reason::NamedPort(name.clone())),
            PortEntry::Unknown(gap, _) => Some(gap.reason(&policy.object.key)),
            PortEntry::Numbers(_) => None,
        }));
    }

    /// The ports that the destination names.
    fn named_ports(&self) -> Option<&NamedPorts> {
        match (self.traced.direction, self.traced.other) {
            (Direction::Ingress, _) => Some(&self.traced.pod.ports),
            (Direction::Egress, Party::Pod(pod)) => Some(&pod.ports),
            (Direction::Egress, _) => None,
        }
    }

    /// Tells of the last line what its rule is about instead.
    fn differs(&mut self, difference: Option<Difference>) {
        if let Some(line) = self.lines.last_mut() {
            line.difference = difference.map(Box::new);
        }
    }

    /// The first of the rule's ports that the connection's may be.
    fn port_index(&self, rule: &Rule) -> Option<usize> {
        let named = self.named_ports();
        rule.ports.as_ref()?.iter().position(|entry| {
            let (_, possible) = entry.reach(named);
            !possible.and(&self.traced.scope()).is_empty()
        })
    }

    fn line(
        &mut self,
        policy: &Policy,
        effect: Effect,
        path: FieldPath,
        (rule, peer, port): (Option<usize>, Option<usize>, Option<usize>),
    ) {
        let name = rule
            .and_then(|at| {
                let rules = policy.rules(self.traced.direction)?;
                let rule = rules.iter().find(|rule| rule.index == at)?;
                rule.name.as_deref()
            })
            .map(|name| format!("rule {name} "))
            .unwrap_or_default();
        let isolates = match effect {
            Effect::Selects if policy.tier == crate::policy::Tier::Network => {
                format!(
                    ": only what a policy allows may pass its {}",
                    self.traced.direction
                )
            }
            _ => String::new(),
        };
        self.lines.push(Line {
            evidence: policy
                .object
                .evidence(path, format!("{name}{effect}{isolates}")),
            tier: Some(policy.tier),
            effect,
            rule,
            peer,
            port,
            difference: None,
        });
    }
}
