use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use camino::Utf8PathBuf;
use clap::Args;
use underpin_cluster::{Cluster, Host as _, SystemHost, claims::parse_taken_down};
use underpin_edge::{Edge, Folder, Observed, Ready, SecretsWait, token};
use underpin_model::{GroupKind, World};
use underpin_route::{Act, EdgeObjects, Remembered, Settings};

use super::setting::{EdgeArgs, ReadArgs};
use crate::{
    Exit,
    cli::given,
    commands::write,
    error::CommandError,
    output::Format,
    render::{self, routes::Rendered},
    setup::connect_options,
    worlds::{self, Against, tells_endpoints},
};

/// Write the document for Caddy, once
///
/// Reads the cluster, or what --against names, tries every entry on a Caddy of its own, and writes one
/// JSON document: for `caddy run --config FILE`, and as an init container beside `routes serve`.
///
/// With --folder, what is remembered there counts: what vanished without a cause is served on. Nothing
/// is written if anything could not be read, or if there is no route at all and --accept-loss does
/// not consent to that. The document holds what the entries hold, and is written for its owner alone.
#[derive(Debug, Args)]
pub(crate) struct RoutesRenderArgs {
    #[command(flatten)]
    edge: EdgeArgs,
    #[command(flatten)]
    read: ReadArgs,
    /// What to read instead of a cluster: a file or folder of YAML or JSON as `kubectl get -A -o yaml`
    /// prints it, or - for standard input; or the name of a context.
    #[arg(long, value_name = "FILE|DIR|CONTEXT", value_parser = given)]
    against: Option<String>,
    /// The file to write.
    #[arg(long, value_name = "FILE", required_unless_present = "folder")]
    out: Option<PathBuf>,
    /// The folder that `routes serve` keeps: caddy.json and what is remembered.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    folder: Option<PathBuf>,
    /// Consent to the loss of this name, which the command tells.
    #[arg(long, value_name = "NAME", value_parser = given)]
    accept_loss: Option<String>,
    /// End well if something cannot be read and the folder holds a document: Caddy is to boot from
    /// that.
    #[arg(long, requires = "folder")]
    keep_last: bool,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// How long is waited for Secrets.
const READ_SECRETS: Duration = Duration::from_secs(30);

/// The command, as its documents name it.
pub(super) const NAME: &str = "routes-render";

impl RoutesRenderArgs {
    /// How an error that ends the command is told.
    pub(super) fn error_format(&self) -> Format {
        self.output
    }
}

pub(super) async fn render(args: RoutesRenderArgs) -> Result<Exit, CommandError> {
    let folder = args.folder.as_deref().map(Folder::open).transpose()?;
    let recalled = folder.as_ref().map(Folder::remembered).transpose()?;
    let mut remembered = recalled.flatten().unwrap_or_default();
    if remembered.nonce.is_empty() {
        remembered.nonce = token(&SystemHost)?;
    }
    // What is wrong with the arguments is not kept quiet, whatever is there.
    let options = args.edge.options(true)?;
    let read = match world(&args, &options.read).await {
        Err(CommandError::Cluster(error))
            if !error.is_of_setup() && args.keep_last && has_document(folder.as_ref()) =>
        {
            let told = Rendered::kept_last(error.to_string());
            return finish(&args, &told, Exit::Done);
        }
        read => read?,
    };
    let world = &read.world;
    let objects = EdgeObjects::of(world, &options.read);
    remembered.learn(&BTreeMap::new(), &read.taken_down, &world.claims, &objects);
    let mut edge = Edge::new(args.edge.options(tells_endpoints(world))?);
    edge.prepare(folder.as_ref())?;
    if let Some(document) = folder.as_ref().map(Folder::document).transpose()?.flatten() {
        edge.recall_certificates(&document);
    }
    let now = u64::try_from(SystemHost.now().as_second()).unwrap_or_default();
    let accepted = args.accept_loss.as_deref();
    let observed = Observed {
        world,
        objects: &objects,
        unread: None,
    };
    let mut decided = edge
        .decide(observed.clone(), &remembered, true, accepted, now)
        .await
        .map_err(underpin_edge::EdgeError::from)?;
    let mut told = Rendered::of(&decided);
    if decided.round.act != Act::Publish {
        let is_unread = !decided.table.incomplete.is_empty();
        let exit = if is_unread && args.keep_last && has_document(folder.as_ref()) {
            told.keeps_last = true;
            Exit::Done
        } else if is_unread {
            Exit::Error
        } else {
            Exit::Blocked
        };
        return finish(&args, &told, exit);
    }
    if let Some(cluster) = &read.cluster {
        let wait = SecretsWait::All(READ_SECRETS);
        let looked = edge.look_at_certificates(cluster, &decided, wait, now);
        if looked.await {
            // What was of no use may be by now.
            decided = edge
                .decide(observed, &remembered, true, accepted, now)
                .await
                .map_err(underpin_edge::EdgeError::from)?;
        }
    }
    told.certificates(edge.certificate_problems(&decided.round.next.served));
    let next = decided.round.next;
    let ready = edge.document(&next)?;
    let path = keep(args.out.as_deref(), folder.as_ref(), &ready, &next)?;
    told.written(path.display().to_string(), &next, &ready);
    let exit = if args.strict && told.has_warnings() {
        Exit::Warnings
    } else {
        Exit::Done
    };
    finish(&args, &told, exit)
}

fn keep(
    out: Option<&Path>,
    folder: Option<&Folder>,
    ready: &Ready,
    next: &Remembered,
) -> Result<PathBuf, CommandError> {
    if let Some(folder) = folder {
        folder.keep(&ready.bytes, next)?;
        return Ok(folder.document_path());
    }
    let path = out.unwrap_or_else(|| Path::new(underpin_edge::DOCUMENT_FILE));
    underpin_files::replace(path, &ready.bytes).map_err(|source| CommandError::Io {
        what: format!("cannot write {}", path.display()),
        source,
    })?;
    Ok(path.to_owned())
}

fn finish(args: &RoutesRenderArgs, told: &Rendered, exit: Exit) -> Result<Exit, CommandError> {
    write(&match args.output {
        Format::Text => render::routes::text(told),
        Format::Json => render::routes::json(NAME, exit, told),
    })?;
    Ok(exit)
}

fn has_document(folder: Option<&Folder>) -> bool {
    folder.is_some_and(|folder| matches!(folder.document(), Ok(Some(_))))
}

/// What is read.
struct Read {
    world: World,
    /// What `down`s took.
    taken_down: BTreeMap<String, u64>,
    /// Where, if not of a dump.
    cluster: Option<Cluster>,
}

async fn world(args: &RoutesRenderArgs, settings: &Settings) -> Result<Read, CommandError> {
    let read = &args.read;
    let mut context = read.context.clone();
    match args.against.as_deref().map(worlds::against).transpose()? {
        Some(Against::Dump(path)) => return dumped(&path, &read.claims_namespace, settings),
        Some(Against::Context(named)) => context = Some(named),
        None => {}
    }
    let connect = connect_options(read.kubeconfig.as_deref(), context, read.request_timeout);
    let cluster = Cluster::connect(&connect).await?;
    let once = underpin_edge::read_once(&cluster, settings, &read.claims_namespace);
    let (world, taken_down) = once.await?;
    Ok(Read {
        world,
        taken_down,
        cluster: Some(cluster),
    })
}

/// A dump; what it need not hold is unknown, as everywhere.
fn dumped(
    path: &Utf8PathBuf,
    claims_namespace: &str,
    settings: &Settings,
) -> Result<Read, CommandError> {
    let source = worlds::dumped(path, Some(claims_namespace))?;
    if !source.problems.is_empty() {
        return Err(CommandError::Declared {
            summary: format!("{path} cannot be used"),
            diagnostics: source.problems,
        });
    }
    let taken_down = parse_taken_down(claims_namespace, source.world.objects());
    let mut sources = vec![GroupKind::core("Service")];
    if settings.ingress_class.is_some() {
        sources.push(GroupKind::new("networking.k8s.io", "Ingress"));
    }
    Ok(Read {
        world: source.world_as_known(&sources),
        taken_down,
        cluster: None,
    })
}
