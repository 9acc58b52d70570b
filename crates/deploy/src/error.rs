//! What ends a run before it could be judged or finished.

use underpin_cluster::{ClusterError, lock::LockError};
use underpin_model::Lock;
use underpin_plan::{Acceptance, Movement, naming::NamingError};
use underpin_source::Diagnostic;

use crate::{HistoryError, StopReason};

/// An error of a run. What failed for single objects is part of the outcome, not of this.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The cluster, or the way to it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The lock could not be taken, renewed or released.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A name that cannot be made valid.
    #[error(transparent)]
    Naming(#[from] NamingError),
    /// The declared files have errors.
    #[error("the declared files have {} error{}", .0.len(), if .0.len() == 1 { "" } else { "s" })]
    Declared(Vec<Diagnostic>),
    /// The claim belongs to another cluster.
    #[error(
        "{environment} is recorded in another cluster (uid {recorded}); this one ({context}) has uid {found}"
    )]
    WrongCluster {
        /// `stack/environment`.
        environment: String,
        /// Uid in the claim or the stack file.
        recorded: String,
        /// Context in use.
        context: String,
        /// Uid of the cluster at hand.
        found: String,
    },
    /// `--adopt` names objects that the stack does not declare.
    #[error("nothing to adopt: the stack declares no {}", .0.join(", "))]
    UnknownAdoption(Vec<String>),
    /// Something else is recorded under the name that this environment's claim would have.
    #[error(
        "the claim {name} belongs to {other}: {environment} has the same name once it is made \
         valid, and each would take the other's objects for its own; rename one of the two (UP102)"
    )]
    ClaimNameTaken {
        /// The claim's name.
        name: String,
        /// Whose it is.
        other: String,
        /// Who asks.
        environment: String,
    },
    /// The claims could not be read completely; nothing can be decided without them.
    #[error("the claims in namespace {namespace} could not be read: {reason}")]
    ClaimsUnread {
        /// The claims' namespace.
        namespace: String,
        /// What the server said.
        reason: String,
    },
    /// Acceptances that match no finding.
    #[error("nothing to accept: {} matches no finding of this plan", join(.0))]
    UnusedAcceptance(Vec<Acceptance>),
    /// Another run holds the lock.
    #[error("{environment} is locked by {} since {}", .lock.who, .lock.acquired)]
    Busy {
        /// `stack/environment`.
        environment: String,
        /// Who holds it.
        lock: Box<Lock>,
    },
    /// The world kept changing between plan and lock.
    #[error(
        "the environment changed {0} times while it was being planned; run again when it is quiet"
    )]
    Unsettled(usize),
    /// The run stopped before anything was changed.
    #[error("stopped before anything was changed: {0}")]
    Stopped(StopReason),
    /// The user said no, or could not be asked.
    #[error("nothing was changed: the plan was not confirmed")]
    NotConfirmed,
    /// There is nothing recorded for the environment.
    #[error("nothing is recorded for {0} in this cluster; there is nothing to tear down")]
    NothingRecorded(String),
    /// There is no history of the environment.
    #[error("nothing is recorded for {0} in this cluster, so it has no revisions")]
    NoHistory(String),
    /// Revisions that cannot be compared.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The frozen plan is not what would be done now.
    #[error(
        "nothing was changed: {} moved since the plan was frozen at {at}",
        if .movements.len() == 1 { "something" } else { "several things" }
    )]
    Moved {
        /// When it was frozen.
        at: String,
        /// What moved.
        movements: Vec<Movement>,
    },
    /// The frozen plan cannot be compared.
    #[error("the frozen plan cannot be checked: {0}")]
    Frozen(String),
    /// `--kept` of an environment that was never torn down.
    #[error(
        "{0} was not torn down, so nothing of it was kept; --kept deletes only what a former `down` kept"
    )]
    NotRetired(String),
    /// The operating system gave no random bytes; identities cannot be drawn without.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(String),
    /// `import` met objects that other environments have recorded.
    #[error(
        "{environment} cannot take what other environments have recorded: {}",
        .taken.join("; ")
    )]
    ImportTaken {
        /// `stack/environment`.
        environment: String,
        /// Each object, and whose it is.
        taken: Vec<String>,
    },
    /// What `import` was asked for does not fit what is there.
    #[error("{0}")]
    Import(String),
}

fn join(acceptances: &[Acceptance]) -> String {
    let texts: Vec<String> = acceptances
        .iter()
        .map(|one| format!("{}:{}", one.code, one.subject))
        .collect();
    texts.join(", ")
}
