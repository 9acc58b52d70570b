use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use underpin_deploy::rights::{Extent, Resource, Task, roles};
use underpin_model::{World, builtin_kind, names};
use underpin_plan::naming::claim_name;
use underpin_refs::defined_kind;

use super::write;
use crate::{
    Exit,
    cli::{VariableArgs, given},
    error::CommandError,
    output::Format,
    render::{
        self,
        rbac::{Asked, Environment, Subject},
    },
    setup::{STACK_FILE, choose_environment, load_stack},
    worlds,
};

/// Print the roles that a command needs, as manifests for kubectl
///
/// An administrator applies them: underpin rbac --for up | kubectl apply -f -
///
/// With a stack file the roles cover exactly the kinds that its environment declares, in the
/// namespaces where they lie; these are created if they are missing. Without one, what must be
/// added is said in a comment. Nothing is asked of any cluster.
///
/// plan lets its bearer dry-run, which Kubernetes authorises as the write itself; review is for who
/// may look and no more, without Secrets: `plan`, `status` and `why` say then what they do not know.
#[derive(Debug, Args)]
pub(crate) struct RbacArgs {
    /// What the bearer is to do.
    #[arg(long = "for", value_enum, value_name = "COMMAND")]
    task: For,
    /// Let the environment make and delete its own namespaces: its rights then hold in every
    /// namespace of the cluster, Secrets included.
    #[arg(long)]
    cluster_wide: bool,
    /// Bind this user; may be repeated.
    #[arg(long = "user", value_name = "NAME", value_parser = given)]
    users: Vec<String>,
    /// Bind this group; may be repeated. Without any of the three, a group of the roles' name.
    #[arg(long = "group", value_name = "NAME", value_parser = given)]
    groups: Vec<String>,
    /// Bind this service account; may be repeated.
    #[arg(long = "serviceaccount", value_name = "NAMESPACE:NAME", value_parser = service_account)]
    service_accounts: Vec<(String, String)>,
    /// The stack file; underpin.yaml where there is one.
    #[arg(short, long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
    /// The environment; may be left out where the stack has only one.
    #[arg(short, long, value_name = "NAME", env = "UNDERPIN_ENVIRONMENT", value_parser = given)]
    environment: Option<String>,
    #[command(flatten)]
    variables: VariableArgs,
    /// YAML with comments (text), or one JSON document that kubectl takes as well (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// `plan`, with the server's dry runs.
    Plan,
    /// `up`, and `plan`.
    Up,
    /// `down`.
    Down,
    /// Looking only: `plan` without dry runs, `status`, `why`; no Secrets.
    Review,
}

impl From<For> for Task {
    fn from(task: For) -> Self {
        match task {
            For::Plan => Self::Plan,
            For::Up => Self::Up,
            For::Down => Self::Down,
            For::Review => Self::Review,
        }
    }
}

fn service_account(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write NAMESPACE:NAME".to_owned()),
    }
}

pub(crate) fn rbac(args: &RbacArgs) -> Result<Exit, CommandError> {
    let task = Task::from(args.task);
    if args.cluster_wide && task == Task::Review {
        return Err(CommandError::usage(
            "--cluster-wide is for plan, up and down",
            "review reads the whole cluster as it is, and writes nothing; leave the option out",
        ));
    }
    let declared = declared(args)?;
    let extent = declared.as_ref().map(|declared| declared.extent.clone());
    let extent = Extent {
        everywhere: args.cluster_wide,
        ..extent.unwrap_or_default()
    };
    let claims_namespace = declared
        .as_ref()
        .and_then(|declared| declared.claims_namespace.clone())
        .unwrap_or_else(|| names::CLAIMS_NAMESPACE.to_owned());
    let mut roles = roles(task, &extent);
    // One role of the name: where an environment lives beside the claims, it holds both.
    if let Some(rules) = roles.namespaces.remove(&claims_namespace) {
        roles.claims.extend(rules);
    }
    let asked = Asked {
        task,
        claims_namespace,
        roles,
        everywhere: extent.everywhere,
        environment: declared.map(|declared| declared.environment),
        subjects: subjects(args),
    };
    write(&match args.output {
        Format::Text => render::rbac::yaml(&asked),
        Format::Json => render::rbac::json(&asked),
    })?;
    Ok(Exit::Done)
}

fn subjects(args: &RbacArgs) -> Vec<Subject> {
    let users = args.users.iter().cloned().map(Subject::User);
    let groups = args.groups.iter().cloned().map(Subject::Group);
    let accounts = args.service_accounts.iter().cloned();
    let accounts = accounts.map(|(namespace, name)| Subject::ServiceAccount { namespace, name });
    users.chain(groups).chain(accounts).collect()
}

/// What a stack declares, as far as rights go by it.
struct Declared {
    extent: Extent,
    claims_namespace: Option<String>,
    environment: Environment,
}

/// What the stack file at hand declares; none where no file is named and none is there.
fn declared(args: &RbacArgs) -> Result<Option<Declared>, CommandError> {
    let default = Utf8Path::new(STACK_FILE);
    let Some(file) = args.file.as_deref().or(default.exists().then_some(default)) else {
        let of_stack = [
            ("--environment", args.environment.is_some()),
            ("--var", !args.variables.variables.is_empty()),
        ];
        return match of_stack.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(CommandError::usage(
                format!("{option} is about a stack, and there is no {STACK_FILE} here"),
                "name the stack file with --file",
            )),
            None => Ok(None),
        };
    };
    let stack = load_stack(file)?;
    let name = choose_environment(&stack, args.environment.as_deref())?;
    let variables = &args.variables.variables;
    let world = worlds::declared(&stack, Some(&name), None, variables)?.world;
    let title = &stack.file.metadata.name;
    let claim = claim_name(title, &name).map_err(|error| {
        CommandError::usage(error.to_string(), "give stack and environment other names")
    })?;
    Ok(Some(Declared {
        extent: extent(&world),
        claims_namespace: stack.file.spec.claims_namespace.clone(),
        environment: Environment {
            display: format!("{title}/{name}"),
            claim,
            guessed: guessed(&world),
            grants: grants(&world),
        },
    }))
}

fn extent(world: &World) -> Extent {
    let resource = |kind: &underpin_model::GroupKind| {
        Some(Resource {
            group: kind.group.clone(),
            plural: world.kinds.get(kind)?.plural.clone(),
        })
    };
    let mut namespaces: BTreeMap<String, BTreeSet<Resource>> = BTreeMap::new();
    let mut cluster_kinds = BTreeSet::new();
    for object in world.objects() {
        let key = &object.key;
        match &key.namespace {
            _ if key.is_namespace() => {
                namespaces.entry(key.name.clone()).or_default();
            }
            Some(namespace) => {
                let kinds = namespaces.entry(namespace.clone()).or_default();
                kinds.extend(resource(&key.kind));
            }
            None => cluster_kinds.extend(resource(&key.kind)),
        }
    }
    let custom = world.kinds.keys().filter(|kind| is_custom(kind));
    Extent {
        namespaces,
        cluster_kinds,
        custom: custom.filter_map(resource).collect(),
        everywhere: false,
    }
}

fn is_custom(kind: &underpin_model::GroupKind) -> bool {
    builtin_kind(&kind.group, &kind.kind).is_none()
}

/// Custom kinds whose definition is not declared beside them: how they are called in roles is known
/// by convention alone.
fn guessed(world: &World) -> Vec<String> {
    let defined: BTreeSet<_> = world.objects().filter_map(defined_kind).collect();
    let custom = world.kinds.values();
    let custom = custom.filter(|kind| is_custom(&kind.kind) && !defined.contains(&kind.kind));
    custom
        .map(|kind| format!("{}.{}", kind.plural, kind.kind.group))
        .collect()
}

/// Whether the environment declares roles or bindings: who writes those must hold what they grant.
fn grants(world: &World) -> bool {
    world
        .kinds
        .keys()
        .any(|kind| kind.group == "rbac.authorization.k8s.io")
}
