//! Whose an object is, as far as it can be told.

use std::fmt;

/// The owner of an object for people: the claim or tool that made it and would delete it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A claim of Underpin.
    Claim {
        /// Stack of the claim.
        stack: String,
        /// Environment of the claim.
        environment: String,
    },
    /// Another deployment tool, recognised by its labels, annotations or field manager.
    Tool {
        /// The tool, such as `Helm`, `Argo CD`, `Flux`, `kapp`.
        tool: &'static str,
        /// Its unit: release, application, kustomization; empty when the mark does not tell.
        name: String,
    },
    /// Nobody in particular: only a field manager is known, such as `kubectl-create`.
    Manager(String),
    /// Nothing is known.
    Unknown,
}

impl Owner {
    /// Whether somebody other than a person at a command line holds the object and would
    /// reconcile or delete it.
    pub fn is_claimed(&self) -> bool {
        matches!(self, Self::Claim { .. } | Self::Tool { .. })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { stack, environment } => write!(f, "{stack}/{environment}"),
            Self::Tool { tool, name } if name.is_empty() => f.write_str(tool),
            Self::Tool { tool, name } => write!(f, "{tool} {name}"),
            Self::Manager(manager) => write!(f, "unclaimed, made by {manager}"),
            Self::Unknown => f.write_str("unclaimed"),
        }
    }
}
