//! What can be asked: may this connect to that?

use std::{collections::BTreeMap, fmt, net::IpAddr};

use underpin_model::{ObjectKey, PortRef, Protocol};

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// The pods of a workload of the world, or one pod.
    Workload(ObjectKey),
    /// Pods that the world need not hold.
    Pods {
        /// Their namespace.
        namespace: String,
        /// Their labels, where they are known.
        labels: Option<BTreeMap<String, String>>,
    },
    /// Pods of a namespace of which some labels are known, and nothing else.
    PodsOfSome {
        /// Labels of the namespace, which may have more.
        namespaces: BTreeMap<String, String>,
        /// Labels of the pods, which may have more.
        labels: BTreeMap<String, String>,
    },
    /// An address: of a pod, of a node, or outside of the cluster.
    Address(IpAddr),
    /// A host outside of the cluster.
    Host(String),
    /// A node, such as its kubelet that probes.
    Node(String),
    /// Whatever serves Ingresses or Gateways. As a source it may send everything: which pods it is, and so
    /// which policies limit what it sends, is not known.
    IngressController,
    /// The API server, which calls webhooks and aggregated APIs. From where it does, a node or
    /// outside of the cluster, is not known.
    ApiServer,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(key) => write!(f, "{key}"),
            Self::Pods { namespace, labels } => {
                write!(f, "pods of namespace {namespace}")?;
                with(f, labels.iter().flatten())
            }
            Self::PodsOfSome { namespaces, labels } => {
                f.write_str("pods")?;
                with(f, labels)?;
                f.write_str(" of namespaces")?;
                with(f, namespaces)?;
                f.write_str(" that could not be listed")
            }
            Self::Address(address) => write!(f, "{address}"),
            Self::Host(name) => f.write_str(name),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::IngressController => f.write_str("the ingress controller"),
            Self::ApiServer => f.write_str("the API server"),
        }
    }
}

/// ` with app=web,tier=x`; nothing without labels.
fn with<'a>(
    f: &mut fmt::Formatter<'_>,
    labels: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> fmt::Result {
    let mut separator = " with ";
    for (key, value) in labels {
        write!(f, "{separator}{key}={value}")?;
        separator = ",";
    }
    Ok(())
}

/// What a connection goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Straight to pods or an address.
    Endpoint(Endpoint),
    /// By a Service. Policies never see it, but the pods behind it and their ports.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => write!(f, "{endpoint}"),
            Self::Service { namespace, name } => write!(f, "service/{namespace}/{name}"),
        }
    }
}

/// May `from` open a new connection to `to`?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// Who connects.
    pub from: Endpoint,
    /// To what.
    pub to: Target,
    /// Over which protocol.
    pub protocol: Protocol,
    /// To which port.
    pub port: PortRef,
}

/// `deployment.apps/shop/web → service/db/postgres TCP 5432`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            protocol,
            port,
        } = self;
        write!(f, "{from} → {to} {protocol} {port}")
    }
}
