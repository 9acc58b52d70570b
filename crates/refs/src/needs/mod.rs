//! Who needs to connect to whom, by what the objects of a world say.
//!
//! ```text
//! workloads ─▶ environment, arguments, files ─▶ texts ─▶ hosts ─▶ suppliers ─╮
//!                                                                           ├─▶ needs
//! routes, monitors, webhooks, annotations ──────────────────────────────────╯
//! ```
//!
//! Of Secrets, hosts and ports alone are taken, and nothing else of a value reaches evidence.

mod configuration;
mod container;
mod directory;
mod expansion;
mod file;
mod found;
mod key;
mod scheme;
mod script;
mod sighting;
mod value;
mod workload;

use underpin_model::{Need, World};

use self::{directory::Directory, found::Found};

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

/// Every need that the objects of a world tell of, sorted, each once.
pub fn needs(world: &World, options: &NeedOptions) -> Vec<Need> {
    let directory = Directory::new(world);
    let mut found = Found::default();
    workload::read(world, &directory, options, &mut found);
    found.finish()
}
