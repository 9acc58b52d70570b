//! References: one object says that it needs, selects, owns or names another.

use std::fmt;

use crate::{Evidence, GroupKind, LabelSelector, ObjectKey};

/// What a reference points at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One object by name.
    Object(ObjectKey),
    /// Every object of a kind that a selector matches; for pods, the pod templates count too.
    Selected {
        /// Kind selected.
        kind: GroupKind,
        /// Namespace searched; `None` searches all.
        namespace: Option<String>,
        /// The selector.
        selector: LabelSelector,
    },
    /// Every namespace that a selector matches.
    Namespaces(LabelSelector),
}

/// How a reference binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The object lies in this namespace.
    Contained,
    /// `metadata.ownerReferences`: the target's deletion takes this object along.
    Owned,
    /// An instance of a CustomResourceDefinition.
    InstanceOf,
    /// A label selector, such as a Service's.
    Selects,
    /// A ConfigMap, by volume, `env` or `envFrom`.
    ConfigMap,
    /// A Secret, by volume, `env`, `envFrom`, TLS or a custom kind's `secretRef`.
    Secret,
    /// `imagePullSecrets`.
    PullSecret,
    /// `serviceAccountName`.
    ServiceAccount,
    /// A PersistentVolumeClaim mounted.
    Claim,
    /// A PersistentVolume bound, either way.
    Volume,
    /// A StorageClass.
    StorageClass,
    /// A Service as backend, governing service or webhook.
    Service,
    /// An upstream in a proxy annotation: a Service by its DNS name.
    Upstream,
    /// A DNS name or URL in a value: a Service by its DNS name.
    Host,
    /// An IngressClass, PriorityClass or RuntimeClass.
    Class,
    /// `scaleTargetRef`, `targetRef` of an autoscaler.
    ScaleTarget,
    /// A Role or ClusterRole bound.
    Role,
    /// A subject of a role binding.
    Subject,
    /// A namespace named in a selector by `kubernetes.io/metadata.name`, or in a value.
    NamespaceName,
    /// Made by a controller from a custom resource, with or without an owner reference.
    Made,
}

/// What happens to the one who refers when the target is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It breaks, at once or at the next restart.
    Required,
    /// It is written as optional, or works without.
    Optional,
    /// A guess from text, such as a bare name in a value; never blocks by itself.
    Guessed,
}

/// One object refers to another, with the field that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Who refers.
    pub from: ObjectKey,
    /// What it refers to.
    pub target: Target,
    /// How.
    pub relation: Relation,
    /// What the target's absence means.
    pub strength: Strength,
    /// The field that says so.
    pub evidence: Evidence,
}

impl Relation {
    /// A verb phrase for output: `{from} {phrase} {target}`.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Contained => "lies in",
            Self::Owned => "is owned by",
            Self::InstanceOf => "is an instance of",
            Self::Selects => "selects",
            Self::ConfigMap | Self::Secret => "reads",
            Self::PullSecret => "pulls images with",
            Self::ServiceAccount => "runs as",
            Self::Claim => "mounts",
            Self::Volume => "is bound to",
            Self::StorageClass | Self::Class => "uses",
            Self::Service => "sends to",
            Self::Upstream => "proxies to",
            Self::Host => "connects to",
            Self::ScaleTarget => "scales",
            Self::Role => "grants",
            Self::Subject => "grants to",
            Self::NamespaceName => "names",
            Self::Made => "is made from",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(key) => write!(f, "{key}"),
            Self::Selected {
                kind,
                namespace: Some(namespace),
                selector,
            } => {
                write!(f, "{kind} in {namespace} with {selector}")
            }
            Self::Selected {
                kind,
                namespace: None,
                selector,
            } => {
                write!(f, "{kind} with {selector}")
            }
            Self::Namespaces(selector) => write!(f, "namespaces with {selector}"),
        }
    }
}
