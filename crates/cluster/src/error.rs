//! What can go wrong between Underpin and a cluster.

use std::{path::PathBuf, time::Duration};

use crate::Act;

/// An error of the cluster, or on the way to it. Messages say what happened, to which object, why,
/// and what to do; they never hold a value of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is no kubeconfig, and this is no pod either.
    #[error(
        "no kubeconfig found (tried {}); name one with --kubeconfig or KUBECONFIG",
        join_paths(.tried)
    )]
    NoKubeconfig {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// A kubeconfig is there and cannot be read or understood.
    #[error("cannot read kubeconfig {}: {reason}", .path.display())]
    KubeconfigUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The context that was asked for is not in the kubeconfig, or none is the current one.
    #[error("{}", no_context(.wanted.as_deref(), .known))]
    NoContext {
        /// The context that was asked for; absent when none was and none is current.
        wanted: Option<String>,
        /// The contexts that there are, sorted.
        known: Vec<String>,
    },
    /// The context is there and what it says cannot be used.
    #[error("kubeconfig context {context} cannot be used: {reason}")]
    BadContext {
        /// The context.
        context: String,
        /// Why.
        reason: String,
    },
    /// No answer came, for a reason other than time.
    #[error("cannot reach {server}: {reason}; check the address, the network and --context")]
    Unreachable {
        /// The server's address.
        server: String,
        /// What the connection said.
        reason: String,
    },
    /// The server does not know who is asking.
    #[error("{server} does not accept the credentials of user {user}: {message}; log in again")]
    Unauthorized {
        /// The server's address.
        server: String,
        /// The user, as the kubeconfig names it.
        user: String,
        /// What the server said.
        message: String,
    },
    /// The server knows who is asking and refuses.
    #[error("cannot {act} (user {user}): {message}")]
    Forbidden {
        /// What was refused.
        act: Box<Act>,
        /// The user, as the kubeconfig names it.
        user: String,
        /// What the server said.
        message: String,
    },
    /// The object, or the namespace it would live in, does not exist.
    #[error("cannot {act}: {message}")]
    NotFound {
        /// What was tried.
        act: Box<Act>,
        /// What the server said.
        message: String,
    },
    /// The object is not as the request expected it.
    #[error("cannot {act}: {}", conflict(.kind, .message))]
    Conflict {
        /// What was tried.
        act: Box<Act>,
        /// In which way it is not.
        kind: ConflictKind,
        /// What the server said.
        message: String,
    },
    /// The server finds the object wrong.
    #[error("cannot {act}: {message}{}", list_causes(.causes, .message))]
    Invalid {
        /// What was tried.
        act: Box<Act>,
        /// The fields, with reasons, as far as the server tells.
        causes: Vec<Cause>,
        /// What the server said.
        message: String,
    },
    /// A list's continue token, or the version a read asked for, has expired.
    #[error("cannot {act}: the server no longer has the version asked for; try again")]
    Gone {
        /// What was tried.
        act: Box<Act>,
    },
    /// The server asks for fewer requests.
    #[error("cannot {act}: the server is busy and asks to try again later")]
    Throttled {
        /// What was tried.
        act: Box<Act>,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer in time. A change may or may not have been made.
    #[error("no answer within {} s: {act}", .after.as_secs())]
    Timeout {
        /// What was tried.
        act: Box<Act>,
        /// How long it was waited for.
        after: Duration,
    },
    /// An admission or conversion webhook did not answer; nothing was changed.
    #[error("cannot {act}: webhook {webhook} failed: {message}")]
    WebhookFailed {
        /// What was tried.
        act: Box<Act>,
        /// The webhook, as its configuration names it.
        webhook: String,
        /// What the server said.
        message: String,
    },
    /// The namespace is being deleted: nothing can be created in it.
    #[error("cannot {act}: namespace {namespace} is being deleted; wait until it is gone")]
    Terminating {
        /// What was tried.
        act: Box<Act>,
        /// The namespace.
        namespace: String,
    },
    /// The cluster does not serve the kind in this version.
    #[error("cannot {act}: the cluster does not serve it{}", served(.versions))]
    NoMatch {
        /// What was tried.
        act: Box<Act>,
        /// The versions in which it does serve the kind.
        versions: Vec<String>,
    },
    /// The server is older than Underpin can work with.
    #[error("the server is Kubernetes {version}; 1.20 or newer is needed")]
    TooOld {
        /// Its version.
        version: String,
    },
    /// Any other refusal.
    #[error("cannot {act}: the server answered {code}: {message}")]
    Server {
        /// What was tried.
        act: Box<Act>,
        /// HTTP status code.
        code: u16,
        /// What the server said.
        message: String,
    },
    /// The server's answer, or something stored, cannot be understood.
    #[error("cannot understand the answer to {act}: {reason}")]
    Decode {
        /// What was tried.
        act: Box<Act>,
        /// Why not.
        reason: String,
    },
}

/// In which way an object is not as a request expected it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// It exists, and should not. After a request that had to be repeated it may be our own: its
    /// stamp tells.
    AlreadyExists,
    /// It was replaced, changed or deleted since it was read.
    Precondition,
    /// Others own fields that would be changed.
    FieldManagers(Vec<FieldConflict>),
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// The manager.
    pub manager: String,
    /// The field, as the server writes it: `.spec.replicas`.
    pub field: String,
    /// What the server said.
    pub message: String,
}

/// What the server finds wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable, such as `FieldValueInvalid`.
    pub reason: String,
    /// The field, such as `spec.selector`.
    pub field: String,
    /// For people.
    pub message: String,
}

/// What the API server says of a field that cannot change, in lower case. Each is in the
/// validation of some kind from 1.20 on: most kinds; claims and volumes; priority classes;
/// Services; StatefulSets; storage classes (three); pods; role bindings; old disruption budgets.
const IMMUTABLE_PHRASES: &[&str] = &[
    "field is immutable",
    "is immutable after creation",
    "may not be changed",
    "may not change once set",
    "updates to statefulset spec for fields other than",
    "updates to parameters are forbidden",
    "updates to provisioner are forbidden",
    "updates to reclaimpolicy are forbidden",
    "pod updates may not change fields other than",
    "cannot change roleref",
    "updates to poddisruptionbudget spec are forbidden",
];

impl Cause {
    fn is_immutable(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        IMMUTABLE_PHRASES
            .iter()
            .any(|phrase| message.contains(phrase))
    }
}

impl ClusterError {
    /// Whether the only thing wrong is that fields cannot change: deleting the object and creating
    /// it anew would help. One cause of another sort makes it false, for then the new object would
    /// be refused too.
    pub fn is_immutable(&self) -> bool {
        match self {
            Self::Invalid { causes, .. } => {
                !causes.is_empty() && causes.iter().all(Cause::is_immutable)
            }
            _ => false,
        }
    }

    /// The right that is missing, such as `patch configmaps in namespace wallet (user jane)`, if
    /// that is why. Admission refuses with the same code, in words of its own.
    pub fn missing_right(&self) -> Option<String> {
        match self {
            Self::Forbidden { act, user, message }
                if message.contains(&format!(" cannot {} resource ", act.verb)) =>
            {
                let place = match &act.namespace {
                    Some(namespace) => format!("in namespace {namespace}"),
                    None => "at cluster scope".to_owned(),
                };
                let (verb, resource) = (act.verb, &act.resource);
                Some(format!("{verb} {resource} {place} (user {user})"))
            }
            _ => None,
        }
    }

    /// Whether the same request may well succeed later, nothing being wrong with it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Throttled { .. }
            | Self::Timeout { .. }
            | Self::WebhookFailed { .. }
            | Self::Gone { .. } => true,
            // 409 here is a conflict about another object, such as a quota being counted.
            Self::Server { code, .. } => matches!(code, 409 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether the object did not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether it is about what was given to connect with, and not about any cluster.
    pub fn is_of_setup(&self) -> bool {
        matches!(
            self,
            Self::NoKubeconfig { .. }
                | Self::KubeconfigUnreadable { .. }
                | Self::NoContext { .. }
                | Self::BadContext { .. }
        )
    }

    /// Whether the object exists and should not.
    pub fn is_already_exists(&self) -> bool {
        matches!(
            self,
            Self::Conflict {
                kind: ConflictKind::AlreadyExists,
                ..
            }
        )
    }

    /// Whether the object is not as the request expected it, in any way.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

fn join_paths(paths: &[PathBuf]) -> String {
    let texts: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if texts.is_empty() {
        "nowhere: neither KUBECONFIG nor HOME is set".to_owned()
    } else {
        texts.join(", ")
    }
}

fn no_context(wanted: Option<&str>, known: &[String]) -> String {
    let head = match wanted {
        Some(wanted) => format!("the kubeconfig has no context {wanted}"),
        None => "the kubeconfig has no current context; name one with --context".to_owned(),
    };
    if known.is_empty() {
        format!("{head}; it has no contexts at all")
    } else {
        format!("{head}; there are: {}", known.join(", "))
    }
}

fn conflict(kind: &ConflictKind, message: &str) -> String {
    match kind {
        ConflictKind::AlreadyExists => "it exists already".to_owned(),
        ConflictKind::Precondition => format!("it was changed since it was read: {message}"),
        ConflictKind::FieldManagers(conflicts) => {
            let texts: Vec<String> = conflicts
                .iter()
                .map(|conflict| format!("{} owns {}", conflict.manager, conflict.field))
                .collect();
            texts.join(", ")
        }
    }
}

/// Characters by which the end of a message is recognised.
const ENDING_LENGTH: usize = 60;

/// Causes that the message does not already tell.
fn list_causes(causes: &[Cause], told: &str) -> String {
    let mut texts: Vec<String> = causes
        .iter()
        .filter(|cause| !told.contains(ending(&cause.message)))
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    texts.dedup();
    if texts.is_empty() {
        String::new()
    } else {
        format!(" ({})", texts.join("; "))
    }
}

/// The end of a message, by which it is recognised in another: either may lack its middle.
fn ending(message: &str) -> &str {
    let start = message
        .char_indices()
        .rev()
        .nth(ENDING_LENGTH - 1)
        .map_or(0, |(index, _)| index);
    &message[start..]
}

fn served(versions: &[String]) -> String {
    if versions.is_empty() {
        "; install what defines it first".to_owned()
    } else {
        format!(" in this version; it serves {}", versions.join(", "))
    }
}
