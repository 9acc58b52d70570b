//! Why an answer is not known.

use std::{fmt, sync::Arc};

use underpin_model::{FieldPath, ObjectKey, UnknownPart};

/// Why it cannot be told whether a connection is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A pod of the host network is at one end: plugins may treat it as a pod or as its node.
    HostNetwork,
    /// Traffic from and to a pod's own node is always allowed, and this may be that node.
    OwnNode,
    /// The labels of a namespace are not known: it is not declared.
    NamespaceLabels(String),
    /// The labels of a pod are not all known.
    PodLabels,
    /// The pods at one end are not known.
    UnknownPods,
    /// An address block of a NetworkPolicy may hold a pod, and plugins differ in whether it counts.
    BlockOfPods,
    /// The address of a pod is not known.
    PodAddress,
    /// Some of the addresses are meant and some are not.
    AddressesDiffer,
    /// Which addresses a name has is not known.
    DomainName(String),
    /// The nodes are not known.
    Nodes,
    /// The containers' ports are not known.
    NamedPort(String),
    /// A policy, or a part of it, cannot be understood.
    Unreadable(ObjectKey),
    /// A part of an object is found out later, such as when Terraform runs.
    UnknownPart {
        /// The policy, pod or other object.
        object: ObjectKey,
        /// Which part, and why.
        part: Arc<UnknownPart>,
    },
    /// Whether an object will exist is found out later.
    MayNotExist {
        /// The object.
        object: ObjectKey,
        /// Why.
        why: String,
    },
    /// Policies could not be read.
    Unread(String),
    /// Nothing of a namespace is known, and so no policies in it.
    UndeclaredNamespace(String),
    /// Which networks the pods are on, or whether one leads to the other, is not known.
    PrimaryNetwork(String),
    /// Policies of the same tier and priority disagree.
    SamePriority,
    /// Nothing in the world is what the connection goes to.
    NoBackend(String),
    /// Whether the pod sees the client's address or another is not known: that of a node, or of a
    /// load balancer.
    SourceAddress(String),
    /// Some of those that answer may be reached, and some may not.
    BackendsDiffer,
    /// Some of the ports that may be meant may be reached, and some may not.
    PortsDiffer(String),
    /// Some of the workloads that may be meant may connect, and some may not.
    ConsumersDiffer(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostNetwork => f.write_str(
                "a pod of the host network is at one end, which network plugins may treat as a pod or as its node",
            ),
            Self::OwnNode => f.write_str(
                "traffic between a pod and its own node is always allowed, and this may be that node",
            ),
            Self::NamespaceLabels(namespace) => {
                write!(f, "the labels of namespace {namespace} are not known")
            }
            Self::PodLabels => f.write_str("not all labels of the pod are known"),
            Self::UnknownPods => f.write_str("the pods at one end are not known"),
            Self::BlockOfPods => f.write_str(
                "an address block may hold the pod, and network plugins differ in whether it counts for pods",
            ),
            Self::PodAddress => f.write_str("the pod's address is not known"),
            Self::AddressesDiffer => {
                f.write_str("the policy means some of the addresses and not others")
            }
            Self::DomainName(name) => write!(f, "the addresses of {name} are not known"),
            Self::Nodes => f.write_str("the nodes of the cluster are not known"),
            Self::NamedPort(name) => {
                write!(f, "whether a container names a port {name} is not known")
            }
            Self::Unreadable(policy) => write!(f, "{policy} cannot be understood"),
            Self::UnknownPart { object, part } if part.path == FieldPath::root() => {
                write!(f, "{object} is not known: {}", part.reason)
            }
            Self::UnknownPart { object, part } => {
                write!(f, "{} of {object} is not known: {}", part.path, part.reason)
            }
            Self::MayNotExist { object, why } => {
                write!(f, "whether {object} will exist is not known: {why}")
            }
            Self::Unread(what) => write!(f, "could not be read: {what}"),
            Self::UndeclaredNamespace(namespace) => {
                write!(f, "nothing of namespace {namespace} is known, and so no policies in it")
            }
            Self::SamePriority => {
                f.write_str("policies of the same priority disagree, and any of them may count")
            }
            Self::PrimaryNetwork(what) | Self::NoBackend(what) => f.write_str(what),
            Self::SourceAddress(service) => write!(
                f,
                "{service} may be reached with the address of a node or of a load balancer in place of the client's"
            ),
            Self::BackendsDiffer => {
                f.write_str("some of the pods that answer may be reached, and some may not")
            }
            Self::PortsDiffer(what) => {
                write!(f, "which port is meant is not known, and not all are alike: {what}")
            }
            Self::ConsumersDiffer(what) => {
                write!(f, "which workload connects is not known, and not all may alike: {what}")
            }
        }
    }
}
