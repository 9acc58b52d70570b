use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::{ClusterIdentity, LogicalKey};
use underpin_plan::{Problem, Purpose, ResolvedPlacement};

use super::{
    NothingRecordedDocument, PlaceDocument, ResultDocument, finding::FindingDocument, names,
    step::StepDocument,
};
use crate::render::Judged;

/// A plan that was shown, and perhaps frozen.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownPlanDocument<'a> {
    #[serde(flatten)]
    pub(crate) plan: PlanDocument<'a>,
    /// With `--out`: the file that the plan was frozen into; absent where it is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frozen: Option<FrozenDocument<'a>>,
}

/// A plan and what came of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RunDocument<'a> {
    #[serde(flatten)]
    pub(crate) plan: PlanDocument<'a>,
    /// What came of it.
    pub(crate) result: ResultDocument<'a>,
}

/// What `down` did.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum DownDocument<'a> {
    /// A teardown and what came of it.
    Run(Box<RunDocument<'a>>),
    /// There was nothing to tear down.
    Nothing(NothingRecordedDocument<'a>),
}

/// What is to be done to an environment, and what the rules say of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PlanDocument<'a> {
    /// The stack.
    stack: &'a str,
    /// The environment.
    environment: &'a str,
    /// The cluster.
    cluster: ClusterDocument<'a>,
    /// What it is for.
    purpose: PurposeDocument,
    /// Where the environment lives.
    placement: PlacementDocument<'a>,
    /// One step per object, in the order in which they are done.
    steps: Vec<StepDocument<'a>>,
    /// Recorded objects that are somebody else's now, and leave the record.
    forgotten: Vec<ForgottenDocument<'a>>,
    /// What makes the plan impossible.
    problems: Vec<PlanProblemDocument<'a>>,
    /// What the rules found, the heaviest first.
    findings: Vec<FindingDocument>,
    /// Lists that could not be read.
    unread: Vec<String>,
}

impl<'a> From<Judged<'a>> for PlanDocument<'a> {
    fn from(judged: Judged<'a>) -> Self {
        let plan = judged.plan;
        Self {
            stack: &plan.stack,
            environment: &plan.environment,
            cluster: (&judged.world.cluster).into(),
            purpose: match plan.purpose {
                Purpose::Up => PurposeDocument::Up,
                Purpose::Down => PurposeDocument::Down,
            },
            placement: (&plan.placement).into(),
            steps: plan.steps.iter().map(Into::into).collect(),
            forgotten: plan.dropped.iter().map(Into::into).collect(),
            problems: plan.problems.iter().map(Into::into).collect(),
            findings: judged.verdict.findings.iter().map(Into::into).collect(),
            unread: names(&judged.world.unread),
        }
    }
}

/// The file that a plan was frozen into.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrozenDocument<'a> {
    /// Its path.
    pub(crate) file: &'a str,
    /// Whether a secret that changes until then is noticed.
    pub(crate) covers_secrets: bool,
}

/// A cluster.
#[derive(Serialize, JsonSchema)]
struct ClusterDocument<'a> {
    /// The kubeconfig context.
    context: &'a str,
    /// Uid of the namespace `kube-system`.
    uid: &'a str,
    /// Version of the server.
    version: &'a str,
}

impl<'a> From<&'a ClusterIdentity> for ClusterDocument<'a> {
    fn from(cluster: &'a ClusterIdentity) -> Self {
        Self {
            context: &cluster.context,
            uid: &cluster.uid,
            version: &cluster.version,
        }
    }
}

/// What a plan is for.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum PurposeDocument {
    /// To bring the environment to what its stack declares.
    Up,
    /// To tear it down.
    Down,
}

/// Where an environment lives.
#[derive(Serialize, JsonSchema)]
struct PlacementDocument<'a> {
    /// The namespace.
    namespace: &'a str,
    /// Whether it was recorded by a former run.
    recorded: bool,
    /// The namespace that it would have if deployed fresh.
    derived: &'a str,
    /// What to know where the two differ.
    note: Option<String>,
}

impl<'a> From<&'a ResolvedPlacement> for PlacementDocument<'a> {
    fn from(placement: &'a ResolvedPlacement) -> Self {
        Self {
            namespace: &placement.placement.namespace,
            recorded: placement.recorded,
            derived: &placement.derived,
            note: placement.note(),
        }
    }
}

/// A recorded object that leaves the record.
#[derive(Serialize, JsonSchema)]
struct ForgottenDocument<'a> {
    /// Its kind and name.
    object: String,
    /// Why.
    reason: &'a str,
}

impl<'a> From<(&LogicalKey, &'a String)> for ForgottenDocument<'a> {
    fn from((logical, reason): (&LogicalKey, &'a String)) -> Self {
        Self {
            object: format!("{}/{}", logical.kind, logical.name),
            reason,
        }
    }
}

/// What makes a plan impossible.
#[derive(Serialize, JsonSchema)]
struct PlanProblemDocument<'a> {
    /// The object concerned.
    object: String,
    /// Where it is declared.
    place: Option<PlaceDocument>,
    /// What is wrong.
    message: &'a str,
    /// The way out.
    help: Option<&'a str>,
}

impl<'a> From<&'a Problem> for PlanProblemDocument<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            object: problem.key.to_string(),
            place: problem.place.as_ref().map(Into::into),
            message: &problem.message,
            help: problem.help.as_deref(),
        }
    }
}
