//! Who needs to connect to whom, by what the objects of a world say.
//!
//! ```text
//! workloads ─▶ environment, arguments, files ─▶ texts ─▶ hosts ─▶ suppliers ─╮
//!                                                                           ├─▶ needs
//! routes, monitors, webhooks, annotations ──────────────────────────────────╯
//! ```
//!
//! Of Secrets, hosts and ports alone are taken, and nothing else of a value reaches evidence.

mod annotation;
mod api_server;
mod container;
mod directory;
mod expansion;
mod file;
mod found;
mod key;
mod labelled;
mod monitoring;
mod routes;
mod scheme;
mod script;
mod sighting;
mod suppression;
mod value;
mod workload;

use underpin_model::{Evidence, Need, World};

use self::{directory::Directory, found::Found, labelled::Pods};
use crate::pods::DEFAULT_NAMESPACE;

/// How needs are looked for.
#[derive(Clone, Debug)]
pub struct NeedOptions {
    /// The domain of the cluster, where it is none that can be told by its form.
    pub cluster_domain: Option<String>,
    /// Whether Secrets may be looked into for hosts and ports.
    pub may_read_secrets: bool,
}

impl Default for NeedOptions {
    fn default() -> Self {
        Self {
            cluster_domain: None,
            may_read_secrets: true,
        }
    }
}

/// The needs of a world, and what there is to say of how they were found.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Every need, sorted, each once.
    pub needs: Vec<Need>,
    /// Needs that somebody says are none, sorted.
    pub suppressed: Vec<SuppressedNeed>,
    /// What could not be read or understood, sorted.
    pub problems: Vec<NeedProblem>,
}

/// A need that is none, as somebody says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressedNeed {
    /// What would be a need.
    pub need: Need,
    /// Why it is none.
    pub reason: String,
    /// Where that is said.
    pub evidence: Evidence,
}

/// Something that stands in the way of knowing all needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedProblem {
    /// Of which kind.
    pub kind: ProblemKind,
    /// The object and field it is about; the note says what is wrong.
    pub evidence: Evidence,
}

/// What a problem comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// An annotation of ours cannot be understood: what it declares is not known.
    Malformed,
    /// A ConfigMap or Secret was not read, or who connects is not known: needs may be missing.
    Unknown,
    /// A suppression that suppresses nothing.
    UnusedSuppression,
}

/// Every need that the objects of a world tell of, sorted, each once. Those that somebody says are
/// none are left out.
pub fn needs(world: &World, options: &NeedOptions) -> Vec<Need> {
    read_needs(world, options).needs
}

/// As [`needs`], with what was left out and what could not be read.
pub fn read_needs(world: &World, options: &NeedOptions) -> Needs {
    let directory = Directory::new(world);
    let mut found = Found::default();
    let pods = Pods::new(world);
    workload::read(world, &pods, &directory, options, &mut found);
    routes::read(world, &directory, options, &mut found);
    api_server::read(world, &directory, options, &mut found);
    monitoring::read(world, &pods, &mut found);
    let suppressions = annotation::read(world, &pods, &mut found);
    suppression::apply(&suppressions, found.finish())
}
