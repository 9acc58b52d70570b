//! Needs: connections that something must be able to open.

use std::{fmt, net::IpAddr};

use crate::{Evidence, ObjectKey, PortRef, Protocol};

/// One connection that something needs, and why that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Who connects.
    pub from: Consumer,
    /// To what.
    pub to: Supplier,
    /// Over which protocol.
    pub protocol: Protocol,
    /// To which port of the supplier; absent where nothing tells, and any of its ports may be meant.
    pub port: Option<PortRef>,
    /// How sure it is that the connection is made.
    pub confidence: Confidence,
    /// What says so; never empty, and never with a secret value.
    pub evidence: Vec<Evidence>,
    /// Why, in the words of whoever declared it.
    pub reason: Option<String>,
}

/// Who connects to what, over which protocol and to which port.
pub type Connection<'n> = (&'n Consumer, &'n Supplier, Protocol, Option<&'n PortRef>);

impl Need {
    /// The connection that is needed: needs of the same one are the same need.
    pub fn connection(&self) -> Connection<'_> {
        (&self.from, &self.to, self.protocol, self.port.as_ref())
    }
}

/// Who opens a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consumer {
    /// The pods of a workload, or one pod. It need not be in the world.
    Workload(ObjectKey),
    /// A workload or pod of which the kind is not known, as people and flows name it.
    Named {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Pods of a namespace, of which nothing more is known.
    Namespace(String),
    /// Whatever serves Ingresses and routes from outside.
    IngressController,
    /// The API server, which calls webhooks and aggregated APIs.
    ApiServer,
    /// An address, as recorded flows tell of it.
    Address(IpAddr),
}

/// What a connection goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Supplier {
    /// A Service, declared or not.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The pods of a workload, straight.
    Workload(ObjectKey),
    /// A host outside of the cluster.
    Host(String),
    /// An address.
    Address(IpAddr),
}

/// How sure it is that a need is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A guess from text, such as a bare name beside a port. Never blocks by itself.
    Guessed,
    /// A value that a process is started with names it in a form that is hardly anything else.
    Likely,
    /// A field that means nothing else, a declaration by a person, or a connection that was seen.
    Certain,
}

impl Confidence {
    /// The name in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guessed => "guessed",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(key) => write!(f, "{key}"),
            Self::Named { namespace, name } => write!(f, "{namespace}/{name}"),
            Self::Namespace(name) => write!(f, "namespace/{name}"),
            Self::IngressController => f.write_str("the ingress controller"),
            Self::ApiServer => f.write_str("the API server"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

impl fmt::Display for Supplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { namespace, name } => write!(f, "service/{namespace}/{name}"),
            Self::Workload(key) => write!(f, "{key}"),
            Self::Host(name) => f.write_str(name),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

/// `deployment.apps/shop/web → service/db/postgres TCP 5432`; without the port where none is known.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} {}", self.from, self.to, self.protocol)?;
        match &self.port {
            Some(port) => write!(f, " {port}"),
            None => Ok(()),
        }
    }
}
