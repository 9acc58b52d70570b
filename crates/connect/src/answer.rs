//! Answers, with what each policy said.

use std::fmt;

use underpin_model::{Evidence, Protocol};

use crate::{
    difference::Difference,
    policy::{Direction, Tier},
    reason::Reason,
};

/// Whether a new connection is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// It is not.
    Refused,
    /// That cannot be told; the answer says why.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        })
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// All in all.
    pub verdict: Verdict,
    /// Why it is unknown; empty otherwise.
    pub reasons: Vec<Reason>,
    /// One per pair of pods that differ: those behind a Service, and those of a workload.
    pub flows: Vec<Flow>,
}

/// One connection from pod to pod, or to an address, on the port that the pod sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Who connects.
    pub from: String,
    /// To whom.
    pub to: String,
    /// Over which protocol.
    pub protocol: Protocol,
    /// To which port; absent where the destination names none such.
    pub port: Option<u16>,
    /// What both directions come to.
    pub verdict: Verdict,
    /// Whether one of the pods is the other: a pod always reaches itself.
    pub is_itself: bool,
    /// What the policies about the source say.
    pub egress: Trace,
    /// What the policies about the destination say.
    pub ingress: Trace,
}

/// What the policies about one end say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Which way.
    pub direction: Direction,
    /// What they come to. Allowed without a line when no policy is about that end.
    pub verdict: Verdict,
    /// What each of them said, in the order in which they are asked.
    pub lines: Vec<Line>,
    /// Why it is unknown; empty otherwise.
    pub reasons: Vec<Reason>,
}

/// What one policy, one of its rules, or the network that the pod is on, said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The policy, its field, and where that is written: the peer that matched, else the rule.
    pub evidence: Evidence,
    /// The policy's tier; absent where a network speaks, which comes before all policies.
    pub tier: Option<Tier>,
    /// What it did.
    pub effect: Effect,
    /// Which rule, from 0; absent where the policy as a whole speaks.
    pub rule: Option<usize>,
    /// Which of the rule's peers matched.
    pub peer: Option<usize>,
    /// Which of the rule's ports matched.
    pub port: Option<usize>,
    /// Of a rule that is about others or about other ports, what it is about.
    pub difference: Option<Box<Difference>>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.evidence)
    }
}

/// What a policy or a rule does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The policy is about the pod: of a NetworkPolicy, only what is allowed passes.
    Selects,
    /// The policy is perhaps about the pod.
    MaySelect,
    /// The rule allows it.
    Allows,
    /// The rule allows it, if it is about it.
    MayAllow,
    /// The rule denies it.
    Denies,
    /// The rule denies it, if it is about it.
    MayDeny,
    /// The rule leaves it to the next tier.
    Passes,
    /// The rule leaves it to the next tier, if it is about it.
    MayPass,
    /// The rule is about others.
    PeerDiffers,
    /// The rule is about other ports.
    PortDiffers,
    /// The pod is on this network, and the other end is not.
    Isolates,
    /// The pod is on this network, and the other end perhaps is not.
    MayIsolate,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Selects => "is about the pod",
            Self::MaySelect => "may be about the pod",
            Self::Allows => "allows it",
            Self::MayAllow => "may allow it",
            Self::Denies => "denies it",
            Self::MayDeny => "may deny it",
            Self::Passes => "leaves it to the next tier",
            Self::MayPass => "may leave it to the next tier",
            Self::PeerDiffers => "is about others",
            Self::PortDiffers => "is about other ports",
            Self::Isolates => "keeps the pod from other networks",
            Self::MayIsolate => "may keep the pod from the other end",
        })
    }
}
