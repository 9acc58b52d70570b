use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use underpin_model::{Finding, Place, Severity, World};
use underpin_plan::{
    rules::{rule, up403},
    suppression::{Remark, Sorted, Suppressed, Suppression, sort_out, suppressions},
};
use underpin_refs::NeedOptions;
use underpin_source::Diagnostic;

use super::write;
use crate::{
    Exit,
    checking::{Examined, Question, examine},
    cli::given as not_empty,
    error::CommandError,
    given::given,
    output::Format,
    render::check::{self as render, Checked},
    setup::{STACK_FILE, connect_options},
    trees::stack_files,
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

/// The forms of what `check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people, with the lines that are to blame.
    Text,
    /// One JSON document with a versioned schema.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Workflow commands.
    Github,
}

impl CheckArgs {
    /// How an error that ends the command is told.
    pub(crate) fn error_format(&self) -> Format {
        match self.output {
            CheckFormat::Json => Format::Json,
            CheckFormat::Text | CheckFormat::Sarif | CheckFormat::Github => Format::Text,
        }
    }
}

pub(crate) async fn check(args: CheckArgs) -> Result<Exit, CommandError> {
    for path in &args.paths {
        if !path.exists() {
            return Err(CommandError::usage(
                format!("there is no file or folder {path}"),
                format!("name files, or folders of manifests, Terraform files or {STACK_FILE}"),
            ));
        }
    }
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
    };
    let examined = examine(&question)?;
    nothing_there(&args.paths, &examined)?;
    let checked = checked(&args, examined)?;
    write(&match args.output {
        CheckFormat::Text => render::text(&checked),
        CheckFormat::Json => render::json(&checked),
        CheckFormat::Sarif => render::sarif(&checked),
        CheckFormat::Github => render::github(&checked),
    })?;
    Ok(checked.exit)
}

/// Each path was meant to be checked; one that holds nothing is most often a typo.
fn nothing_there(paths: &[Utf8PathBuf], examined: &Examined) -> Result<(), CommandError> {
    for path in paths {
        if !examined.holds_any(path) {
            let inside = if path.is_dir() { " or below it" } else { "" };
            return Err(CommandError::usage(
                format!(
                    "there is no {STACK_FILE}, no Kubernetes object and no Terraform file in {path}{inside}"
                ),
                "name a file or folder that holds some",
            ));
        }
    }
    Ok(())
}

/// What is told of what was found, once comments have had their say.
fn checked(args: &CheckArgs, mut examined: Examined) -> Result<Checked, CommandError> {
    let remarks = examined.comments().map(|comment| Remark {
        place: &comment.place,
        text: &comment.text,
    });
    let (allowed, malformed) = suppressions(remarks);
    let malformed = malformed
        .into_iter()
        .map(|one| Diagnostic::new(one.place, one.message).with_help(one.help));
    examined.diagnostics.extend(malformed);
    let findings = std::mem::take(&mut examined.findings);
    let texts = Examined::texts(places(&examined.diagnostics, &findings, &allowed));
    let is_complete = examined.diagnostics.is_empty();
    let has_live = args.against.is_some();
    // Where files are broken, or a rule was not asked, nobody knows that a comment is of no use.
    let ran = |code| {
        is_complete
            && rule(code).is_some_and(|rule| rule.survey.is_some())
            && (has_live || code != underpin_plan::rules::up405::CODE)
    };
    let objects = examined.worlds.iter().flat_map(World::objects);
    let Sorted {
        mut findings,
        mut suppressed,
    } = sort_out(findings, &allowed, &texts, objects, ran);
    if let Some(change) = &examined.change {
        findings.retain(|finding| change.made(finding));
        suppressed.retain(|one: &Suppressed| change.made(&one.finding));
    }
    let mut findings = up403::brought_together(findings);
    underpin_plan::sort_findings(&mut findings);
    for finding in &mut findings {
        examined.mask(finding);
    }
    for one in &mut suppressed {
        examined.mask(&mut one.finding);
    }
    examined
        .diagnostics
        .sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    examined.diagnostics.dedup();
    Ok(Checked {
        exit: exit(args, &examined.diagnostics, &findings),
        stack_files: stack_files(&args.paths)?.len(),
        objects: examined.objects(),
        loose: examined.tree.files.objects.len(),
        excerpts: examined.excerpts(texts),
        since: examined.change.as_ref().map(|change| change.commit.clone()),
        opaque: examined.not_known(),
        diagnostics: examined.diagnostics,
        findings,
        suppressed,
        show_suppressed: args.show_suppressed,
    })
}

/// Every place of which the line is looked at.
fn places<'p>(
    diagnostics: &'p [Diagnostic],
    findings: &'p [Finding],
    allowed: &'p [Suppression],
) -> impl Iterator<Item = &'p Place> {
    let evidence = findings.iter().flat_map(|finding| &finding.evidence);
    let of_findings = findings.iter().filter_map(|finding| finding.place.as_ref());
    let problems = diagnostics.iter().map(|one| &one.place);
    let evidence = evidence.filter_map(|one| one.place.as_ref());
    let comments = allowed.iter().map(|one| &one.place);
    problems.chain(of_findings).chain(evidence).chain(comments)
}

fn exit(args: &CheckArgs, diagnostics: &[Diagnostic], findings: &[Finding]) -> Exit {
    if !diagnostics.is_empty() {
        Exit::Error
    } else if findings.iter().any(Finding::blocks) {
        Exit::Blocked
    } else if args.strict && findings.iter().any(|one| one.severity == Severity::Warn) {
        Exit::Warnings
    } else {
        Exit::Done
    }
}
