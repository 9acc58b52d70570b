use camino::Utf8PathBuf;
use clap::{ArgGroup, Args};
use underpin_model::wording::count;
use underpin_plan::{EdgeOptions, rules::Rule, sort_findings};
use underpin_refs::NeedOptions;

use super::{
    EntryArgs,
    configuration::{self, CaddyArgs},
    trials::try_entries,
};
use crate::{
    Exit,
    checking::{Question, examine},
    cli::{CheckingArgs, given as not_empty},
    error::CommandError,
    given::Given,
    output::Format,
    telling::{Telling, all_there},
    worlds::{self, tells_endpoints},
};

/// Check what the edge would serve: of declared files, of a dump, or of a cluster
///
/// Reads the entries in the annotations of Services and Ingresses, and Ingresses of the class that
/// is served, and tells which addresses several ask for and who serves them, which Services behind
/// them are not there or lack the port, and which entries the edge refuses. Where there is a Caddy,
/// each entry is tried on one of our own, without rights and environment, as before it is served.
///
/// With paths alone, the files are judged; with --against beside them, as they are once they are
/// applied there; with --against alone, what is live.
///
/// With --config, a Caddyfile or a configuration of Caddy as JSON is judged, too: whether hosts that
/// it does not name are answered as if all were well.
///
/// A comment on or above the line suppresses a finding: `# underpin: allow UP201 -- why`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["paths", "against", "config"]).required(true).multiple(true))]
pub(crate) struct RoutesCheckArgs {
    /// Files, or folders with all below them: stack files, YAML, JSON, Terraform.
    #[arg(value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    /// What is live: a file or folder of YAML or JSON as `kubectl get -A -o yaml` prints it, or - for
    /// standard input; or the name of a context.
    #[arg(long, value_name = "FILE|DIR|CONTEXT", value_parser = not_empty)]
    against: Option<String>,
    /// Report only what changed since this git revision.
    #[arg(long, value_name = "REV", value_parser = not_empty, requires = "paths")]
    changed_since: Option<String>,
    /// A Caddyfile, or a configuration of Caddy as JSON; may be repeated.
    #[arg(long, value_name = "FILE")]
    config: Vec<Utf8PathBuf>,
    #[command(flatten)]
    caddy: CaddyArgs,
    #[command(flatten)]
    entries: EntryArgs,
    #[command(flatten)]
    checking: CheckingArgs,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "routes-check";

impl RoutesCheckArgs {
    /// How an error that ends the command is told.
    pub(super) fn error_format(&self) -> Format {
        self.checking.output.of_errors()
    }
}

pub(super) async fn check(args: RoutesCheckArgs) -> Result<Exit, CommandError> {
    all_there(&args.paths)?;
    let read = worlds::live_with_endpoints;
    let live = args.checking.live(args.against.as_deref(), read).await?;
    if let Some(cut) = live.as_ref().filter(|live| !live.problems.is_empty()) {
        // What is not in a dump would be taken for what is not there.
        return Err(CommandError::Declared {
            summary: format!(
                "{} cannot be used",
                args.against.as_deref().unwrap_or_default()
            ),
            diagnostics: cut.problems.clone(),
        });
    }
    let mut configurations = Vec::new();
    for path in &args.config {
        configurations.push(configuration::read(path, &args.caddy).await?);
    }
    let question = Question {
        paths: &args.paths,
        variable_files: &args.checking.var_file,
        given: &Given::default(),
        options: NeedOptions::default(),
        since: args.changed_since.as_deref(),
        live: live.as_ref(),
        edge: EdgeOptions {
            settings: args.entries.settings(
                live.as_ref()
                    .is_some_and(|live| tells_endpoints(&live.world)),
            ),
            alone: true,
            is_whole: false,
            configurations,
        },
    };
    let mut examined = examine(&question)?;
    let settings = &question.edge.settings;
    let tried = try_entries(&examined.worlds, settings, &args.caddy).await?;
    examined.findings.extend(tried.findings);
    sort_findings(&mut examined.findings);
    let mut besides = Vec::new();
    if let Some(live) = live.as_ref().filter(|_| args.paths.is_empty()) {
        besides.push(count(live.world.objects().count(), "live object"));
    }
    if !args.config.is_empty() {
        besides.push(count(args.config.len(), "configuration"));
    }
    let told = Telling {
        command: NAME,
        paths: &args.paths,
        args: &args.checking,
        besides,
        notes: tried.note.into_iter().collect(),
        asked: &Rule::is_of_the_edge,
    };
    told.tell(examined)
}
