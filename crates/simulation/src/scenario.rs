//! What a simulation plays: environments, what else is in the cluster, and what is done in order.
//!
//! A scenario is a function of its seed. Its parts are numbered, so that a failing one can be
//! shrunk by leaving parts out, and named again in one line: a seed, and the parts to leave out.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    random::Random,
    template::{Setting, Template},
};

/// Largest number of declared objects of one version.
const TEMPLATES: usize = 7;
/// Largest number of operations.
const OPERATIONS: usize = 5;
/// Of a hundred versions, so many declare more Services than a wave waits for.
const CROWDED: usize = 3;

/// One environment of a stack.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Stack.
    pub stack: &'static str,
    /// Environment.
    pub name: &'static str,
    /// Parent environment.
    pub parent: Option<&'static str>,
    /// Explicit namespace.
    pub namespace: Option<&'static str>,
    /// Whether sharing that namespace was asked for.
    pub shared: bool,
    /// Where it lives if deployed fresh.
    pub home: &'static str,
    /// Where a deployer before Underpin put it.
    pub legacy: &'static str,
    /// Ends the names of its objects.
    pub suffix: &'static str,
    /// What it declares, version by version.
    pub versions: Vec<Vec<Template>>,
}

impl Environment {
    /// A name that no other environment of a scenario has.
    pub fn id(&self) -> String {
        format!("{}-{}", self.stack, self.name)
    }

    /// The objects of a version when it lives in `home`.
    pub fn objects(&self, version: usize, home: &str) -> Vec<Value> {
        let id = self.id();
        let setting = Setting {
            home,
            environment: &id,
            suffix: self.suffix,
        };
        let templates = self.versions.get(version).into_iter().flatten();
        templates
            .flat_map(|template| template.objects(&setting))
            .collect()
    }
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `underpin up` of a version.
    Up {
        /// Which environment.
        environment: usize,
        /// Which version.
        version: usize,
    },
    /// `underpin down`.
    Down {
        /// Which environment.
        environment: usize,
    },
    /// `underpin down --kept`.
    DownKept {
        /// Which environment.
        environment: usize,
    },
    /// `underpin import` of what a former deployer left.
    Import {
        /// Which environment.
        environment: usize,
        /// Its manifests tell the objects.
        version: usize,
    },
    /// Somebody without Underpin.
    Foreign(Foreign),
}

impl Operation {
    /// The environment that acts, if one does.
    pub fn environment(&self) -> Option<usize> {
        match self {
            Self::Up { environment, .. }
            | Self::Down { environment }
            | Self::DownKept { environment }
            | Self::Import { environment, .. } => Some(*environment),
            Self::Foreign(_) => None,
        }
    }
}

/// What somebody without Underpin does, with plain requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Deploys an environment's objects as another deployer did before.
    Legacy {
        /// Which environment.
        environment: usize,
        /// Which version.
        version: usize,
    },
    /// Makes an environment's home.
    Namespace(usize),
    /// Makes a ConfigMap of its own in an environment's home.
    ConfigMap(usize),
    /// Deploys a workload that mounts the Secret and reads the ConfigMap `app` of an environment,
    /// as far as they are there.
    Needy(usize),
    /// Copies the ConfigMap `app` of an environment under another name, annotations and all, as
    /// people do with `kubectl get -o yaml`.
    Copy(usize),
    /// Writes `underpin.dev/protect` on the ConfigMap `app` of an environment.
    Protect(usize),
    /// Deletes the ConfigMap `app` of an environment by hand.
    DeleteConfigMap(usize),
    /// Deletes the ConfigMap `app` of an environment and makes it anew, annotations and all, as a
    /// restore from a backup does.
    RestoreConfigMap(usize),
    /// Makes an instance of the defined kind in an environment's home, if it is defined.
    Widget(usize),
}

/// A whole scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its seed.
    pub seed: u64,
    /// The environments.
    pub environments: Vec<Environment>,
    /// What is done, in order.
    pub operations: Vec<Operation>,
    /// Whether runs wait until objects are ready.
    pub wait: bool,
    /// Number of parts that can be left out.
    pub parts: usize,
}

impl Scenario {
    /// The scenario of a seed, without some of its parts.
    pub fn generate(seed: u64, without: &BTreeSet<usize>) -> Self {
        let mut random = Random::new(seed);
        let mut parts = 0;
        let mut keep = || {
            parts += 1;
            !without.contains(&(parts - 1))
        };
        let mut environments = environments(&mut random);
        let defines = random.percent(25).then(|| random.below(environments.len()));
        for (index, environment) in environments.iter_mut().enumerate() {
            // Who uses what another defines cannot be deployed before it.
            let uses = defines.is_some() && random.percent(30);
            let defines = defines == Some(index);
            for version in 0..2 {
                let mut templates = templates(&mut random, defines, version);
                if uses && !defines {
                    templates.push(Template::Widget {
                        name: "two",
                        revision: 0,
                    });
                }
                templates.retain(|_| keep());
                environment.versions.push(templates);
            }
        }
        let mut operations = operations(&mut random, &environments);
        operations.retain(|_| keep());
        Self {
            seed,
            environments,
            operations,
            wait: random.percent(20),
            parts,
        }
    }
}

/// Two to three environments; some pairs meet in one namespace.
fn environments(random: &mut Random) -> Vec<Environment> {
    let environment = |stack, name, parent, namespace, shared, home| Environment {
        stack,
        name,
        parent,
        namespace,
        shared,
        home,
        legacy: home,
        suffix: "",
        versions: Vec::new(),
    };
    let mut chosen = vec![environment(
        "wallet",
        "production",
        None,
        None,
        false,
        "wallet",
    )];
    chosen.push(match random.below(3) {
        0 => {
            let parent = Some("production");
            environment("wallet", "tenant", parent, None, false, "wallet-tenant")
        }
        1 => environment("shop", "production", None, None, false, "shop"),
        _ => environment("shop", "production", None, Some("wallet"), true, "wallet"),
    });
    if random.percent(40) {
        chosen.push(environment(
            "mail",
            "live",
            None,
            Some("wallet"),
            true,
            "wallet",
        ));
    }
    let shares = chosen.iter().filter(|one| one.home == "wallet").count() > 1;
    if shares {
        // Who shares says so, the first one included.
        chosen[0].namespace = Some("wallet");
        chosen[0].shared = true;
    }
    // The incident of old: the tenants lived in the namespace of their parent.
    for one in &mut chosen {
        if one.home != "wallet" && random.percent(50) {
            one.legacy = "wallet";
        }
    }
    // Names collide between environments of one namespace only when the seed says so.
    if random.percent(85) {
        for (one, suffix) in chosen.iter_mut().zip(["-a", "-b", "-c"]) {
            one.suffix = suffix;
        }
    }
    chosen
}

/// What one version of an environment declares.
fn templates(random: &mut Random, defines: bool, version: u8) -> Vec<Template> {
    let mut chosen = Vec::new();
    let revision = version * u8::from(random.percent(70));
    let pool = [
        Template::ConfigMap {
            name: "app",
            revision,
        },
        Template::ConfigMap {
            name: "extra",
            revision,
        },
        Template::Secret {
            name: "app",
            revision,
        },
        Template::ServiceAccount { name: "app" },
        Template::Service { name: "web" },
        Template::StatefulSet { name: "store" },
        Template::VolumeClaim { name: "files" },
        Template::Job {
            name: "migrate",
            revision,
        },
        Template::Role { name: "app" },
        Template::ClusterRole,
        Template::Home,
        Template::Annex,
    ];
    for template in pool {
        if random.percent(45) && chosen.len() < TEMPLATES {
            chosen.push(template);
        }
    }
    if random.percent(50) {
        let has = |wanted: &Template| chosen.contains(wanted);
        let secret = has(&Template::Secret {
            name: "app",
            revision,
        })
        .then_some("app");
        let config_map = has(&Template::ConfigMap {
            name: "app",
            revision,
        })
        .then_some("app");
        chosen.push(Template::Deployment {
            name: "web",
            secret,
            config_map,
            revision,
        });
    }
    // Seldom: each of its Services is one more place to be killed at.
    if random.percent(CROWDED) {
        chosen.push(Template::Crowd);
    }
    if defines {
        chosen.push(Template::Definition);
        chosen.push(Template::Widget {
            name: "one",
            revision,
        });
    }
    chosen
}

fn operations(random: &mut Random, environments: &[Environment]) -> Vec<Operation> {
    let mut operations = Vec::new();
    let first = random.below(environments.len());
    match random.below(6) {
        0 => {
            let legacy = Foreign::Legacy {
                environment: first,
                version: 0,
            };
            operations.push(Operation::Foreign(legacy));
            operations.push(Operation::Import {
                environment: first,
                version: 0,
            });
        }
        1 => operations.push(Operation::Foreign(Foreign::Namespace(first))),
        _ => {}
    }
    operations.push(Operation::Up {
        environment: first,
        version: 0,
    });
    for _ in 0..=random.below(OPERATIONS) {
        let environment = random.below(environments.len());
        operations.push(match random.below(16) {
            0..=7 => Operation::Up {
                environment,
                version: random.below(2),
            },
            8..=11 => Operation::Down { environment },
            12 => Operation::DownKept { environment },
            _ => Operation::Foreign(foreign(random, environment)),
        });
    }
    operations
}

/// What somebody else may do where an environment lives.
pub(crate) fn foreign(random: &mut Random, environment: usize) -> Foreign {
    match random.below(9) {
        0 => Foreign::Legacy {
            environment,
            version: random.below(2),
        },
        1 => Foreign::Namespace(environment),
        2 => Foreign::ConfigMap(environment),
        3 => Foreign::Needy(environment),
        4 => Foreign::Copy(environment),
        5 => Foreign::Protect(environment),
        6 => Foreign::DeleteConfigMap(environment),
        7 => Foreign::Widget(environment),
        _ => Foreign::RestoreConfigMap(environment),
    }
}
