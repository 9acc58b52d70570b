//! From the table to the rules of roles.

use std::collections::{BTreeMap, BTreeSet};

use underpin_cluster::is_ambient;
use underpin_model::{BUILTIN_KINDS, GroupKind};
use underpin_plan::why::plural_of;

use super::{
    Task,
    table::{NEEDS, Need, Place, Target},
};

/// A kind as roles name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// API group, empty for core.
    pub group: String,
    /// The plural, such as `deployments`.
    pub plural: String,
}

/// How far rights are to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The namespaces of the environment, each with the kinds declared in it.
    pub namespaces: BTreeMap<String, BTreeSet<Resource>>,
    /// Declared objects that live in no namespace, Namespaces left out: names by kind. A right to the
    /// whole kind would reach what is everybody's.
    pub cluster_objects: BTreeMap<Resource, BTreeSet<String>>,
    /// Custom kinds that are known of.
    pub custom: BTreeSet<Resource>,
    /// Whether the environment makes and deletes its own namespaces, so that its rights must hold
    /// in namespaces that are not there yet.
    pub everywhere: bool,
}

/// One rule of a role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// API groups; none where the rule is about paths.
    pub groups: Vec<String>,
    /// Plurals, `*` for all.
    pub resources: Vec<String>,
    /// Names of objects; none for all.
    pub names: Vec<String>,
    /// Paths that are no resources.
    pub paths: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
    /// What for.
    pub why: &'static str,
}

/// The rules of a task by where they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// In the whole cluster.
    pub cluster: Vec<Rule>,
    /// In the namespace of the claims.
    pub claims: Vec<Rule>,
    /// In each namespace of the environment.
    pub namespaces: BTreeMap<String, Vec<Rule>>,
}

/// The rules that a task takes, and no more.
pub fn roles(task: Task, extent: &Extent) -> Roles {
    let mut roles = Roles::default();
    for need in NEEDS.iter().filter(|need| need.tasks.contains(&task)) {
        match need.place {
            Place::Cluster => roles.cluster.extend(in_cluster(need, extent)),
            Place::Claims => roles.claims.extend(rules(need, &BTreeSet::new())),
            Place::Environment if extent.everywhere => {
                let kinds: BTreeSet<Resource> =
                    extent.namespaces.values().flatten().cloned().collect();
                roles.cluster.extend(rules(need, &kinds));
            }
            Place::Environment => {
                for (namespace, kinds) in &extent.namespaces {
                    let of_namespace = roles.namespaces.entry(namespace.clone()).or_default();
                    of_namespace.extend(rules(need, kinds));
                }
            }
        }
    }
    if roles.cluster.iter().any(lists_everything) {
        let listed = |rule: &Rule| is_list(rule) && !lists_everything(rule);
        roles.cluster.retain(|rule| !listed(rule));
    }
    roles
}

fn is_list(rule: &Rule) -> bool {
    rule.verbs == ["list"]
}

fn lists_everything(rule: &Rule) -> bool {
    is_list(rule) && rule.resources == ["*"]
}

fn in_cluster(need: &Need, extent: &Extent) -> Vec<Rule> {
    match need.target {
        Target::BuiltIn => rules(need, &builtin()),
        Target::Custom => rules(need, &extent.custom),
        Target::Namespaces if extent.everywhere => Vec::new(),
        Target::Namespaces => {
            let names: Vec<&str> = extent.namespaces.keys().map(String::as_str).collect();
            let named = !names.is_empty();
            let named = named.then(|| rule(need, "", &["namespaces"], &names));
            named.into_iter().collect()
        }
        Target::NewNamespaces if extent.everywhere => vec![rule(need, "", &["namespaces"], &[])],
        Target::NewNamespaces => Vec::new(),
        Target::Declared => {
            let objects = extent.cluster_objects.iter();
            let named = objects.map(|(kind, names)| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                rule(need, &kind.group, &[&kind.plural], &names)
            });
            named.collect()
        }
        Target::Paths(_) | Target::Core(_) | Target::Named(..) | Target::Everything => {
            rules(need, &BTreeSet::new())
        }
    }
}

/// The rules of a need, `kinds` being those that its target stands for.
fn rules(need: &Need, kinds: &BTreeSet<Resource>) -> Vec<Rule> {
    match need.target {
        Target::Paths(paths) => vec![Rule {
            groups: Vec::new(),
            paths: owned(paths),
            ..rule(need, "", &[], &[])
        }],
        Target::Core(resources) => vec![rule(need, "", resources, &[])],
        Target::Named(resource, name) => vec![rule(need, "", &[resource], &[name])],
        Target::Everything => vec![rule(need, "*", &["*"], &[])],
        Target::Namespaces | Target::NewNamespaces => Vec::new(),
        Target::BuiltIn | Target::Custom | Target::Declared => by_group(kinds)
            .into_iter()
            .map(|(group, plurals)| rule(need, group, &plurals, &[]))
            .collect(),
    }
}

fn rule(need: &Need, group: &str, resources: &[&str], names: &[&str]) -> Rule {
    Rule {
        groups: owned(&[group]),
        resources: owned(resources),
        names: owned(names),
        paths: Vec::new(),
        verbs: owned(need.verbs),
        why: need.why,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn by_group(kinds: &BTreeSet<Resource>) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in kinds {
        groups.entry(&kind.group).or_default().push(&kind.plural);
    }
    groups
}

/// The built-in kinds that are read of the whole cluster. A right to Secrets would be one to their
/// contents, whatever is asked for.
fn builtin() -> BTreeSet<Resource> {
    BUILTIN_KINDS
        .iter()
        .map(|row| GroupKind::new(row.group, row.kind))
        .filter(|kind| !is_ambient(kind) && !kind.is("", "Secret"))
        .map(|kind| Resource {
            plural: plural_of(&kind.kind.to_ascii_lowercase()),
            group: kind.group,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASKS: [Task; 4] = [Task::Plan, Task::Up, Task::Down, Task::Review];

    /// R4.1: who looks for images lists everything there is, and that is all: of what is not in a list it may
    /// get the claims and what tells clusters apart.
    #[test]
    fn r4_1_images_are_looked_for_everywhere_and_nothing_is_written() {
        let roles = roles(Task::Images, &Extent::default());
        assert!(roles.namespaces.is_empty());
        for act in ["secrets", "pods", "helmreleases.helm.toolkit.fluxcd.io"] {
            let (plural, group) = act.split_once('.').unwrap_or((act, ""));
            assert!(
                allows(&roles.cluster, "list", group, plural, "any"),
                "{act}"
            );
            assert!(
                !allows(&roles.cluster, "get", group, plural, "any"),
                "{act}"
            );
        }
        for rule in all(&roles) {
            let verbs: Vec<&str> = rule.verbs.iter().map(String::as_str).collect();
            assert!(matches!(verbs[..], ["get" | "list"]), "{rule:?}");
        }
        assert!(!allows(&roles.claims, "get", "", "secrets", "any"));
    }

    fn resource(group: &str, plural: &str) -> Resource {
        Resource {
            group: group.to_owned(),
            plural: plural.to_owned(),
        }
    }

    fn extent(everywhere: bool) -> Extent {
        Extent {
            namespaces: [
                ("shop".to_owned(), [resource("", "configmaps")].into()),
                (
                    "edge".to_owned(),
                    [resource("networking.k8s.io", "ingresses")].into(),
                ),
            ]
            .into(),
            cluster_objects: [(
                resource("storage.k8s.io", "storageclasses"),
                ["fast".to_owned()].into(),
            )]
            .into(),
            custom: [resource("cert-manager.io", "certificates")].into(),
            everywhere,
        }
    }

    fn all(roles: &Roles) -> Vec<&Rule> {
        let namespaces = roles.namespaces.values().flatten();
        roles
            .cluster
            .iter()
            .chain(&roles.claims)
            .chain(namespaces)
            .collect()
    }

    /// Whether some rule of these allows a verb on an object.
    fn allows(rules: &[Rule], verb: &str, group: &str, plural: &str, name: &str) -> bool {
        let holds = |values: &[String], value: &str| values.iter().any(|v| v == value || v == "*");
        rules.iter().any(|rule| {
            holds(&rule.verbs, verb)
                && holds(&rule.groups, group)
                && holds(&rule.resources, plural)
                && (rule.names.is_empty() || rule.names.iter().any(|one| one == name))
        })
    }

    /// Who looks cannot write, nor read a Secret, wherever it is.
    #[test]
    fn a_reviewer_writes_nothing_and_reads_no_secret() {
        let roles = roles(Task::Review, &extent(false));
        assert!(roles.namespaces.is_empty());
        for rule in all(&roles) {
            assert!(
                rule.verbs
                    .iter()
                    .all(|verb| verb == "get" || verb == "list"),
                "{rule:?}"
            );
            let secrets = rule
                .resources
                .iter()
                .any(|one| one == "secrets" || one == "*");
            assert!(!secrets, "{rule:?}");
        }
    }

    /// R9: nobody reads the Secrets of the whole cluster unless the environment is to make its own
    /// namespaces; nobody deletes but who deploys and tears down; nobody deletes namespaces that an
    /// administrator made.
    #[test]
    fn rights_end_where_the_environment_ends() {
        for task in TASKS {
            let roles = roles(task, &extent(false));
            assert!(
                !allows(&roles.cluster, "list", "", "secrets", "any"),
                "{task:?}"
            );
            assert!(
                !allows(&roles.cluster, "delete", "", "namespaces", "shop"),
                "{task:?}"
            );
            assert!(
                !allows(&roles.cluster, "patch", "", "namespaces", "other"),
                "{task:?}"
            );
            assert!(
                !allows(&roles.cluster, "patch", "", "configmaps", "any"),
                "{task:?}"
            );
            let may_delete = all(&roles)
                .iter()
                .any(|rule| rule.verbs.contains(&"delete".to_owned()));
            assert_eq!(
                may_delete,
                matches!(task, Task::Up | Task::Down),
                "{task:?}"
            );
        }
    }

    #[track_caller]
    fn check(task: Task, namespace: &str, act: &str, expect: bool) {
        let (verb, resource) = act.split_once(' ').unwrap();
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        let roles = roles(task, &extent(false));
        let rules = match namespace {
            "" => &roles.cluster,
            name => &roles.namespaces[name],
        };
        assert_eq!(
            allows(rules, verb, group, plural, "any"),
            expect,
            "{task:?} {namespace} {act}"
        );
    }

    /// Each namespace has the kinds that are declared in it and no others.
    #[test]
    fn exactly_the_declared_kinds_are_written_where_they_are_declared() {
        check(Task::Up, "shop", "patch configmaps", true);
        check(Task::Up, "edge", "patch configmaps", false);
        check(Task::Up, "edge", "delete ingresses.networking.k8s.io", true);
        check(Task::Up, "", "patch storageclasses.storage.k8s.io", false);
        check(Task::Up, "shop", "get pods/log", true);
        check(Task::Up, "shop", "list anything.of.others", true);
        check(Task::Plan, "shop", "patch configmaps", true);
        check(Task::Plan, "shop", "get configmaps", false);
        check(Task::Plan, "shop", "delete configmaps", false);
        check(Task::Down, "shop", "delete configmaps", true);
        check(Task::Down, "shop", "patch configmaps", false);
        check(Task::Down, "", "list certificates.cert-manager.io", true);
        check(Task::Down, "", "list events", false);
    }

    /// What lives in no namespace is everybody's: only what is declared may be written.
    #[test]
    fn of_cluster_scoped_kinds_only_declared_objects_are_written() {
        for everywhere in [false, true] {
            let roles = roles(Task::Up, &extent(everywhere));
            let may = |name| {
                let group = "storage.k8s.io";
                allows(&roles.cluster, "delete", group, "storageclasses", name)
            };
            assert!(may("fast") && !may("any"), "{everywhere}");
        }
    }

    /// Where an environment makes its own namespaces, its rights cannot be bound in them.
    #[test]
    fn rights_everywhere_are_of_the_cluster() {
        let roles = roles(Task::Up, &extent(true));
        assert!(roles.namespaces.is_empty());
        for act in [
            "create namespaces",
            "patch configmaps",
            "list secrets",
            "get pods/log",
        ] {
            let (verb, plural) = act.split_once(' ').unwrap();
            assert!(allows(&roles.cluster, verb, "", plural, "any"), "{act}");
        }
        let lists = roles.cluster.iter().filter(|rule| is_list(rule)).count();
        assert_eq!(lists, 1, "one rule lists everything");
    }
}
