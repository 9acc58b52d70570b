//! Who may open a connection to whom: one question, everybody, or what a change makes of it.

mod answers;
mod change;
mod ends;
mod needs;
mod sides;

use std::net::IpAddr;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use underpin_connect::{AddressRange, Engine, Options, Profile, Verdict};
use underpin_model::Need;
use underpin_plan::Network;
use underpin_refs::NeedOptions;

pub(crate) use self::{
    answers::{Reply, Told},
    change::Comparison,
    needs::Needs,
    sides::{Side, SideKind, holds_no_policy},
};
use super::write;
use crate::{
    Exit,
    cli::{VariableArgs, given as given_text},
    error::CommandError,
    given::given,
    output,
    render::{self, reach::Listing},
};

/// Show who may open a connection to whom, and by which line of which policy
///
/// With FROM and TO: whether that connection is allowed, what each policy about either end says of
/// it, and what comes nearest where none allows it. With FROM alone: whom it may reach, and who may
/// reach it. With neither: everybody to everybody. A connection is always a new one: what network
/// plugins make of those that exist differs.
///
/// With --before and --after, or --changed: what a change does to connections, needs that are lost
/// first, each with the place of what allowed it. A namespace that was renamed with what is in it is
/// the same namespace.
///
/// An end is written NAMESPACE/NAME, KIND/NAMESPACE/NAME, service/NAMESPACE/NAME, as a namespace, an
/// address, a host, or ingress for whatever serves Ingresses; a port as :5432, :http or :53/udp.
///
/// Asked is the live cluster of the current context, or of --context; --against asks files instead,
/// such as manifests, Terraform files, or a dump; --declared the manifests of a stack. Changes
/// nothing, and reads no Secret's contents of a cluster.
#[derive(Debug, Args)]
pub(crate) struct ReachArgs {
    /// Who connects.
    #[arg(value_name = "FROM", value_parser = given_text)]
    from: Option<String>,
    /// To what, and on which port; without a port, which ports are allowed.
    #[arg(value_name = "TO[:PORT]", value_parser = given_text)]
    to: Option<String>,
    /// What to ask instead of a cluster: files or folders of manifests or Terraform files, a dump as
    /// `kubectl get -A -o yaml` prints it, - for standard input, a revision, or a context.
    #[arg(long, value_name = "FILE|DIR|CONTEXT", value_parser = given_text)]
    against: Option<String>,
    /// Ask the manifests of a stack instead of a cluster: of one environment, or of all that share
    /// a cluster.
    #[arg(long, conflicts_with_all = ["before", "changed"])]
    declared: bool,
    /// The world before a change: a folder, a file, a revision of the repository, a context, or live
    /// for the current cluster.
    #[arg(long, value_name = "WORLD", value_parser = given_text, conflicts_with_all = ["from", "exposure", "changed"])]
    before: Option<String>,
    /// The world after it; without it the files of the current folder, or of --path.
    #[arg(long, value_name = "WORLD", value_parser = given_text, requires = "before")]
    after: Option<String>,
    /// Two revisions: what the change between them does.
    #[arg(long, value_name = "REV..REV", value_parser = revisions, conflicts_with_all = ["from", "exposure"])]
    changed: Option<(String, String)>,
    /// Of revisions and of the current folder, these files and folders alone; may be repeated.
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    /// A file of values for Terraform's variables, in every world of files; later ones win.
    #[arg(long, value_name = "FILE")]
    var_file: Vec<Utf8PathBuf>,
    /// List what needs a connection to what, refused needs first; exit with 3 if one is refused that
    /// is no guess.
    #[arg(long, conflicts_with_all = ["to", "exposure", "before", "changed"])]
    show_needs: bool,
    /// A file of needs that the objects do not show, such as of consumers in other repositories; may
    /// be repeated.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "exposure"])]
    needs: Vec<Utf8PathBuf>,
    /// Recorded flows: JSON lines as `hubble observe --output jsonpb` prints them; may be repeated.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "exposure"])]
    flows: Vec<Utf8PathBuf>,
    /// The domain of the cluster, where it is not cluster.local.
    #[arg(long, value_name = "DOMAIN", value_parser = given_text)]
    cluster_domain: Option<String>,
    /// The network that pods get their addresses from, such as 10.42.0.0/16, where the world does
    /// not say; may be repeated.
    #[arg(long, value_name = "CIDR", value_parser = block)]
    pod_cidr: Vec<AddressRange>,
    /// Whose reading counts where Kubernetes leaves a choice.
    #[arg(long, value_enum, value_name = "NAME", default_value_t = ProfileName::Documented)]
    profile: ProfileName,
    /// Also tell how far workloads are open to pods and addresses that are not there yet.
    #[arg(long, conflicts_with = "to")]
    exposure: bool,
    /// Exit with 3 unless FROM to TO is what is expected.
    #[arg(long, value_enum, value_name = "VERDICT", requires = "to")]
    expect: Option<Expected>,
    #[command(flatten)]
    target: ReachTarget,
    #[command(flatten)]
    variables: VariableArgs,
    /// Output for people (text) or for programs (json, csv), as a graph for Graphviz (dot), or as a
    /// page (html).
    #[arg(short, long, value_enum, default_value_t = ReachFormat::Text)]
    pub(crate) output: ReachFormat,
}

/// Which stack and which cluster; none need be named.
#[derive(Debug, Args)]
pub(crate) struct ReachTarget {
    /// The stack file that names the environment; underpin.yaml where only --environment or
    /// --declared is given.
    #[arg(short, long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
    /// The environment of the stack.
    #[arg(short, long, value_name = "NAME", value_parser = given_text)]
    environment: Option<String>,
    /// The kubeconfig context.
    #[arg(long, value_name = "NAME", value_parser = given_text)]
    context: Option<String>,
    /// The kubeconfig file, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<Utf8PathBuf>,
    /// Time limit of each request to the API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    request_timeout: u64,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReachFormat {
    /// For people.
    Text,
    /// One JSON document with a versioned schema.
    Json,
    /// A line per pair, for spreadsheets.
    Csv,
    /// A graph, for Graphviz.
    Dot,
    /// A page with a matrix.
    Html,
}

impl ReachFormat {
    /// The form in which errors are told.
    pub(crate) fn of_errors(self) -> output::Format {
        match self {
            Self::Json => output::Format::Json,
            Self::Text | Self::Csv | Self::Dot | Self::Html => output::Format::Text,
        }
    }
}

/// Whose choices count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    /// What Kubernetes documents; what it leaves to network plugins is unknown.
    Documented,
    /// The choices of np-guard's netpol-analyzer.
    NpGuard,
}

/// What somebody counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Expected {
    /// The connection is allowed for certain.
    Allowed,
    /// It is refused for certain.
    Refused,
}

impl Expected {
    fn verdict(self) -> Verdict {
        match self {
            Self::Allowed => Verdict::Allowed,
            Self::Refused => Verdict::Refused,
        }
    }
}

/// `REV..REV`; what is left out is the current revision.
fn revisions(text: &str) -> Result<(String, String), String> {
    let Some((before, after)) = text.split_once("..") else {
        return Err("write REV..REV, such as main..HEAD".to_owned());
    };
    if after.starts_with('.') {
        return Err(
            "write REV..REV with two dots; `git merge-base` tells where branches parted".to_owned(),
        );
    }
    let or_head = |name: &str| if name.is_empty() { "HEAD" } else { name }.to_owned();
    Ok((or_head(before), or_head(after)))
}

fn block(text: &str) -> Result<AddressRange, String> {
    let single = || text.parse::<IpAddr>().ok().map(AddressRange::single);
    AddressRange::block(text)
        .or_else(single)
        .ok_or_else(|| "write a network such as 10.42.0.0/16".to_owned())
}

pub(crate) async fn reach(args: ReachArgs) -> Result<Exit, CommandError> {
    refuse_idle_flags(&args)?;
    let given = given(&args.needs, &args.flows)?;
    if let Some((before, mut after)) = compared(&args).await? {
        after.problems.extend(given.problems);
        return change(&args, (before, after), &given.needs).await;
    }
    let mut side = sides::asked(&args).await?;
    side.problems.extend(given.problems);
    if args.show_needs || !args.needs.is_empty() || !args.flows.is_empty() {
        return needs_of(&args, &side, &given.needs);
    }
    let engine = Engine::new(&side.world, &options(&args));
    if args.to.is_some() {
        return question(&args, &side, &engine);
    }
    let only = match &args.from {
        Some(from) => Some(ends::Names::new(&engine, &side.world).source(from)?),
        None => None,
    };
    let exposure = args.exposure.then(|| engine.exposure());
    let listing = Listing::new(&side, &engine, only, exposure);
    output::stream(|out| match args.output {
        ReachFormat::Text => render::reach::text::listing(listing, out),
        ReachFormat::Json => render::reach::document::listing(listing, out),
        ReachFormat::Csv => render::reach::csv::listing(listing, out),
        ReachFormat::Dot => render::reach::dot::listing(listing, out),
        ReachFormat::Html => render::reach::html::listing(listing, out),
    })
    .map_err(unwritten)?;
    Ok(Exit::Done)
}

/// A flag that would do nothing was meant to do something.
fn refuse_idle_flags(args: &ReachArgs) -> Result<(), CommandError> {
    if !args.variables.variables.is_empty() && !args.declared {
        return Err(CommandError::usage(
            "--var is for the manifests of a stack, and none are read",
            "add --declared to ask the manifests of a stack",
        ));
    }
    if !args.paths.is_empty() && args.before.is_none() && args.changed.is_none() {
        return Err(CommandError::usage(
            "--path narrows revisions and the current folder, and neither is read",
            "name the files with --against, or compare with --before or --changed",
        ));
    }
    Ok(())
}

fn options(args: &ReachArgs) -> Options {
    Options {
        profile: match args.profile {
            ProfileName::Documented => Profile::Documented,
            ProfileName::NpGuard => Profile::NpGuard,
        },
        pod_networks: args.pod_cidr.clone(),
    }
}

fn need_options(args: &ReachArgs) -> NeedOptions {
    NeedOptions {
        cluster_domain: args.cluster_domain.clone(),
        ..NeedOptions::default()
    }
}

/// The two worlds of a change, where one is asked about; declared files next to another world are
/// what the next apply makes of it.
async fn compared(args: &ReachArgs) -> Result<Option<(Side, Side)>, CommandError> {
    if let Some((before, after)) = &args.changed {
        let before = sides::of_revision(args, before)?;
        return Ok(Some((before, sides::of_revision(args, after)?)));
    }
    if let Some(before) = &args.before {
        let before = sides::named(args, before).await?;
        let after = match &args.after {
            Some(after) => sides::named(args, after).await?,
            None => sides::of_current_folder(args)?,
        };
        return Ok(Some((before, after)));
    }
    match &args.against {
        Some(against) if args.declared => {
            let before = sides::named(args, against).await?;
            Ok(Some((before, sides::declared(args)?)))
        }
        _ => Ok(None),
    }
}

async fn change(
    args: &ReachArgs,
    (mut before, mut after): (Side, Side),
    given: &[Need],
) -> Result<Exit, CommandError> {
    let is_drift = args.before.is_none() && args.changed.is_none();
    if !is_drift && let Some(against) = &args.against {
        let base = sides::named(args, against).await?;
        change::laid_over(&base.world, &mut before.world, &mut after.world);
        after.notes.extend(base.notes);
    }
    let known = change::Known {
        given,
        needs: need_options(args),
        connect: options(args),
    };
    let comparison = Comparison::new(&before, &after, is_drift, &known);
    let blocks = comparison
        .findings
        .iter()
        .any(underpin_model::Finding::blocks);
    let exit = if blocks { Exit::Blocked } else { Exit::Done };
    let text = match args.output {
        ReachFormat::Text => render::reach::change::text(&comparison),
        ReachFormat::Json => render::reach::document::change(&comparison, exit),
        ReachFormat::Csv => render::reach::change::csv(&comparison),
        ReachFormat::Dot | ReachFormat::Html => return Err(no_such_form("a change")),
    };
    write(&after.masked(before.masked(text)))?;
    Ok(exit)
}

fn needs_of(args: &ReachArgs, side: &Side, given: &[Need]) -> Result<Exit, CommandError> {
    let options_of_needs = need_options(args);
    let network = Network::new(&side.world, given, &options_of_needs).with_options(options(args));
    let only = match &args.from {
        Some(from) => Some(ends::Names::new(network.engine(), &side.world).source(from)?),
        None => None,
    };
    let needs = Needs::of(&network, only.as_deref());
    let blocks = needs.findings.iter().any(underpin_model::Finding::blocks);
    let exit = if blocks { Exit::Blocked } else { Exit::Done };
    let text = match args.output {
        ReachFormat::Text => render::reach::needs::text(side, &needs),
        ReachFormat::Json => render::reach::document::needs(side, exit, &needs),
        ReachFormat::Csv => render::reach::needs::csv(&needs),
        ReachFormat::Dot | ReachFormat::Html => return Err(no_such_form("needs")),
    };
    write(&side.masked(text))?;
    Ok(exit)
}

fn no_such_form(what: &str) -> CommandError {
    CommandError::usage(
        format!("dot and html are forms of the list of all pairs, and not of {what}"),
        "take --output text, json or csv",
    )
}

/// One question, or as many as there are pairs of what its ends mean.
fn question(args: &ReachArgs, side: &Side, engine: &Engine) -> Result<Exit, CommandError> {
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        return Ok(Exit::Done);
    };
    let names = ends::Names::new(engine, &side.world);
    let sources = names.source(from)?;
    let (targets, port) = names.target(to)?;
    let told = answers::ask(engine, &sources, &targets, port.as_ref())?;
    let is_met = args
        .expect
        .is_none_or(|expected| told.iter().all(|one| one.verdict() == expected.verdict()));
    let exit = if is_met { Exit::Done } else { Exit::Blocked };
    let text = match args.output {
        ReachFormat::Text => render::reach::text::answers(side, engine, &told),
        ReachFormat::Json => render::reach::document::answers(side, engine, exit, &told),
        ReachFormat::Csv | ReachFormat::Dot | ReachFormat::Html => {
            return Err(CommandError::usage(
                "csv, dot and html are forms of lists, and one question was asked",
                "leave TO out to list what FROM may reach, or take --output text or json",
            ));
        }
    };
    write(&side.masked(text))?;
    Ok(exit)
}

fn unwritten(source: std::io::Error) -> CommandError {
    CommandError::Io {
        what: "cannot write the result".to_owned(),
        source,
    }
}
