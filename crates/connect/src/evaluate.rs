//! One direction of a connection, asked of every policy in the order of the tiers.
//!
//! Three answers are possible per port, so two sets are kept: the ports that may turn out allowed
//! and those that may turn out denied. What is in one of them alone is certain.

use crate::{
    labels::Tri,
    policy::{Action, Direction, NamedPorts, PeerId, Policy, Rule, Tier},
    ports::Connections,
};

/// What is allowed between two ends. What is in neither set is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Allowed for certain.
    pub allowed: Connections,
    /// Perhaps allowed.
    pub unknown: Connections,
}

impl Outcome {
    /// Everything is allowed.
    pub fn all() -> Self {
        Self {
            allowed: Connections::all(),
            unknown: Connections::default(),
        }
    }

    /// What passes both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let allowed = self.allowed.and(&other.allowed);
        let possible = |outcome: &Self| {
            let mut possible = outcome.allowed.clone();
            possible.add(&outcome.unknown);
            possible
        };
        let unknown = possible(self).and(&possible(other)).without(&allowed);
        Self { allowed, unknown }
    }

    /// What is certain only if both agree: of two that may each be meant.
    #[must_use]
    pub fn either(&self, other: &Self) -> Self {
        let allowed = self.allowed.and(&other.allowed);
        let mut possible = Connections::default();
        for part in [&self.allowed, &self.unknown, &other.allowed, &other.unknown] {
            possible.add(part);
        }
        Self {
            unknown: possible.without(&allowed),
            allowed,
        }
    }
}

/// The policies that are about a pod in one direction, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Applicable {
    pub(crate) policies: Vec<(u32, Tri)>,
    /// Per tier, whether policies may be missing.
    pub(crate) unread: [bool; 3],
}

impl Applicable {
    /// Whether nothing limits the pod.
    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty() && self.unread == [false; 3]
    }
}

/// What is asked: one direction of a connection.
pub(crate) struct Case<'a> {
    pub(crate) policies: &'a [Policy],
    pub(crate) applicable: &'a Applicable,
    pub(crate) direction: Direction,
    /// Whether a peer is the other end.
    pub(crate) peer: &'a dyn Fn(PeerId) -> Tri,
    /// The ports that the destination names; absent for one that is no pod.
    pub(crate) ports: Option<&'a NamedPorts>,
    /// Whether the other end is the pod's own node.
    pub(crate) own_node: Tri,
    /// Whether the pod is on a network that the other end does not reach.
    pub(crate) isolation: Tri,
}

/// What a policy said, for who wants to know why.
pub(crate) enum Event<'a> {
    /// A policy is about the pod.
    Selects(&'a Policy, Tri),
    /// A rule was asked. `matched` is the first peer that matches best.
    Rule {
        policy: &'a Policy,
        rule: &'a Rule,
        peer: Tri,
        matched: Option<usize>,
        /// The ports of the question that it is about: certainly, and at most.
        certain: Connections,
        possible: Connections,
    },
    /// Policies of one priority disagree.
    SamePriority,
    /// Policies of this tier may be missing.
    Unread(Tier),
    /// The other end is, or may be, the pod's own node.
    OwnNode(Tri),
    /// The pod is, or may be, on a network that the other end does not reach.
    Isolates(Tri),
}

struct State<'e> {
    /// What no tier has decided for certain.
    open: Connections,
    may_allow: Connections,
    may_deny: Connections,
    sink: &'e mut dyn FnMut(Event<'_>),
}

impl Case<'_> {
    /// What of `scope` is allowed.
    pub(crate) fn judge(&self, scope: Connections, sink: &mut dyn FnMut(Event<'_>)) -> Outcome {
        if self.isolation != Tri::No {
            sink(Event::Isolates(self.isolation));
        }
        if self.isolation == Tri::Yes {
            // No policy is asked of what does not arrive.
            return Outcome::default();
        }
        if self.applicable.is_empty() && self.isolation == Tri::No {
            return Outcome {
                allowed: scope,
                unknown: Connections::default(),
            };
        }
        let mut state = State {
            may_allow: Connections::default(),
            may_deny: match self.isolation {
                Tri::No => Connections::default(),
                Tri::Maybe | Tri::Yes => scope.clone(),
            },
            open: scope,
            sink,
        };
        self.ordered_tier(Tier::Admin, &mut state);
        self.network_tier(&mut state);
        self.ordered_tier(Tier::Baseline, &mut state);
        // What nobody has decided is allowed.
        state.may_allow.add(&state.open);
        Outcome {
            allowed: state.may_allow.without(&state.may_deny),
            unknown: state.may_allow.and(&state.may_deny),
        }
    }

    fn of_tier(&self, tier: Tier) -> impl Iterator<Item = (&Policy, Tri)> {
        let policies = self.applicable.policies.iter();
        policies
            .map(|&(index, certainty)| (&self.policies[index as usize], certainty))
            .filter(move |(policy, _)| policy.is_asked_in(tier))
    }

    /// A tier in which the first rule that matches decides.
    fn ordered_tier(&self, tier: Tier, state: &mut State<'_>) {
        let mut passed = Connections::default();
        if self.applicable.unread[tier as usize] {
            (state.sink)(Event::Unread(tier));
            state.may_allow.add(&state.open);
            state.may_deny.add(&state.open);
            passed.add(&state.open);
        }
        let mut policies: Vec<(&Policy, Tri)> = self.of_tier(tier).collect();
        // One whose tier is not known stands among those of another tier.
        policies.sort_by_key(|(policy, _)| policy.priority);
        for same in policies.chunk_by(|a, b| a.0.priority == b.0.priority) {
            if state.open.is_empty() {
                break;
            }
            self.same_priority(same, &mut passed, state);
        }
        state.open.add(&passed);
    }

    /// Policies of one priority: where several of them match, any may count.
    fn same_priority(
        &self,
        policies: &[(&Policy, Tri)],
        passed: &mut Connections,
        state: &mut State<'_>,
    ) {
        let incoming = state.open.clone();
        let mut decided = Connections::default();
        let mut verdicts: [Connections; 3] = Default::default();
        for &(policy, certainty) in policies {
            (state.sink)(Event::Selects(policy, certainty));
            let mut open = incoming.clone();
            let mut own: [Connections; 3] = Default::default();
            for rule in policy.rules(self.direction).unwrap_or_default() {
                let (peer, reach) = self.ask(policy, rule, &open, state);
                own[rule.action as usize].add(&reach.1);
                if peer.and(certainty) == Tri::Yes {
                    open = open.without(&reach.0);
                    decided.add(&reach.0);
                }
            }
            let others = |action: usize| {
                let mut others = Connections::default();
                for (_, set) in verdicts.iter().enumerate().filter(|(at, _)| *at != action) {
                    others.add(set);
                }
                others
            };
            if (0..3).any(|action| !own[action].and(&others(action)).is_empty()) {
                (state.sink)(Event::SamePriority);
            }
            for (all, set) in verdicts.iter_mut().zip(&own) {
                all.add(set);
            }
        }
        state.may_allow.add(&verdicts[Action::Allow as usize]);
        state.may_deny.add(&verdicts[Action::Deny as usize]);
        passed.add(&verdicts[Action::Pass as usize]);
        state.open = incoming.without(&decided);
    }

    /// NetworkPolicies: who is selected by one is isolated but for what any of them allows.
    fn network_tier(&self, state: &mut State<'_>) {
        if state.open.is_empty() {
            return;
        }
        let mut isolated = false;
        let mut certain = Connections::default();
        let mut possible = Connections::default();
        // What every policy allows that perhaps counts: denied by none of them.
        let mut by_each: Option<Connections> = None;
        for (policy, certainty) in self.of_tier(Tier::Network) {
            (state.sink)(Event::Selects(policy, certainty));
            let mut own = Connections::default();
            for rule in policy.rules(self.direction).unwrap_or_default() {
                let open = state.open.clone();
                let (peer, reach) = self.ask(policy, rule, &open, state);
                possible.add(&reach.1);
                if peer == Tri::Yes {
                    own.add(&reach.0);
                }
            }
            if certainty == Tri::Yes {
                isolated = true;
                certain.add(&own);
            } else {
                by_each = Some(by_each.map_or(own.clone(), |each| each.and(&own)));
            }
        }
        if self.applicable.unread[Tier::Network as usize] {
            (state.sink)(Event::Unread(Tier::Network));
            possible.add(&state.open);
            by_each = Some(Connections::default());
        }
        if !isolated && by_each.is_none() {
            return;
        }
        if self.own_node != Tri::No {
            (state.sink)(Event::OwnNode(self.own_node));
            state.may_allow.add(&state.open);
            if self.own_node == Tri::Yes {
                state.open = Connections::default();
                return;
            }
        }
        state.may_allow.add(&possible.and(&state.open));
        if isolated {
            state.may_deny.add(&state.open.without(&certain));
            state.open = Connections::default();
        } else if let Some(each) = by_each {
            state.may_deny.add(&state.open.without(&each));
        }
    }

    /// Asks one rule: how well its peers match, and what it is about of `open`.
    fn ask(
        &self,
        policy: &Policy,
        rule: &Rule,
        open: &Connections,
        state: &mut State<'_>,
    ) -> (Tri, (Connections, Connections)) {
        let (peer, matched) = self.best_peer(rule);
        let (certain, possible) = if peer == Tri::No {
            Default::default()
        } else {
            let reach = rule.reach(self.ports);
            (reach.certain.and(open), reach.possible.and(open))
        };
        (state.sink)(Event::Rule {
            policy,
            rule,
            peer,
            matched,
            certain: certain.clone(),
            possible: possible.clone(),
        });
        (peer, (certain, possible))
    }

    /// How well the peers of a rule match, and the first that matches so.
    fn best_peer(&self, rule: &Rule) -> (Tri, Option<usize>) {
        let Some(peers) = &rule.peers else {
            return (Tri::Yes, None);
        };
        let mut best = (Tri::No, None);
        for (index, id) in peers.iter().enumerate() {
            let answer = (self.peer)(*id);
            if answer > best.0 {
                best = (answer, Some(index));
            }
            if answer == Tri::Yes {
                break;
            }
        }
        best
    }
}
