//! The JSON document: the types are the schema. Pairs are written as they are found out.

mod change;
mod flow;

use std::{
    cell::RefCell,
    io::{self, Write},
};

use schemars::JsonSchema;
use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use underpin_connect::{Answer, Connections, Engine, Exposed, Exposure, Outcome, Reason};
use underpin_plan::connectivity::JudgedNeed;
use underpin_refs::SuppressedNeed;

use self::change::ChangeDocument;
pub(super) use self::flow::{FlowDocument, VerdictDocument};
use super::Listing;
use crate::{
    Exit,
    commands::reach::{Comparison, Needs, Reply, Side, SideKind, Told},
    render::documents::{EvidenceDocument, FindingDocument, ProblemDocument, stream, text},
};

/// The pairs of a world, or those of some ends.
pub(crate) fn listing(listing: Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut document = ReachDocument::of(listing.side);
    let defects = listing.engine.defects().iter();
    document.not_understood = defects.map(|defect| (&defect.evidence).into()).collect();
    document.exposure = listing
        .exposure
        .as_ref()
        .map(|all| all.iter().map(Into::into).collect());
    document.pairs = Some(Pairs(RefCell::new(listing)));
    stream(out, "reach", Exit::Done, document)
}

/// What was asked, pair by pair.
pub(crate) fn answers(side: &Side, engine: &Engine, exit: Exit, told: &[Told]) -> String {
    let mut document = ReachDocument::of(side);
    let defects = engine.defects().iter();
    document.not_understood = defects.map(|defect| (&defect.evidence).into()).collect();
    document.answers = Some(told.iter().map(Into::into).collect());
    text("reach", exit, document)
}

/// The needs of a world, and what rules say of them.
pub(crate) fn needs(side: &Side, exit: Exit, needs: &Needs) -> String {
    let mut document = ReachDocument::of(side);
    document.needs = Some(needs.judged.iter().map(Into::into).collect());
    document.findings = needs.findings.iter().map(Into::into).collect();
    let problems = needs.problems.iter();
    document.needs_unknown = problems.map(|problem| (&problem.evidence).into()).collect();
    let suppressed = needs.suppressed.iter();
    document.suppressed = suppressed.map(Into::into).collect();
    text("reach", exit, document)
}

/// What a change does.
pub(crate) fn change(comparison: &Comparison<'_>, exit: Exit) -> String {
    let mut document = ReachDocument::of(comparison.after);
    document.findings = comparison.findings.iter().map(Into::into).collect();
    document.change = Some(comparison.into());
    text("reach", exit, document)
}

/// Who may open a connection to whom.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReachDocument<'a> {
    /// The world that was asked; of a change, the one after it.
    world: WorldDocument,
    /// What was asked, where it was one question or a few.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Vec<AnswerDocument>>,
    /// Every pair between which something is or may be allowed, where a list was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<PairDocument>>")]
    pairs: Option<Pairs<'a>>,
    /// With `--exposure`: how far workloads are open to what is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<Vec<ExposureDocument>>,
    /// With `--show-needs`: what needs a connection to what, refused needs first.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs: Option<Vec<NeedDocument>>,
    /// Where two worlds are compared: what is different.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeDocument>,
    /// With `--show-needs`: why there may be more needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needs_unknown: Vec<EvidenceDocument>,
    /// With `--show-needs`: what somebody says is no need.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressed: Vec<SuppressedDocument>,
    /// What rules say of needs: UP406 of those that are lost, UP401 of those that are refused.
    findings: Vec<FindingDocument>,
    /// What in policies cannot be understood.
    not_understood: Vec<EvidenceDocument>,
}

/// A world.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorldDocument {
    /// Where it comes from, in a few words.
    name: String,
    /// What sort of place that is.
    kind: WorldKindDocument,
    /// Whether everything was read and understood.
    complete: bool,
    /// Lists that could not be read.
    unread: Vec<String>,
    /// What may hold more and was not looked into.
    not_looked_into: Vec<String>,
    /// What in files could not be understood.
    problems: Vec<ProblemDocument>,
}

/// Where a world comes from.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum WorldKindDocument {
    /// A live cluster.
    Cluster,
    /// Files: manifests, Terraform files, or a dump.
    Files,
    /// The manifests of a stack.
    Stack,
    /// Files of a revision.
    Revision,
}

/// A pair between which something is or may be allowed.
#[derive(Serialize, JsonSchema)]
pub(super) struct PairDocument {
    /// Who connects: a workload, or addresses outside of the cluster.
    from: String,
    /// To whom.
    to: String,
    /// The ports that are allowed: `all`, `none`, or such as `TCP 80,443-445,UDP 53`.
    allowed: String,
    /// The ports of which it is not known, likewise.
    unknown: String,
}

/// The pairs of a listing, written as they are computed.
pub(crate) struct Pairs<'a>(RefCell<Listing<'a>>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut listing = self.0.borrow_mut();
        let mut pairs = serializer.serialize_seq(None)?;
        for beyond in listing.beyond() {
            for (other, outcome) in &beyond.to {
                pairs.serialize_element(&pair(&beyond.name, other, outcome))?;
            }
            for (other, outcome) in &beyond.from {
                pairs.serialize_element(&pair(other, &beyond.name, outcome))?;
            }
        }
        let names = listing.names();
        listing.each(|from, to, outcome| {
            pairs.serialize_element(&pair(&names[from], &names[to], outcome))
        })?;
        pairs.end()
    }
}

fn pair(from: &str, to: &str, outcome: &Outcome) -> PairDocument {
    PairDocument {
        from: from.to_owned(),
        to: to.to_owned(),
        allowed: outcome.allowed.to_string(),
        unknown: outcome.unknown.to_string(),
    }
}

/// The answer for one pair of ends.
#[derive(Serialize, JsonSchema)]
struct AnswerDocument {
    /// Who connects.
    from: String,
    /// To what.
    to: String,
    /// The protocol that was asked about; null for all.
    protocol: Option<String>,
    /// The port that was asked about; null for all.
    port: Option<String>,
    /// All in all; of all ports, what holds for each of them.
    verdict: VerdictDocument,
    /// The ports that are allowed, where all were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
    /// The ports of which it is not known, where all were asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    /// Why it is unknown.
    reasons: Vec<String>,
    /// Connections from pod to pod: several behind a Service, and where pods of a workload differ.
    flows: Vec<FlowDocument>,
}

/// A connection that is needed.
#[derive(Serialize, JsonSchema)]
struct NeedDocument {
    /// Who connects.
    from: String,
    /// To what.
    to: String,
    /// Over which protocol.
    protocol: String,
    /// To which port, by number or name; null where any may be meant.
    port: Option<String>,
    /// How sure it is that it is needed: `certain`, `likely` or `guessed`.
    confidence: &'static str,
    /// Why, in the words of whoever declared it.
    reason: Option<String>,
    /// What says so.
    evidence: Vec<EvidenceDocument>,
    /// Whether a new connection is allowed.
    verdict: VerdictDocument,
    /// Why that is unknown.
    reasons: Vec<String>,
    /// Connections from pod to pod that bear it out.
    flows: Vec<FlowDocument>,
}

/// What would be a need, and is none as somebody says.
#[derive(Serialize, JsonSchema)]
struct SuppressedDocument {
    /// What would be a need.
    need: String,
    /// Why it is none.
    reason: String,
    /// Where that is said.
    evidence: EvidenceDocument,
}

impl From<&SuppressedNeed> for SuppressedDocument {
    fn from(suppressed: &SuppressedNeed) -> Self {
        Self {
            need: suppressed.need.to_string(),
            reason: suppressed.reason.clone(),
            evidence: (&suppressed.evidence).into(),
        }
    }
}

/// Ports by what is known of them.
#[derive(Serialize, JsonSchema)]
struct PortsDocument {
    /// The ports that are allowed.
    allowed: String,
    /// The ports of which it is not known.
    unknown: String,
}

/// How far a workload is open to what is not there yet.
#[derive(Serialize, JsonSchema)]
struct ExposureDocument {
    /// The workload.
    workload: String,
    /// Who may connect to it.
    ingress: Vec<ExposedDocument>,
    /// To whom it may connect.
    egress: Vec<ExposedDocument>,
}

/// One opening.
#[derive(Serialize, JsonSchema)]
struct ExposedDocument {
    /// To whom, in words.
    to: String,
    /// The ports that are allowed.
    allowed: String,
    /// The ports of which it is not known.
    unknown: String,
    /// Whether a pod that is there is among them.
    present: bool,
}

impl ReachDocument<'_> {
    fn of(side: &Side) -> Self {
        Self {
            world: side.into(),
            answers: None,
            pairs: None,
            exposure: None,
            needs: None,
            change: None,
            needs_unknown: Vec::new(),
            suppressed: Vec::new(),
            findings: Vec::new(),
            not_understood: Vec::new(),
        }
    }
}

impl From<&Side> for WorldDocument {
    fn from(side: &Side) -> Self {
        Self {
            name: side.name.clone(),
            kind: match side.kind {
                SideKind::Cluster => WorldKindDocument::Cluster,
                SideKind::Files => WorldKindDocument::Files,
                SideKind::Stack => WorldKindDocument::Stack,
                SideKind::Revision => WorldKindDocument::Revision,
            },
            complete: side.problems.is_empty()
                && side.notes.is_empty()
                && side.world.unread.is_empty(),
            unread: side.world.unread.iter().map(ToString::to_string).collect(),
            not_looked_into: side.notes.clone(),
            problems: side.problems.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Told> for AnswerDocument {
    fn from(told: &Told) -> Self {
        let mut document = Self {
            from: told.from.to_string(),
            to: told.to.to_string(),
            protocol: None,
            port: None,
            verdict: told.verdict().into(),
            allowed: None,
            unknown: None,
            reasons: Vec::new(),
            flows: Vec::new(),
        };
        match &told.reply {
            Reply::Port(question, answer) => {
                document.protocol = Some(question.protocol.to_string());
                document.port = Some(question.port.to_string());
                document.reasons = reasons(&answer.reasons);
                document.flows = flows(answer);
            }
            Reply::AllPorts(outcome, of_all) => {
                document.allowed = Some(outcome.allowed.to_string());
                document.unknown = Some(outcome.unknown.to_string());
                document.flows = of_all.iter().map(Into::into).collect();
            }
            Reply::Nothing(reason) => document.reasons = vec![reason.to_string()],
        }
        document
    }
}

pub(super) fn flows(answer: &Answer) -> Vec<FlowDocument> {
    answer.flows.iter().map(Into::into).collect()
}

pub(super) fn reasons(reasons: &[Reason]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).collect()
}

impl From<&Exposure> for ExposureDocument {
    fn from(exposure: &Exposure) -> Self {
        Self {
            workload: exposure.workload.to_string(),
            ingress: exposure.ingress.iter().map(Into::into).collect(),
            egress: exposure.egress.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Exposed> for ExposedDocument {
    fn from(exposed: &Exposed) -> Self {
        let text = |connections: &Connections| connections.to_string();
        Self {
            to: exposed.to.to_string(),
            allowed: text(&exposed.outcome.allowed),
            unknown: text(&exposed.outcome.unknown),
            present: exposed.to.is_present(),
        }
    }
}

impl From<&JudgedNeed> for NeedDocument {
    fn from(judged: &JudgedNeed) -> Self {
        let need = &judged.need;
        let answers = judged.judgements.iter().map(|one| &one.answer);
        Self {
            from: need.from.to_string(),
            to: need.to.to_string(),
            protocol: need.protocol.to_string(),
            port: need.port.as_ref().map(ToString::to_string),
            confidence: need.confidence.name(),
            reason: need.reason.clone(),
            evidence: need.evidence.iter().map(Into::into).collect(),
            verdict: judged.verdict.into(),
            reasons: reasons(&judged.reasons),
            flows: answers.flat_map(|answer| flows(answer)).collect(),
        }
    }
}

impl From<&Outcome> for PortsDocument {
    fn from(outcome: &Outcome) -> Self {
        Self {
            allowed: outcome.allowed.to_string(),
            unknown: outcome.unknown.to_string(),
        }
    }
}
