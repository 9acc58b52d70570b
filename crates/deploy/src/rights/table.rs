//! The one table: each sort of request that a command sends, and the right it takes.
//!
//! A new request of `cluster` or `deploy` needs a row here; the end-to-end scenarios run every
//! command with exactly these rights. Nothing is watched, and nobody's rights are reviewed.

use underpin_cluster::claims::FINGERPRINT_KEY;

/// What somebody wants to do, who is to have the rights for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Plan, with the server's dry runs.
    Plan,
    /// Deploy.
    Up,
    /// Tear down.
    Down,
    /// Look only: `plan` without dry runs, `status`, `why`, `history`, `diff`.
    Review,
    /// Look for everything that may need an image: `images plan`, `images reap`, `images golive`.
    Images,
}

impl Task {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Up => "up",
            Self::Down => "down",
            Self::Review => "review",
            Self::Images => "images",
        }
    }
}

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At cluster scope.
    Cluster,
    /// In the namespace of the claims.
    Claims,
    /// In every namespace of the environment.
    Environment,
}

/// What a right is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// Paths that are no resources.
    Paths(&'static [&'static str]),
    /// Resources of the core group.
    Core(&'static [&'static str]),
    /// One object of the core group, by resource and name.
    Named(&'static str, &'static str),
    /// Every built-in kind that is read of the whole cluster; no Secrets.
    BuiltIn,
    /// Every custom kind that is known of.
    Custom,
    /// All kinds, known or not.
    Everything,
    /// The Namespaces of the environment, which are there already; not where it makes its own.
    Namespaces,
    /// Namespaces, where the environment makes its own.
    NewNamespaces,
    /// The kinds that the environment declares in this place.
    Declared,
}

/// One sort of request, and who sends it.
pub(super) struct Need {
    pub(super) tasks: &'static [Task],
    pub(super) place: Place,
    pub(super) target: Target,
    pub(super) verbs: &'static [&'static str],
    /// What for, in a few words.
    pub(super) why: &'static str,
}

use Place::{Claims, Cluster, Environment};
use Target::{
    BuiltIn, Core, Custom, Declared, Everything, Named, Namespaces, NewNamespaces, Paths,
};
use Task::{Down, Images, Plan, Review, Up};

const DRY_RUNS: &str = "dry runs, which Kubernetes authorises as the writes that they stand for";
const MARK: &str = "its namespaces, and the mark on them that makes a teardown count again";
const DECLARED: &str = "what is declared, and what no longer is";
const OWNED: &str = "what the environment owns";
const ALL: &[Task] = &[Plan, Up, Down, Review, Images];
const STACKS: &[Task] = &[Plan, Up, Down, Review];

/// Every sort of request.
pub(super) const NEEDS: &[Need] = &[
    Need {
        tasks: ALL,
        place: Cluster,
        target: Paths(&["/version", "/api", "/api/*", "/apis", "/apis/*"]),
        verbs: &["get"],
        why: "the server's version, and which kinds it serves",
    },
    Need {
        tasks: ALL,
        place: Cluster,
        target: Named("namespaces", "kube-system"),
        verbs: &["get"],
        why: "which cluster this is: the uid of kube-system",
    },
    Need {
        tasks: STACKS,
        place: Cluster,
        target: BuiltIn,
        verbs: &["list"],
        why: "what is deployed may be needed anywhere: everything is read but Secrets",
    },
    Need {
        tasks: STACKS,
        place: Cluster,
        target: Custom,
        verbs: &["list"],
        why: "custom kinds",
    },
    Need {
        tasks: &[Images],
        place: Cluster,
        target: Everything,
        verbs: &["list"],
        why: "any object of any kind may need an image; Helm keeps its history in Secrets",
    },
    Need {
        tasks: ALL,
        place: Claims,
        target: Core(&["configmaps"]),
        // They are listed too, as the ConfigMaps of the whole cluster are.
        verbs: &["get"],
        why: "the claims: whose everything is, what was done, and what revisions applied",
    },
    Need {
        tasks: &[Up, Down],
        place: Claims,
        target: Core(&["configmaps"]),
        verbs: &["create", "patch", "delete"],
        why: "the environment's claim, its lock, and what its newest revisions applied",
    },
    Need {
        tasks: &[Plan, Up],
        place: Claims,
        target: Named("secrets", FINGERPRINT_KEY),
        verbs: &["get"],
        why: "the key of the fingerprints that are shown instead of secret values",
    },
    Need {
        tasks: &[Up],
        place: Claims,
        target: Named("secrets", FINGERPRINT_KEY),
        verbs: &["create", "patch"],
        why: "that key is made at the first run",
    },
    Need {
        tasks: &[Plan, Up, Down],
        place: Environment,
        target: Everything,
        verbs: &["list"],
        why: "all that is in the environment's namespaces, Secrets and custom kinds too",
    },
    Need {
        tasks: &[Plan],
        place: Cluster,
        target: Namespaces,
        verbs: &["patch"],
        why: DRY_RUNS,
    },
    Need {
        tasks: &[Plan],
        place: Cluster,
        target: NewNamespaces,
        verbs: &["create", "patch"],
        why: DRY_RUNS,
    },
    Need {
        tasks: &[Plan],
        place: Cluster,
        target: Declared,
        verbs: &["create", "patch"],
        why: DRY_RUNS,
    },
    Need {
        tasks: &[Plan],
        place: Environment,
        target: Declared,
        verbs: &["create", "patch"],
        why: DRY_RUNS,
    },
    Need {
        tasks: &[Up],
        place: Cluster,
        target: Namespaces,
        verbs: &["get", "patch"],
        why: MARK,
    },
    Need {
        tasks: &[Up],
        place: Cluster,
        target: NewNamespaces,
        verbs: &["get", "create", "patch"],
        why: MARK,
    },
    Need {
        tasks: &[Up],
        place: Cluster,
        target: Declared,
        verbs: &["get", "create", "patch", "delete"],
        why: DECLARED,
    },
    Need {
        tasks: &[Up],
        place: Environment,
        target: Declared,
        verbs: &["get", "create", "patch", "delete"],
        why: DECLARED,
    },
    Need {
        tasks: &[Up],
        place: Environment,
        target: Core(&["pods/log"]),
        verbs: &["get"],
        why: "the end of a log, where something does not become ready",
    },
    Need {
        tasks: &[Up],
        place: Environment,
        target: Core(&["secrets"]),
        verbs: &["get"],
        why: "values that are hidden in logs",
    },
    Need {
        tasks: &[Down],
        place: Cluster,
        target: NewNamespaces,
        verbs: &["get", "delete"],
        why: "namespaces that the environment made, once they are proven empty",
    },
    Need {
        tasks: &[Down],
        place: Cluster,
        target: Declared,
        verbs: &["get", "delete"],
        why: OWNED,
    },
    Need {
        tasks: &[Down],
        place: Environment,
        target: Declared,
        verbs: &["get", "delete"],
        why: OWNED,
    },
];
