use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use underpin_model::World;
use underpin_plan::{
    Ownership,
    why::{Asked, Thing, ThingError, consumers, removal, resolve, why as needs_of},
};

use super::write;
use crate::{
    Exit,
    cli::{VariableArgs, given},
    error::CommandError,
    output::Format,
    render::{self, why::Answer},
    setup::{self, STACK_FILE, choose_environment, load_stack},
    worlds::{self, Against, Source, WorldOrigin},
};

/// Show who needs an object, with the field that says so
///
/// Follows needs to the end: who reads a Secret, the Service that selects the reader, the Ingress
/// before it. THING is written as in findings and as for kubectl: secret/db, secret/wallet/db,
/// deploy/web, namespace/wallet, certificates.cert-manager.io/wallet/tls.
///
/// Asked is the live cluster of the current context, or of --context; with --file or --environment,
/// the cluster of that environment. --against asks a dump instead, --declared the manifests of a
/// stack, both without a cluster. Changes nothing, and reads no Secret's contents.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The object, as KIND/NAME or KIND/NAMESPACE/NAME.
    #[arg(value_name = "THING", value_parser = thing)]
    thing: Thing,
    /// The namespace of the object, where THING does not say; without it all are searched.
    #[arg(short, long, value_name = "NAME", value_parser = given)]
    namespace: Option<String>,
    /// What would die and break if it went, at once and at the next start of a pod.
    #[arg(long)]
    if_removed: bool,
    /// A checklist of whom to ask before it goes or is renamed.
    #[arg(long)]
    consumers: bool,
    /// A dump to ask instead of a cluster: a file or folder of YAML or JSON as `kubectl get -A -o
    /// yaml` prints it, or - for standard input; or the name of a context.
    #[arg(long, value_name = "FILE|DIR|CONTEXT", value_parser = given, conflicts_with = "declared")]
    against: Option<String>,
    /// Ask the manifests of a stack instead of a cluster: of one environment, or of all that share
    /// a cluster.
    #[arg(long)]
    declared: bool,
    /// The stack file that names the environment; underpin.yaml where only --environment or
    /// --declared is given.
    #[arg(short, long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
    /// The environment of the stack.
    #[arg(short, long, value_name = "NAME", value_parser = given)]
    environment: Option<String>,
    /// The kubeconfig context.
    #[arg(long, value_name = "NAME", value_parser = given)]
    context: Option<String>,
    /// The kubeconfig file, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<Utf8PathBuf>,
    /// Time limit of each request to the API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    request_timeout: u64,
    #[command(flatten)]
    variables: VariableArgs,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
}

fn thing(text: &str) -> Result<Thing, String> {
    text.parse().map_err(|error: ThingError| error.to_string())
}

pub(crate) async fn why(args: WhyArgs) -> Result<Exit, CommandError> {
    let thing = args.thing.clone().in_namespace(args.namespace.as_deref());
    let thing = thing.map_err(|error| explained(&error, None))?;
    let source = source(&args, &thing).await?;
    let ownership = Ownership::of(&source.world);
    let asked = match &source.origin {
        WorldOrigin::Declared(declared) => {
            Asked::of_declared(&source.world, &ownership, |key| declared.owner(key))
        }
        WorldOrigin::Cluster => Asked::of_cluster(&source.world, &ownership),
        WorldOrigin::Dump(_) => Asked::of_dump(&source.world, &ownership),
    };
    let key = resolve(
        &thing,
        args.namespace.is_some(),
        &source.world,
        &asked.graph,
    )
    .map_err(|error| explained(&error, Some(&source)))?;
    let why = needs_of(&asked, &key);
    let answer = Answer {
        source: &source,
        consumers: args.consumers.then(|| consumers(&asked, &why)),
        removal: args.if_removed.then(|| removal(&asked, &ownership, &key)),
        why,
    };
    write(&match args.output {
        Format::Text => render::text::why(&answer),
        Format::Json => render::why::json(&answer),
    })?;
    Ok(Exit::Done)
}

/// The world that is meant.
async fn source(args: &WhyArgs, thing: &Thing) -> Result<Source, CommandError> {
    if args.declared {
        let stack = load_stack(stack_file(args))?;
        return worlds::declared(
            &stack,
            args.environment.as_deref(),
            args.context.as_deref(),
            &args.variables.variables,
        );
    }
    if !args.variables.variables.is_empty() {
        return Err(CommandError::usage(
            "--var is for manifests, and none are read",
            "add --declared to ask the manifests of a stack",
        ));
    }
    let (mut context, mut claims_namespace) = (args.context.clone(), None);
    if args.file.is_some() || args.environment.is_some() {
        let stack = load_stack(stack_file(args))?;
        let name = choose_environment(&stack, args.environment.as_deref())?;
        context = setup::context(&stack, &name, args.context.as_deref())?;
        claims_namespace.clone_from(&stack.file.spec.claims_namespace);
    }
    match args.against.as_deref().map(worlds::against).transpose()? {
        Some(Against::Dump(path)) => {
            return worlds::dumped(&path, claims_namespace.as_deref());
        }
        Some(Against::Context(named)) => match &context {
            Some(other) if *other != named => {
                return Err(CommandError::usage(
                    format!("--against names context {named}, and {other} is asked for as well"),
                    "leave one of them out",
                ));
            }
            _ => context = Some(named),
        },
        None => {}
    }
    let options = setup::connect_options(args.kubeconfig.as_deref(), context, args.request_timeout);
    // Where lists of the whole cluster are forbidden, the thing's own surroundings may be readable.
    let namespaces: Vec<String> = thing
        .surroundings()
        .map(str::to_owned)
        .into_iter()
        .collect();
    worlds::live(&options, claims_namespace.as_deref(), &namespaces).await
}

fn stack_file(args: &WhyArgs) -> &Utf8Path {
    args.file.as_deref().unwrap_or(Utf8Path::new(STACK_FILE))
}

/// What is wrong with the thing, and the way out.
fn explained(error: &ThingError, source: Option<&Source>) -> CommandError {
    let help = match error {
        ThingError::Ambiguous { .. } => {
            Some("write it out as it is listed, or choose with --namespace".to_owned())
        }
        ThingError::NoKind { .. } | ThingError::NotFound { .. } => source.map(|source| {
            let searched = searched(source);
            match source.origin {
                WorldOrigin::Cluster => format!(
                    "{searched}; another cluster is asked with --context, a dump with --against"
                ),
                WorldOrigin::Dump(_) | WorldOrigin::Declared(_) => searched,
            }
        }),
        _ => None,
    };
    CommandError::Usage {
        message: error.to_string(),
        help,
    }
}

/// Which world was searched, and how completely.
fn searched(source: &Source) -> String {
    let world: &World = &source.world;
    let what = render::why::place(source);
    match world.unread.len() {
        0 => format!("searched was {what}"),
        1 => format!("searched was {what}, of which one list could not be read"),
        more => format!("searched was {what}, of which {more} lists could not be read"),
    }
}
