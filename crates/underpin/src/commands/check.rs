use camino::Utf8PathBuf;
use clap::Args;
use underpin_plan::{EdgeOptions, rules::up405};
use underpin_refs::NeedOptions;

use crate::{
    Exit,
    checking::{Question, examine},
    cli::{CheckingArgs, given as not_empty},
    error::CommandError,
    given::given,
    output::Format,
    telling::{Telling, all_there},
    worlds,
};

/// Check declared files, without a cluster or beside one
///
/// Reads stack files with their manifests, YAML and JSON manifests and Terraform files below the
/// paths, and reports what is wrong with them: syntax, undefined variables, duplicates, environments
/// that would share a namespace, references that lead nowhere, network policies that refuse what is
/// needed, namespaces in no allow list, selectors that match nothing.
///
/// A comment on or above the line suppresses a finding: `# underpin: allow UP402 -- why`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Files, or folders with all below them: stack files, YAML, JSON, Terraform.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    /// What is live, for what files alone do not tell: a file or folder of YAML or JSON as `kubectl
    /// get -A -o yaml` prints it, or - for standard input; or the name of a context.
    #[arg(long, value_name = "FILE|DIR|CONTEXT", value_parser = not_empty)]
    against: Option<String>,
    /// Report only what changed since this git revision: what is new, and what stands on a line that
    /// was changed. What was allowed then and is refused now is reported, too.
    #[arg(long, value_name = "REV", value_parser = not_empty)]
    changed_since: Option<String>,
    /// A file of needs that the declared files do not show, such as of consumers in other
    /// repositories.
    #[arg(long, value_name = "FILE")]
    needs: Vec<Utf8PathBuf>,
    /// Recorded flows: JSON lines as `hubble observe --output jsonpb` prints them.
    #[arg(long, value_name = "FILE")]
    flows: Vec<Utf8PathBuf>,
    /// The domain of the cluster, if it is not cluster.local.
    #[arg(long, value_name = "DOMAIN", value_parser = not_empty)]
    cluster_domain: Option<String>,
    #[command(flatten)]
    checking: CheckingArgs,
}

impl CheckArgs {
    /// How an error that ends the command is told.
    pub(crate) fn error_format(&self) -> Format {
        self.checking.output.of_errors()
    }
}

pub(crate) async fn check(args: CheckArgs) -> Result<Exit, CommandError> {
    all_there(&args.paths)?;
    let read = async |options: &_| worlds::live(options, None, &[]).await;
    let live = args.checking.live(args.against.as_deref(), read).await?;
    let given = given(&args.needs, &args.flows)?;
    let question = Question {
        paths: &args.paths,
        variable_files: &args.checking.var_file,
        given: &given,
        options: NeedOptions {
            cluster_domain: args.cluster_domain.clone(),
            ..NeedOptions::default()
        },
        since: args.changed_since.as_deref(),
        live: live.as_ref(),
        edge: EdgeOptions::default(),
    };
    let examined = examine(&question)?;
    let has_live = args.against.is_some();
    let told = Telling {
        command: "check",
        paths: &args.paths,
        args: &args.checking,
        besides: Vec::new(),
        notes: Vec::new(),
        asked: &|rule| rule.survey.is_some() && (has_live || rule.code != up405::CODE),
    };
    told.tell(examined)
}
