//! Arguments, and the way from them to an exit code.

use std::{ffi::OsStr, process::ExitCode, time::Duration};

use camino::Utf8PathBuf;
use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{EnumValueParser, PossibleValue, TypedValueParser},
    error::{ContextKind, ContextValue},
};
use underpin_cluster::ConnectOptions;
use underpin_plan::{Acceptance, rules};
use underpin_source::{stack::RESERVED_VARIABLES, substitute::is_variable_name};

use crate::{
    Exit, commands,
    error::CommandError,
    output::{self, Format},
    render,
    setup::connect_options,
    telling::CheckFormat,
    worlds::{self, Against, Source},
};

/// Deploys stacks to Kubernetes, and refuses, with evidence, any step that takes away what
/// something else still needs.
#[derive(Debug, Parser)]
#[command(
    name = "underpin",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(commands::check::CheckArgs),
    Plan(commands::plan::PlanArgs),
    Up(commands::up::UpArgs),
    Down(commands::down::DownArgs),
    Import(commands::import::ImportArgs),
    Status(commands::status::StatusArgs),
    History(commands::history::HistoryArgs),
    Diff(commands::diff::DiffArgs),
    Why(commands::why::WhyArgs),
    Reach(Box<commands::reach::ReachArgs>),
    Routes(commands::routes::RoutesArgs),
    Images(commands::images::ImagesArgs),
    Rbac(commands::rbac::RbacArgs),
    Sandbox(commands::sandbox::SandboxArgs),
    Explain(commands::explain::ExplainArgs),
    Demo(commands::demo::DemoArgs),
    Completions(commands::completions::CompletionsArgs),
    #[command(hide = true)]
    Man(commands::man::ManArgs),
}

/// Which stack, which environment, which cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct TargetArgs {
    /// The stack file.
    #[arg(short, long, default_value = "underpin.yaml", value_name = "FILE")]
    pub(crate) file: Utf8PathBuf,
    /// The environment; may be left out where the stack has only one.
    #[arg(short, long, value_name = "NAME", env = "UNDERPIN_ENVIRONMENT", value_parser = given)]
    pub(crate) environment: Option<String>,
    /// The kubeconfig context; must agree with the one the stack file names.
    #[arg(long, value_name = "NAME", value_parser = given)]
    pub(crate) context: Option<String>,
    /// The kubeconfig file, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<Utf8PathBuf>,
    /// Time limit of each request to the API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) request_timeout: u64,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, default_value = "text", value_parser = OutputFormat)]
    pub(crate) output: Format,
}

/// How files are checked, beside a cluster or without one, and how what is found is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckingArgs {
    /// A file of values for Terraform's variables; later ones win.
    #[arg(long, value_name = "FILE")]
    pub(crate) var_file: Vec<Utf8PathBuf>,
    /// List the findings that comments suppress.
    #[arg(long)]
    pub(crate) show_suppressed: bool,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    pub(crate) strict: bool,
    /// The kubeconfig file for --against CONTEXT, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<Utf8PathBuf>,
    /// Time limit of each request to the API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    request_timeout: u64,
    /// Output for people (text), for programs (json), for code review (sarif), or as workflow
    /// commands of GitHub Actions (github).
    #[arg(short, long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) output: CheckFormat,
}

impl CheckingArgs {
    /// What `--against` names: a dump, or a cluster, as `read` reads it.
    pub(crate) async fn live(
        &self,
        against: Option<&str>,
        read: impl AsyncFnOnce(&ConnectOptions) -> Result<Source, CommandError>,
    ) -> Result<Option<Source>, CommandError> {
        Ok(match against.map(worlds::against).transpose()? {
            Some(Against::Dump(path)) => Some(worlds::dumped(&path, None)?),
            Some(Against::Context(context)) => {
                let kubeconfig = self.kubeconfig.as_deref();
                let options = connect_options(kubeconfig, Some(context), self.request_timeout);
                Some(read(&options).await?)
            }
            None => None,
        })
    }
}

/// As clap reads a [`Format`]; who gives `plan` a file's name is told of `--out`.
#[derive(Clone)]
struct OutputFormat;

impl TypedValueParser for OutputFormat {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Format, clap::Error> {
        let parsed = EnumValueParser::<Format>::new().parse_ref(command, argument, value);
        parsed.map_err(|mut error| {
            if command.get_name() == "plan" {
                let tip = "`plan --out FILE` freezes the plan into a file".to_owned();
                let tips = ContextValue::StyledStrs(vec![tip.into()]);
                error.insert(ContextKind::Suggested, tips);
            }
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = Format::value_variants().iter();
        Some(Box::new(values.filter_map(ValueEnum::to_possible_value)))
    }
}

/// What the manifests leave open; only for commands that read them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct VariableArgs {
    /// A value for `${NAME}` in the manifests; overrides the stack file.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,
}

/// What is accepted by name.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AcceptArgs {
    /// Accept one finding, such as UP103:persistentvolumeclaim/wallet/data; may be repeated.
    #[arg(long = "accept", value_name = "CODE:SUBJECT", requires = "reason", value_parser = acceptance)]
    pub(crate) accepted: Vec<Acceptance>,
    /// Why; recorded in the environment's history.
    #[arg(long, value_name = "TEXT", requires = "accepted", value_parser = given)]
    pub(crate) reason: Option<String>,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// How a run that changes the cluster behaves.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// Go ahead without being asked.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Stop before this time has passed (90, 90s, 10m, 1h), with nothing in flight; exit code 4.
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) deadline: Option<Duration>,
    /// Wait until objects are ready, or gone.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) wait: bool,
    /// How long to wait for that.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) wait_timeout: Duration,
    /// How long to wait for a lock that another run holds.
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = duration)]
    pub(crate) lock_wait: Duration,
    /// After how many seconds without a sign of life others may take our lock over.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(4..=3600))]
    pub(crate) lease: u32,
}

/// A time, in seconds or with a unit: `90`, `90s`, `10m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    underpin_plan::duration(text).map_err(str::to_owned)
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        positive => Ok(positive),
    }
}

/// A value that says something: an empty one is most often a script's variable that was not set.
pub(crate) fn given(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("it is empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err("write NAME=VALUE".to_owned());
    };
    if !is_variable_name(name) {
        return Err(format!(
            "`{name}` is no variable name; letters, digits, `_`, `-` and `.` make one"
        ));
    }
    if RESERVED_VARIABLES.contains(&name) {
        return Err(format!(
            "`{name}` cannot be set: it follows from stack and environment"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn acceptance(text: &str) -> Result<Acceptance, String> {
    let acceptance: Acceptance = text
        .parse()
        .map_err(|error: underpin_plan::AcceptanceError| error.to_string())?;
    match rules::rule(acceptance.code) {
        Some(_) => Ok(acceptance),
        None => Err(format!(
            "there is no rule {}; `underpin explain` lists them",
            acceptance.code
        )),
    }
}

/// The file name under which kubectl finds a plugin, and what people type to call it.
const PLUGIN: (&str, &str) = ("kubectl-underpin", "kubectl underpin");

/// Parses the command line; help and wrong usage end the process, as the argument parser does.
fn parse() -> Cli {
    use clap::{CommandFactory as _, FromArgMatches as _};
    let called = std::env::args_os().next().map(std::path::PathBuf::from);
    let name = called.as_deref().and_then(|path| path.file_stem());
    let mut command = Cli::command();
    if name.is_some_and(|name| name == PLUGIN.0) {
        command = command.bin_name(PLUGIN.1);
    }
    let matches = command.get_matches_mut();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Parses the command line, runs the command and tells the exit code.
pub fn run() -> ExitCode {
    let cli = parse();
    let format = cli.command.format();
    let name = cli.command.name();
    let ended = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(cli.command.run()),
        Err(source) => Err(CommandError::Io {
            what: "cannot start".to_owned(),
            source,
        }),
    };
    ended.unwrap_or_else(|error| {
        report(name, format, &error);
        error.exit().into()
    })
}

/// Tells an error: for people on standard error, for programs as the one document.
fn report(command: &str, format: Format, error: &CommandError) {
    match format {
        Format::Text => output::message(render::text::error(error).trim_end()),
        Format::Json => {
            if let Err(unwritten) = output::result(&render::json::error(command, error)) {
                output::message(render::text::error(error).trim_end());
                output::message(&format!("error: cannot write the result: {unwritten}"));
            }
        }
    }
}

impl Command {
    async fn run(self) -> Result<ExitCode, CommandError> {
        let exit: Exit = match self {
            Self::Check(args) => commands::check::check(args).await,
            Self::Plan(args) => commands::plan::plan(args).await,
            Self::Up(args) => commands::up::up(args).await,
            Self::Down(args) => commands::down::down(args).await,
            Self::Import(args) => commands::import::import(args).await,
            Self::Status(args) => commands::status::status(args).await,
            Self::History(args) => commands::history::history(args).await,
            Self::Diff(args) => commands::diff::diff(args).await,
            Self::Why(args) => commands::why::why(args).await,
            Self::Reach(args) => commands::reach::reach(*args).await,
            Self::Routes(args) => commands::routes::routes(args).await,
            Self::Images(args) => commands::images::images(args).await,
            Self::Rbac(args) => commands::rbac::rbac(args).await,
            // Its exit code may be another program's.
            Self::Sandbox(args) => return commands::sandbox::sandbox(args).await,
            Self::Explain(args) => commands::explain::explain(&args),
            Self::Demo(args) => commands::demo::demo(args).await,
            Self::Completions(args) => commands::completions::completions(&args),
            Self::Man(args) => commands::man::man(&args),
        }?;
        Ok(exit.into())
    }

    fn format(&self) -> Format {
        match self {
            Self::Check(args) => args.error_format(),
            Self::Plan(args) => args.target.output,
            Self::Up(args) => args.target.output,
            Self::Down(args) => args.target.output,
            Self::Import(args) => args.target.output,
            Self::Status(args) => args.target.output,
            Self::History(args) => args.target.output,
            Self::Diff(args) => args.target.output,
            Self::Why(args) => args.output,
            Self::Reach(args) => args.output.of_errors(),
            Self::Routes(args) => args.error_format(),
            Self::Images(args) => args.error_format(),
            Self::Rbac(args) => args.output,
            Self::Sandbox(args) => args.output,
            Self::Explain(args) => args.output,
            // Other programs' words are for people, and scripts and pages have their own form.
            Self::Demo(_) | Self::Completions(_) | Self::Man(_) => Format::Text,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Check(_) => "check",
            Self::Plan(_) => "plan",
            Self::Up(_) => "up",
            Self::Down(_) => "down",
            Self::Import(_) => "import",
            Self::Status(_) => "status",
            Self::History(_) => "history",
            Self::Diff(_) => "diff",
            Self::Why(_) => "why",
            Self::Reach(_) => "reach",
            Self::Routes(args) => args.name(),
            Self::Images(args) => args.name(),
            Self::Rbac(_) => "rbac",
            Self::Sandbox(_) => "sandbox",
            Self::Explain(_) => "explain",
            Self::Demo(_) => "demo",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_argument_parser_is_consistent() {
        Cli::command().debug_assert();
    }
}
