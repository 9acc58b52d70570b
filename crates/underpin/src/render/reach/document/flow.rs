//! What the policies say of one connection, line by line.

use schemars::JsonSchema;
use serde::Serialize;
use underpin_connect::{Difference, Effect, Flow, Line, Tier, Trace, Verdict};

use super::reasons;
use crate::render::documents::EvidenceDocument;

/// Whether a connection is allowed.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum VerdictDocument {
    /// It is.
    Allowed,
    /// It is not.
    Refused,
    /// That cannot be told, or depends on what was left open.
    Unknown,
}

/// A connection from pod to pod, or to an address.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FlowDocument {
    /// Who connects.
    from: String,
    /// To whom.
    to: String,
    /// Over which protocol.
    protocol: String,
    /// To which port, as the pod sees it; null where that is not known, and all were asked about.
    port: Option<u16>,
    /// What both directions come to.
    verdict: VerdictDocument,
    /// What the policies about the source say.
    egress: TraceDocument,
    /// What the policies about the destination say.
    ingress: TraceDocument,
}

/// What the policies about one end say.
#[derive(Serialize, JsonSchema)]
struct TraceDocument {
    /// What they come to.
    verdict: VerdictDocument,
    /// Why it is unknown.
    reasons: Vec<String>,
    /// What each of them says, in the order in which they are asked.
    lines: Vec<LineDocument>,
}

/// What a policy, one of its rules, or the network that the pod is on, says.
#[derive(Serialize, JsonSchema)]
struct LineDocument {
    /// The policy, its field, and where that is written.
    #[serde(flatten)]
    evidence: EvidenceDocument,
    /// The tier of the policy; null where the network that the pod is on speaks, before all policies.
    tier: Option<TierDocument>,
    /// What it does.
    effect: EffectDocument,
    /// Which rule, from 0; null where the policy as a whole speaks.
    rule: Option<usize>,
    /// Which of the rule's peers, from 0.
    peer: Option<usize>,
    /// Which of the rule's ports, from 0.
    port: Option<usize>,
    /// Of a rule that is about others, what it is about.
    miss: Option<MissDocument>,
}

/// What a rule is about instead.
#[derive(Serialize, JsonSchema)]
struct MissDocument {
    /// The field that differs, and in its note how.
    #[serde(flatten)]
    evidence: EvidenceDocument,
    /// How much differs: the least comes nearest.
    unmet: usize,
}

/// A tier of policies.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum TierDocument {
    /// AdminNetworkPolicy, and ClusterNetworkPolicy of tier Admin.
    Admin,
    /// NetworkPolicy.
    Network,
    /// BaselineAdminNetworkPolicy, and ClusterNetworkPolicy of tier Baseline.
    Baseline,
}

/// What a policy or a rule does with a connection.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum EffectDocument {
    /// The policy is about the pod.
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

impl From<Verdict> for VerdictDocument {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allowed => Self::Allowed,
            Verdict::Refused => Self::Refused,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl From<&Flow> for FlowDocument {
    fn from(flow: &Flow) -> Self {
        Self {
            from: flow.from.clone(),
            to: flow.to.clone(),
            protocol: flow.protocol.to_string(),
            port: flow.port,
            verdict: flow.verdict.into(),
            egress: (&flow.egress).into(),
            ingress: (&flow.ingress).into(),
        }
    }
}

impl From<&Trace> for TraceDocument {
    fn from(trace: &Trace) -> Self {
        Self {
            verdict: trace.verdict.into(),
            reasons: reasons(&trace.reasons),
            lines: trace.lines.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Line> for LineDocument {
    fn from(line: &Line) -> Self {
        Self {
            evidence: (&line.evidence).into(),
            tier: line.tier.map(|tier| match tier {
                Tier::Admin => TierDocument::Admin,
                Tier::Network => TierDocument::Network,
                Tier::Baseline => TierDocument::Baseline,
            }),
            effect: line.effect.into(),
            rule: line.rule,
            peer: line.peer,
            port: line.port,
            miss: line.difference.as_deref().map(Into::into),
        }
    }
}

impl From<&Difference> for MissDocument {
    fn from(difference: &Difference) -> Self {
        Self {
            evidence: (&difference.evidence).into(),
            unmet: difference.unmet,
        }
    }
}

impl From<Effect> for EffectDocument {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Selects => Self::Selects,
            Effect::MaySelect => Self::MaySelect,
            Effect::Allows => Self::Allows,
            Effect::MayAllow => Self::MayAllow,
            Effect::Denies => Self::Denies,
            Effect::MayDeny => Self::MayDeny,
            Effect::Passes => Self::Passes,
            Effect::MayPass => Self::MayPass,
            Effect::PeerDiffers => Self::PeerDiffers,
            Effect::PortDiffers => Self::PortDiffers,
            Effect::Isolates => Self::Isolates,
            Effect::MayIsolate => Self::MayIsolate,
        }
    }
}
