//! Roots: who needs an image, where that is said, and why it counts.

use std::{fmt, sync::Arc};

use underpin_model::Evidence;

use crate::{
    digest::Digest,
    glob::Glob,
    pin::Pin,
    policy::ImagePolicy,
    reference::{Host, Location, Reference},
};

/// One need of an image.
#[derive(Clone, Debug)]
pub struct Root {
    /// What kind of need.
    pub kind: RootKind,
    /// Where it was read: the name of a [`Source`].
    pub source: Arc<str>,
    /// The object and field, or the line, that says so.
    pub evidence: Evidence,
    /// What is needed.
    pub target: Target,
}

/// What kind of need: everything of R4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKind {
    /// A pod, or the status of one.
    Pod,
    /// A controller of pods.
    Workload,
    /// An old ReplicaSet or ControllerRevision, kept to roll back to.
    Rollback,
    /// A Job or CronJob.
    Job,
    /// A revision in the history of a Helm release.
    HelmRevision,
    /// A HelmRelease.
    HelmRelease,
    /// A HelmRelease that is suspended.
    SuspendedHelmRelease,
    /// A Kustomization.
    Kustomization,
    /// A Kustomization that is suspended.
    SuspendedKustomization,
    /// What an ImagePolicy selects.
    Policy,
    /// What an ImagePolicy selected last, as its status says.
    PolicyStatus,
    /// A marker for Flux's image automation, in a file.
    Marker,
    /// A manifest in a file, applied or not.
    Declared,
    /// A custom resource.
    Custom,
    /// A Secret.
    Secret,
    /// A text in any other object.
    Text,
    /// A pin.
    Pin,
}

impl RootKind {
    /// How it is needed: `{evidence}: {phrase}`.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Pod => "a pod runs it",
            Self::Workload => "a workload runs it",
            Self::Rollback => "a former revision would need it for a rollback",
            Self::Job => "a job runs it",
            Self::HelmRevision => "a revision of a Helm release would need it for a rollback",
            Self::HelmRelease => "a HelmRelease names it",
            Self::SuspendedHelmRelease => "a suspended HelmRelease needs it at its resume",
            Self::Kustomization => "a Kustomization names it",
            Self::SuspendedKustomization => "a suspended Kustomization needs it at its resume",
            Self::Policy => "an ImagePolicy selects it",
            Self::PolicyStatus => "an ImagePolicy selected it last",
            Self::Marker => "a marker for image automation stands at it",
            Self::Declared => "a declared manifest names it",
            Self::Custom => "a custom resource names it",
            Self::Secret => "a Secret holds its name",
            Self::Text => "a text names it",
            Self::Pin => "a pin keeps it",
        }
    }

    /// Whether the need lasts only as long as something runs.
    pub fn is_live(self) -> bool {
        matches!(
            self,
            Self::Pod | Self::Workload | Self::Rollback | Self::Job
        )
    }

    /// Whether what it names is certainly an image, so that it is missed if it is not there.
    pub(crate) fn is_certain(self) -> bool {
        !matches!(self, Self::Custom | Self::Secret | Self::Text)
    }
}

/// What is needed.
#[derive(Clone, Debug)]
pub enum Target {
    /// An image.
    Image(Reference),
    /// A manifest, or the manifest with this configuration, in whatever repository.
    Digest(Digest),
    /// Whatever a policy selects of a repository's tags.
    Policy(Location, ImagePolicy),
    /// Everything that is named so, in a registry or in whatever one: a name of which a part is not
    /// known.
    Pattern {
        /// The registry, if that is known.
        host: Option<Host>,
        /// The repositories.
        repository: Glob,
        /// The tags; `*` for everything in these repositories, also what has no tag.
        tag: Glob,
    },
    /// What a pin keeps.
    Pin(Pin),
    /// A text that is to name an image, and cannot be read.
    Unreadable {
        /// The text, as far as it may be shown.
        text: String,
        /// Why it cannot be read, in a sentence without a full stop.
        reason: String,
    },
}

impl Root {
    /// Reads what a field says of an image.
    pub fn image(kind: RootKind, source: Arc<str>, evidence: Evidence, text: &str) -> Self {
        let target = match text.parse() {
            Ok(reference) => Target::Image(reference),
            Err(error) => Target::unreadable(text, &error),
        };
        Self {
            kind,
            source,
            evidence,
            target,
        }
    }
}

impl Target {
    /// What cannot be read, and why.
    pub fn unreadable(text: &str, error: &dyn fmt::Display) -> Self {
        Self::Unreadable {
            text: crate::excerpt(text),
            reason: error.to_string(),
        }
    }
}

/// What is needed, as people write it; `*` stands for anything.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(reference) => write!(f, "{reference}"),
            Self::Digest(digest) => write!(f, "{digest}"),
            Self::Policy(location, _) => write!(f, "what an image policy selects of {location}"),
            Self::Pattern {
                host,
                repository,
                tag,
            } => match host {
                Some(host) => write!(f, "{host}/{repository}:{tag}"),
                None => write!(f, "{repository}:{tag}"),
            },
            Self::Pin(pin) => f.write_str(&pin.text),
            Self::Unreadable { text, .. } => write!(f, "`{text}`"),
        }
    }
}

/// `production: deployment.apps/shop/web spec.template.spec.containers[0].image: a workload runs it`.
impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if let Some(place) = &self.evidence.place {
            write!(f, "{place} ")?;
        }
        write!(f, "{}", self.evidence.object)?;
        if !self.evidence.path.as_str().is_empty() {
            write!(f, " {}", self.evidence.path)?;
        }
        write!(f, ": {}", self.kind.phrase())
    }
}

/// Something that roots were read from: a cluster, a dump, a repository, a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// Why it could not be read completely; empty where it was.
    pub unread: Vec<NotRead>,
}

/// Why a source could not be read completely.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotRead {
    /// What it is.
    pub what: String,
    /// The text by which an operator says that nothing of this registry is needed there; none where
    /// nobody can know that.
    pub consent: Option<String>,
}

impl From<String> for NotRead {
    fn from(what: String) -> Self {
        Self {
            what,
            consent: None,
        }
    }
}
