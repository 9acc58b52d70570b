use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use underpin_deploy::rights::{Extent, Resource, Task, roles};
use underpin_model::{Claim, GroupKind, ObjectKey, World, builtin_kind, names};
use underpin_plan::{naming::claim_name, why::plural_of};
use underpin_refs::defined_kind;
use underpin_source::stack::Stack;

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
    setup::{STACK_FILE, choose_environment, connect_options, load_stack},
    worlds::{self, Against},
};

/// Time limit of each request to the API server, in seconds.
const REQUEST_TIMEOUT: u64 = 30;

/// Print the roles that a command needs, as manifests for kubectl
///
/// An administrator applies them: underpin rbac --for up | kubectl apply -f -
///
/// With a stack file the roles cover exactly the kinds that its environment declares, in the
/// namespaces where they lie; these are created if they are missing. Without one, what must be
/// added is said in a comment. No cluster is asked unless --against names one: then what is recorded
/// there counts too, and custom kinds are those that it serves.
///
/// plan lets its bearer dry-run, which Kubernetes authorises as the write itself; review is for who
/// may look and no more, without Secrets: `plan`, `status` and `why` say then what they do not know;
/// `history` and `diff` miss nothing. images is about no stack: its bearer lists everything in the
/// cluster, Secrets included.
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
    /// A cluster to take custom kinds and the environment's record from: the name of a context, or
    /// a dump, a file or folder of YAML or JSON as `kubectl get -A -o yaml` prints it.
    #[arg(long, value_name = "CONTEXT|FILE|DIR", value_parser = given)]
    against: Option<String>,
    /// The kubeconfig file, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE", requires = "against")]
    kubeconfig: Option<Utf8PathBuf>,
    #[command(flatten)]
    variables: VariableArgs,
    /// YAML with comments (text), or one JSON document that kubectl takes as well (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// `plan`, with the server's dry runs, and all that review is for.
    Plan,
    /// `up`, `plan`, and all that review is for.
    Up,
    /// `down`, and `status`, `why`, `history`, `diff`.
    Down,
    /// Looking only: `plan` without dry runs, `status`, `why`, `history`, `diff`; no Secrets.
    Review,
    /// `images plan`, `images reap` and `images golive`: reading everything, Secrets included.
    Images,
}

impl From<For> for Task {
    fn from(task: For) -> Self {
        match task {
            For::Plan => Self::Plan,
            For::Up => Self::Up,
            For::Down => Self::Down,
            For::Review => Self::Review,
            For::Images => Self::Images,
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

pub(crate) async fn rbac(args: RbacArgs) -> Result<Exit, CommandError> {
    let task = Task::from(args.task);
    if task == Task::Images {
        return of_images(&args);
    }
    if args.cluster_wide && task == Task::Review {
        return Err(CommandError::usage(
            "--cluster-wide is for plan, up and down",
            "review reads the whole cluster as it is, and writes nothing; leave the option out",
        ));
    }
    let declared = declared(&args)?;
    let claims_namespace = declared
        .as_ref()
        .and_then(|declared| declared.stack.file.spec.claims_namespace.clone())
        .unwrap_or_else(|| names::CLAIMS_NAMESPACE.to_owned());
    let live = match &args.against {
        Some(against) => Some(live(&args, against, &claims_namespace).await?),
        None => None,
    };
    let extent = Extent {
        everywhere: args.cluster_wide,
        ..extent(declared.as_ref(), live.as_ref())
    };
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
        against: args.against.clone(),
        environment: declared
            .as_ref()
            .map(|declared| declared.environment(live.as_ref()))
            .transpose()?,
        subjects: subjects(&args),
    };
    tell(&asked, args.output)
}

fn tell(asked: &Asked, format: Format) -> Result<Exit, CommandError> {
    write(&match format {
        Format::Text => render::rbac::yaml(asked),
        Format::Json => render::rbac::json(asked),
    })?;
    Ok(Exit::Done)
}

/// Images are needed by anything in a cluster, whatever stack it is of.
fn of_images(args: &RbacArgs) -> Result<Exit, CommandError> {
    let of_stack = [
        ("--cluster-wide", args.cluster_wide),
        ("--file", args.file.is_some()),
        ("--environment", args.environment.is_some()),
        ("--against", args.against.is_some()),
        ("--var", !args.variables.variables.is_empty()),
    ];
    if let Some((option, _)) = of_stack.iter().find(|(_, given)| *given) {
        return Err(CommandError::usage(
            format!("{option} is about a stack, and images are not"),
            "leave it out: the role lets its bearer list everything in the cluster",
        ));
    }
    let asked = Asked {
        task: Task::Images,
        claims_namespace: names::CLAIMS_NAMESPACE.to_owned(),
        roles: roles(Task::Images, &Extent::default()),
        everywhere: false,
        against: None,
        environment: None,
        subjects: subjects(args),
    };
    tell(&asked, args.output)
}

/// What `--against` names.
async fn live(
    args: &RbacArgs,
    against: &str,
    claims_namespace: &str,
) -> Result<World, CommandError> {
    let source = match worlds::against(against)? {
        Against::Dump(path) => worlds::dumped(&path, Some(claims_namespace))?,
        Against::Context(context) => {
            let kubeconfig = args.kubeconfig.as_deref();
            let options = connect_options(kubeconfig, Some(context), REQUEST_TIMEOUT);
            worlds::live(&options, Some(claims_namespace), &[]).await?
        }
    };
    // Roles that were made without its record could leave the environment helpless.
    underpin_deploy::check_claims_read(claims_namespace, &source.world.unread)?;
    Ok(source.world)
}

fn subjects(args: &RbacArgs) -> Vec<Subject> {
    let users = args.users.iter().cloned().map(Subject::User);
    let groups = args.groups.iter().cloned().map(Subject::Group);
    let accounts = args.service_accounts.iter().cloned();
    let accounts = accounts.map(|(namespace, name)| Subject::ServiceAccount { namespace, name });
    users.chain(groups).chain(accounts).collect()
}

/// A stack's environment, and what it declares.
struct Declared {
    stack: Stack,
    name: String,
    world: World,
    /// The namespace that its names derive.
    home: String,
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
    let home = worlds::home(&stack, &name)?;
    Ok(Some(Declared {
        stack,
        name,
        world,
        home,
    }))
}

impl Declared {
    fn environment(&self, live: Option<&World>) -> Result<Environment, CommandError> {
        let title = &self.stack.file.metadata.name;
        let claim = claim_name(title, &self.name).map_err(|error| {
            CommandError::usage(error.to_string(), "give stack and environment other names")
        })?;
        Ok(Environment {
            display: format!("{title}/{}", self.name),
            claim,
            guessed: guessed(&self.world, live),
            grants: grants(&self.world),
        })
    }

    /// What is recorded of it.
    fn recorded<'w>(&self, live: Option<&'w World>) -> Option<&'w Claim> {
        live?.claim(&self.stack.file.metadata.name, &self.name)
    }
}

/// How far the rights reach: over what is declared, where it is recorded or else derived, and over
/// what is recorded.
fn extent(declared: Option<&Declared>, live: Option<&World>) -> Extent {
    let mut extent = Extent::default();
    if let Some(declared) = declared {
        let recorded = declared.recorded(live);
        let placement = recorded.and_then(|claim| claim.placement.as_ref());
        let home = placement.map_or(&declared.home, |placement| &placement.namespace);
        let keys = declared.world.objects().map(|object| {
            let mut key = object.key.clone();
            if key.namespace.as_ref() == Some(&declared.home) {
                key.namespace = Some(home.clone());
            }
            if key == ObjectKey::of_namespace(declared.home.as_str()) {
                key = ObjectKey::of_namespace(home.as_str());
            }
            key
        });
        let entries = recorded
            .into_iter()
            .flat_map(|claim| claim.entries.values());
        for key in keys.chain(entries.map(|entry| entry.key.clone())) {
            reach(
                &mut extent,
                &key,
                resource(&key.kind, &declared.world, live),
            );
        }
        let custom = declared.world.kinds.keys().filter(|kind| is_custom(kind));
        extent
            .custom
            .extend(custom.map(|kind| resource(kind, &declared.world, live)));
    }
    let served = live.into_iter().flat_map(|world| world.kinds.values());
    let served = served.filter(|kind| kind.listable && is_custom(&kind.kind));
    extent.custom.extend(served.map(|kind| Resource {
        group: kind.kind.group.clone(),
        plural: kind.plural.clone(),
    }));
    extent
}

/// Makes the rights reach an object.
fn reach(extent: &mut Extent, key: &ObjectKey, resource: Resource) {
    match &key.namespace {
        _ if key.is_namespace() => {
            extent.namespaces.entry(key.name.clone()).or_default();
        }
        Some(namespace) => {
            let kinds = extent.namespaces.entry(namespace.clone()).or_default();
            kinds.insert(resource);
        }
        None => {
            let names = extent.cluster_objects.entry(resource).or_default();
            names.insert(key.name.clone());
        }
    }
}

/// A kind as roles name it: as the cluster serves it, else as its definition says, else by
/// convention.
fn resource(kind: &GroupKind, declared: &World, live: Option<&World>) -> Resource {
    let known = live
        .and_then(|world| world.kinds.get(kind))
        .or_else(|| declared.kinds.get(kind));
    Resource {
        group: kind.group.clone(),
        plural: known.map_or_else(
            || plural_of(&kind.kind.to_ascii_lowercase()),
            |known| known.plural.clone(),
        ),
    }
}

fn is_custom(kind: &GroupKind) -> bool {
    builtin_kind(&kind.group, &kind.kind).is_none()
}

/// Custom kinds that neither a definition beside them nor the cluster tells the plural of.
fn guessed(declared: &World, live: Option<&World>) -> Vec<String> {
    let defined: BTreeSet<_> = declared.objects().filter_map(defined_kind).collect();
    let told = |kind: &GroupKind| {
        defined.contains(kind) || live.is_some_and(|world| world.kinds.contains_key(kind))
    };
    let custom = declared.kinds.values();
    let guessed = custom.filter(|kind| is_custom(&kind.kind) && !told(&kind.kind));
    guessed
        .map(|kind| format!("{}.{}", kind.plural, kind.kind.group))
        .collect()
}

/// Whether the environment declares roles or bindings: who writes those must hold what they grant.
fn grants(world: &World) -> bool {
    let mut kinds = world.kinds.keys();
    kinds.any(|kind| kind.group == "rbac.authorization.k8s.io")
}
