//! Errors at the command line: what happened, and the exit code that tells scripts.

use underpin_cluster::ClusterError;
use underpin_deploy::DeployError;
use underpin_edge::{EdgeError, FolderError, ServeError};
use underpin_plan::Movement;
use underpin_registry::StateError;
use underpin_source::{Diagnostic, git::GitError, stack::FindError};

use crate::Exit;

/// What ended a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A run against a cluster.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The cluster, before a run could begin.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A revision of a repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The edge, before or while it runs.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The folder of the edge.
    #[error(transparent)]
    EdgeFolder(#[from] FolderError),
    /// What ended the edge's loop.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The folder of a registry's runs.
    #[error(transparent)]
    RegistryState(#[from] StateError),
    /// Declared files that cannot be used.
    #[error("{summary}")]
    Declared {
        /// One line.
        summary: String,
        /// Each problem with its place.
        diagnostics: Vec<Diagnostic>,
    },
    /// Arguments that do not fit each other or the stack file.
    #[error("{message}")]
    Usage {
        /// What does not fit.
        message: String,
        /// The way out.
        help: Option<String>,
    },
    /// The deadline came while a request was unanswered.
    #[error("stopped at the deadline while the server did not answer; run again to continue")]
    Deadline,
    /// Reading or writing something local.
    #[error("{what}: {source}")]
    Io {
        /// What was read or written.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// A folder that was to be searched for stack files.
impl From<FindError> for CommandError {
    fn from(error: FindError) -> Self {
        Self::Io {
            what: format!("cannot read folder {}", error.folder),
            source: error.error,
        }
    }
}

impl CommandError {
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Deploy(DeployError::Busy { .. })
            | Self::RegistryState(StateError::Locked { .. }) => Exit::Busy,
            Self::Deploy(DeployError::Stopped(_)) | Self::Deadline => Exit::Stopped,
            // The rule UP102, found before a plan could be made.
            Self::Deploy(DeployError::ClaimNameTaken { .. }) => Exit::Blocked,
            _ => Exit::Error,
        }
    }

    /// The problems in declared files, if that is what it is.
    pub(crate) fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Declared { diagnostics, .. }
            | Self::Deploy(DeployError::Declared(diagnostics)) => diagnostics,
            _ => &[],
        }
    }

    /// What moved since a plan was frozen, if that is what it is.
    pub(crate) fn movements(&self) -> &[Movement] {
        match self {
            Self::Deploy(DeployError::Moved { movements, .. }) => movements,
            _ => &[],
        }
    }

    /// The way out, if one is known beyond the message.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::Usage { help, .. } => help.clone(),
            Self::Deploy(error) => deploy_help(error),
            Self::Cluster(error) => cluster_help(error),
            Self::Git(error) => git_help(error).map(str::to_owned),
            Self::Serve(ServeError::Cluster(error)) => cluster_help(error),
            Self::EdgeFolder(error) | Self::Serve(ServeError::Folder(error)) => folder_help(error),
            _ => None,
        }
    }
}

fn folder_help(error: &FolderError) -> Option<String> {
    match error {
        FolderError::State { path, .. } | FolderError::Json { path } => Some(format!(
            "to begin anew, remove {}; what it remembers of losses is forgotten with it",
            path.display()
        )),
        FolderError::Io { .. } => None,
    }
}

fn deploy_help(error: &DeployError) -> Option<String> {
    let help = match error {
        DeployError::Cluster(error) => return cluster_help(error),
        DeployError::Busy { lock, .. } => format!(
            "wait until it ends, or raise --lock-wait above {} s to take over from a run that died",
            lock.lease_seconds
        ),
        DeployError::WrongCluster { .. } => {
            "choose the right cluster with --context, or correct `cluster` in the stack file".into()
        }
        DeployError::UnusedAcceptance(_) => {
            "run `underpin plan` and copy code and subject from the finding".into()
        }
        DeployError::NotRetired(_) => {
            "`underpin status --kept` lists what was kept; `underpin down` tears the environment \
             down"
                .into()
        }
        DeployError::UnknownAdoption(_) => {
            "run `underpin plan` and copy the object as it is written there".into()
        }
        DeployError::ImportTaken { .. } => {
            "an object has one owner: take these out of this stack's manifests, or choose the \
             others with --from selector=LABELS; `underpin status` in the other stack lists what \
             it owns"
                .into()
        }
        DeployError::Moved { .. } | DeployError::Frozen(_) => {
            "plan again, and freeze that: `underpin plan --out FILE`; variables that were set by \
             --var must be set again by `up FILE`"
                .into()
        }
        DeployError::History(_) | DeployError::NoHistory(_) => {
            "`underpin history` lists the revisions".into()
        }
        DeployError::NotConfirmed => "pass --yes to go ahead without being asked".into(),
        DeployError::ClaimsUnread { .. } => {
            "without its claims Underpin cannot know whose anything is; grant `list` and `get` on \
             configmaps there"
                .into()
        }
        _ => return None,
    };
    Some(help)
}

fn git_help(error: &GitError) -> Option<&'static str> {
    match error {
        GitError::NoGit(_) => Some("install git, or name folders instead of revisions"),
        GitError::NoRepository { .. } => {
            Some("change to a folder of the repository, or name folders instead of revisions")
        }
        GitError::NoRevision(_) => Some(
            "`git log` lists revisions; in a shallow clone fetch it first, such as with `git fetch \
             --unshallow`",
        ),
        GitError::NotInRevision { .. } => {
            Some("paths are relative to the current folder; `git ls-tree -r REVISION` lists them")
        }
        GitError::Outside(_) => Some("name a folder of the repository with --path"),
        GitError::TooMuch { .. } => Some("name the folder of the manifests with --path"),
        GitError::Failed { .. } | GitError::Write { .. } => None,
    }
}

fn cluster_help(error: &ClusterError) -> Option<String> {
    match error {
        ClusterError::Forbidden { act, .. } => Some(format!(
            "grant the verb `{}` on `{}` to this user, or use another context; `underpin rbac` \
             prints the roles that each command takes",
            act.verb, act.resource
        )),
        _ => None,
    }
}
