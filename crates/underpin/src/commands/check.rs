use camino::Utf8PathBuf;
use clap::Args;
use underpin_plan::{EdgeOptions, rules::up405};
use underpin_refs::NeedOptions;

use crate::{
    Exit,
    checking::{Question, examine},
    cli::given as not_empty,
    error::CommandError,
    given::given,
    output::Format,
    setup::connect_options,
    telling::{CheckFormat, Telling, all_there},
    worlds::{self, Against},
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
    /// A file of values for Terraform's variables; later ones win.
    #[arg(long, value_name = "FILE")]
    var_file: Vec<Utf8PathBuf>,
    /// List the findings that comments suppress.
    #[arg(long)]
    show_suppressed: bool,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// The kubeconfig file for --against CONTEXT, instead of KUBECONFIG and the home directory's.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<Utf8PathBuf>,
    /// Time limit of each request to the API server, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    request_timeout: u64,
    /// Output for people (text), for programs (json), for code review (sarif), or as workflow
    /// commands of GitHub Actions (github).
    #[arg(short, long, value_enum, default_value_t = CheckFormat::Text)]
    output: CheckFormat,
}

impl CheckArgs {
    /// How an error that ends the command is told.
    pub(crate) fn error_format(&self) -> Format {
        self.output.of_errors()
    }
}

pub(crate) async fn check(args: CheckArgs) -> Result<Exit, CommandError> {
    all_there(&args.paths)?;
    let live = match args.against.as_deref().map(worlds::against).transpose()? {
        Some(Against::Dump(path)) => Some(worlds::dumped(&path, None)?),
        Some(Against::Context(context)) => {
            let kubeconfig = args.kubeconfig.as_deref();
            let options = connect_options(kubeconfig, Some(context), args.request_timeout);
            Some(worlds::live(&options, None, &[]).await?)
        }
        None => None,
    };
    let given = given(&args.needs, &args.flows)?;
    let question = Question {
        paths: &args.paths,
        variable_files: &args.var_file,
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
        show_suppressed: args.show_suppressed,
        strict: args.strict,
        output: args.output,
        besides: Vec::new(),
        notes: Vec::new(),
        asked: &|rule| rule.survey.is_some() && (has_live || rule.code != up405::CODE),
    };
    told.tell(examined)
}
