use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use underpin_image::{FrozenPlan, Stop, floating_tags_unprotected, pins_unresolved};
use underpin_model::Finding;
use underpin_plan::sort_findings;

use super::{
    made::Made,
    setting::{ImagesSourceArgs, Setting},
    state::State,
};
use crate::{
    Exit,
    cli::given,
    commands::write,
    error::CommandError,
    frozen_file,
    output::{self, Format},
    render::images::{self as render, Asked, ShownImages},
};

/// Tell which images of a registry stay and which may go, and why; delete nothing
///
/// Reads clusters, dumps of clusters and declared files for everything that may need an image: what
/// runs, what is suspended, what image policies select, what is kept to roll back to, and any text
/// that holds the registry's name; then the registry. What something needs stays, with everything it
/// is made of and all that is said of it. What nothing needs goes only after two complete runs, at
/// least a day apart, have found that, and only within limits. Of a source or a page of the registry
/// that cannot be read, nobody knows what is needed there: nothing goes then.
#[derive(Debug, Args)]
pub(crate) struct ImagesPlanArgs {
    /// Declared files, or folders with all below them: stack files, YAML, JSON, Terraform; added to
    /// those of the images file.
    #[arg(value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    #[command(flatten)]
    sources: ImagesSourceArgs,
    /// Freeze what may go into this file.
    #[arg(long, value_name = "FILE")]
    out: Option<Utf8PathBuf>,
    /// Show every image with all reasons.
    #[arg(long)]
    all: bool,
    /// Show these images alone, with all reasons: a repository, and a tag or the beginning of a digest,
    /// such as team/web:1.2; may be repeated.
    #[arg(long, value_name = "IMAGE", value_parser = given)]
    why: Vec<String>,
    /// Exit with 6 when something may go.
    #[arg(long)]
    detailed_exitcode: bool,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "images-plan";

pub(super) async fn plan(args: ImagesPlanArgs) -> Result<Exit, CommandError> {
    let again = args.sources.registry.again();
    let setting = Setting::new(args.sources, args.paths)?;
    let state = State::open(setting.state.clone())?;
    let left_open = state.left_open(&again)?;
    let made = Made::new(&setting, &state).await?;
    state.remember_alone(&made)?;
    let (plan, input) = (&made.plan, made.input(&setting));
    let mut findings = pins_unresolved(plan, &input);
    findings.extend(floating_tags_unprotected(plan, &input));
    findings.iter_mut().for_each(Finding::offer_no_acceptance);
    sort_findings(&mut findings);
    let is_refused = !plan.stops.is_empty();
    let frozen = match &args.out {
        Some(file) if is_refused => {
            withdraw(file)?;
            None
        }
        Some(file) => {
            let frozen = FrozenPlan::of(plan, &input);
            frozen_file::write_text(file, &frozen.to_json())?;
            Some((file.clone(), frozen))
        }
        None => None,
    };
    let has_warnings = !findings.is_empty() || !plan.missing.is_empty();
    let exit = match exit_of_stops(&plan.stops) {
        Some(exit) => exit,
        None if args.strict && has_warnings => Exit::Warnings,
        None if args.detailed_exitcode && !plan.deletions.is_empty() => Exit::Pending,
        None => Exit::Done,
    };
    let shown = ShownImages {
        plan,
        input: &input,
        findings: &findings,
        notes: left_open.into_iter().chain(made.notes()).collect(),
        counts: made.counts,
        frozen: frozen
            .as_ref()
            .map(|(file, frozen)| (file.as_str(), frozen)),
        asked: Asked {
            all: args.all,
            why: args.why,
        },
    };
    let text = match args.output {
        Format::Text => render::text(&shown),
        Format::Json => render::json(NAME, exit, &shown),
    };
    write(&made.masked(text))?;
    if let (Format::Text, Some(file), true) = (args.output, &args.out, is_refused) {
        output::message(&format!("{file} was not written: nothing may be deleted"));
    }
    Ok(exit)
}

/// What could not be read is an error; what an operator has to look at first is refused.
pub(super) fn exit_of_stops(stops: &[Stop]) -> Option<Exit> {
    let is_unread = |stop: &Stop| {
        matches!(
            stop,
            Stop::SourceUnread { .. } | Stop::RegistryUnread { .. }
        )
    };
    if stops.iter().any(is_unread) {
        return Some(Exit::Error);
    }
    (!stops.is_empty()).then_some(Exit::Blocked)
}

/// Removes the frozen plan that a refused one would have replaced, so that nobody carries out an older
/// consent.
fn withdraw(file: &Utf8Path) -> Result<(), CommandError> {
    let is_ours = |text: &str| FrozenPlan::read(text).is_ok();
    if frozen_file::withdraw_if(file, is_ours)? {
        output::message(&format!("the former frozen plan {file} was removed"));
    }
    Ok(())
}
