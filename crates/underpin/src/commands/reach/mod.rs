//! Who may open a connection to whom: one question, everybody, or what a change makes of it.

mod answers;
mod ends;
mod sides;

use std::net::IpAddr;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use underpin_connect::{AddressRange, Engine, Options, Profile, Verdict};
use underpin_model::World;

pub(crate) use self::answers::{Reply, Told};
pub(crate) use self::sides::{Side, SideKind, holds_no_policy};
use super::write;
use crate::{
    Exit,
    cli::{VariableArgs, given},
    error::CommandError,
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
/// An end is written NAMESPACE/NAME, KIND/NAMESPACE/NAME, service/NAMESPACE/NAME, as a namespace, an
/// address, a host, or ingress for whatever serves Ingresses; a port as :5432, :http or :53/udp.
///
/// Asked is the live cluster of the current context, or of --context; --against asks files instead,
/// such as manifests, Terraform files, or a dump; --declared the manifests of a stack. Changes
/// nothing, and reads no Secret's contents of a cluster.
#[derive(Debug, Args)]
pub(crate) struct ReachArgs {
    /// Who connects.
    #[arg(value_name = "FROM", value_parser = given)]
    from: Option<String>,
    /// To what, and on which port; without a port, which ports are allowed.
    #[arg(value_name = "TO[:PORT]", value_parser = given)]
    to: Option<String>,
    /// What to ask instead of a cluster: files or folders of manifests or Terraform files, a dump as
    /// `kubectl get -A -o yaml` prints it, - for standard input, a revision, or a context.
    #[arg(long, value_name = "FILE|DIR|CONTEXT", value_parser = given)]
    against: Option<String>,
    /// Ask the manifests of a stack instead of a cluster: of one environment, or of all that share
    /// a cluster.
    #[arg(long)]
    declared: bool,
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

fn block(text: &str) -> Result<AddressRange, String> {
    let single = || text.parse::<IpAddr>().ok().map(AddressRange::single);
    AddressRange::block(text)
        .or_else(single)
        .ok_or_else(|| "write a network such as 10.42.0.0/16".to_owned())
}

pub(crate) async fn reach(args: ReachArgs) -> Result<Exit, CommandError> {
    let side = sides::asked(&args).await?;
    let engine = engine(&args, &side.world);
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

fn engine(args: &ReachArgs, world: &World) -> Engine {
    let options = Options {
        profile: match args.profile {
            ProfileName::Documented => Profile::Documented,
            ProfileName::NpGuard => Profile::NpGuard,
        },
        pod_networks: args.pod_cidr.clone(),
    };
    Engine::new(world, &options)
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
        ReachFormat::Text => render::reach::text::answers(side, &told),
        ReachFormat::Json => render::reach::document::answers(side, exit, &told),
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
