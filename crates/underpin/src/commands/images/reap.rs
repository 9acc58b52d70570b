use std::{collections::BTreeMap, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use tokio::sync::watch;
use underpin_cluster::{Host as _, SystemHost};
use underpin_deploy::DeployError;
use underpin_image::{Digest, FrozenPlan, Movement, RepositoryPath, Tag, images_needed};
use underpin_model::{Finding, Mask};
use underpin_plan::sort_findings;
use underpin_registry::{ReapOptions, Reaped, Recheck};

use super::{
    made::Made,
    plan::exit_of_stops,
    registry,
    setting::{ImagesRegistryArgs, ImagesSourceArgs, Setting},
    state::State,
};
use crate::{
    Exit,
    commands::{consent, write},
    error::CommandError,
    frozen_file, interrupt,
    output::{self, Format},
    render::{
        images::{self as render, ShownReaped},
        shell::quoted,
    },
    setup::this_process,
};

/// How a plan is frozen.
const FREEZE: &str = "freeze one with `underpin images plan --out FILE`";
/// Random bytes in names that nobody has.
const NONCE_BYTES: usize = 16;

/// Delete what a frozen plan names, as far as nothing has come to need it
///
/// Takes the plan that `images plan --out` froze, with the same sources; shows what it would delete, and
/// asks. Before the first deletion and again after each batch, all sources and the registry are read
/// anew: what is needed by then stays, and if anything cannot be read, nothing more is deleted. Each
/// image is looked at right before it goes; its manifest is in a journal by then, from which `images
/// restore` puts it back. Run again with the same plan, it continues. Of a run that was cut, what it had
/// asked for is looked at before anything else, and what was lost with it is put back; without a plan, that
/// is all that is done.
#[derive(Debug, Args)]
pub(crate) struct ImagesReapArgs {
    /// The frozen plan [default: none, only what a run that was cut has left is looked at].
    #[arg(value_name = "PLAN")]
    plan: Option<Utf8PathBuf>,
    /// Declared files, or folders with all below them, as `images plan` was given them; added to those
    /// of the images file.
    #[arg(value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    #[command(flatten)]
    sources: ImagesSourceArgs,
    /// Go ahead without being asked.
    #[arg(short, long)]
    yes: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "images-reap";

pub(super) async fn reap(args: ImagesReapArgs) -> Result<Exit, CommandError> {
    let Some(plan) = args.plan else {
        return finish(args.sources.registry, args.output).await;
    };
    let again = args.sources.registry.again();
    let setting = Setting::new(args.sources, args.paths)?;
    let frozen = read(&plan, &setting)?;
    let held = underpin_registry::State::lock(setting.state.as_std_path())?;
    let state = State::open(setting.state.clone())?;
    let proposal = || render::reap_proposal(&frozen);
    if !frozen.groups.is_empty() && !consent(args.yes, args.output, proposal) {
        return Err(DeployError::NotConfirmed.into());
    }
    let stop = interrupt::flag_of(
        "stopping after what goes together with the image in flight; run again to continue (again to \
         quit at once)",
    );
    let mut anew = Anew {
        setting: &setting,
        state: &state,
        frozen: &frozen,
        stop: stop.clone(),
        format: args.output,
        masks: Vec::new(),
        needed: BTreeMap::new(),
        way_out: None,
        exit: None,
    };
    let reaped = carry_out(&held, &mut anew).await?;
    // Whatever comes of that, what has been done is told first.
    let remembered = state.restart(&reaped.restored);
    let is_gone = |key: &(RepositoryPath, Digest)| {
        let mut deleted = reaped.deleted.iter();
        deleted.any(|gone| (&gone.repository, &gone.digest) == (&key.0, &key.1))
    };
    anew.needed.retain(|key, _| !is_gone(key));
    let mut findings: Vec<Finding> = anew.needed.into_values().collect();
    sort_findings(&mut findings);
    let exit = match &reaped.stopped {
        Some(_) if reaped.is_asked_to_stop => Exit::Stopped,
        Some(_) => anew.exit.unwrap_or(Exit::Error),
        None if !findings.is_empty() => Exit::Blocked,
        None => Exit::Done,
    };
    let journal = reaped.journal.as_ref().map(|path| path.to_string_lossy());
    let restore = journal.as_ref().map(|journal| {
        let journal = quoted(journal);
        format!("underpin images restore {again} {journal}")
    });
    let shown = ShownReaped {
        registry: &setting.registry.names.host,
        plan: Some((plan.as_str(), &frozen)),
        reaped: &reaped,
        findings: &findings,
        way_out: anew.way_out.as_deref(),
        journal: journal.as_deref(),
        restore: restore.as_deref(),
    };
    let text = match args.output {
        Format::Text => render::reaped_text(&shown),
        Format::Json => render::reaped_json(NAME, exit, &shown),
    };
    let masks = anew.masks.iter();
    write(&masks.fold(text, |text, mask| mask.apply(&text)))?;
    remembered.map(|()| exit)
}

/// Looks at what a run that was cut has left, and at nothing else.
async fn finish(args: ImagesRegistryArgs, output: Format) -> Result<Exit, CommandError> {
    let (registry, folder) = args.registry_alone()?;
    let held = underpin_registry::State::lock(folder.as_std_path())?;
    let state = State::open(folder)?;
    let client = registry::client(&registry).await?;
    // Nothing is deleted: the limits of deleting are nobody's.
    let options = ReapOptions {
        api: registry::api(&registry),
        pause: Duration::ZERO,
        batch: 0,
        most: 0,
        is_mutable: &|_| true,
        now: &|| SystemHost.now(),
        nonce: &[],
        who: &this_process("images reap"),
        stop: &|| false,
    };
    let reaped = underpin_registry::finish(&client, &held, &options).await;
    let remembered = state.restart(&reaped.restored);
    let exit = match &reaped.stopped {
        Some(_) => Exit::Error,
        None => Exit::Done,
    };
    let shown = ShownReaped {
        registry: &registry.names.host,
        plan: None,
        reaped: &reaped,
        findings: &[],
        way_out: None,
        journal: None,
        restore: None,
    };
    write(&match output {
        Format::Text => render::reaped_text(&shown),
        Format::Json => render::reaped_json(NAME, exit, &shown),
    })?;
    remembered.map(|()| exit)
}

/// Reads a frozen plan, if it is one for this registry.
fn read(file: &Utf8Path, setting: &Setting) -> Result<FrozenPlan, CommandError> {
    let text = frozen_file::read_text(file, FREEZE)?;
    let plan = FrozenPlan::read(&text)
        .map_err(|error| CommandError::usage(format!("{file}: {error}"), FREEZE))?;
    let host = &setting.registry.names.host;
    if plan.registry != *host {
        return Err(CommandError::usage(
            format!("{file} is a plan for {}, and not for {host}", plan.registry),
            "name the registry that is meant with --registry, or the images file of its plan with --config",
        ));
    }
    Ok(plan)
}

async fn carry_out(
    held: &underpin_registry::State,
    anew: &mut Anew<'_>,
) -> Result<Reaped, CommandError> {
    let (setting, stop) = (anew.setting, anew.stop.clone());
    let client = registry::client(&setting.registry).await?;
    let mut nonce = [0; NONCE_BYTES];
    SystemHost.random(&mut nonce).map_err(|reason| {
        CommandError::usage(
            format!("this machine has no random bytes: {reason}"),
            "run it where there are some: they make names that no image has",
        )
    })?;
    let options = ReapOptions {
        api: registry::api(&setting.registry),
        pause: setting.pace.pause,
        batch: setting.pace.batch,
        most: setting.settings.maximum_number,
        is_mutable: &|tag: &Tag| setting.settings.is_mutable(tag),
        now: &|| SystemHost.now(),
        nonce: &nonce,
        who: &this_process("images reap"),
        stop: &|| *stop.borrow(),
    };
    let frozen = anew.frozen;
    Ok(underpin_registry::reap(&client, held, frozen, anew, &options).await)
}

/// Plans anew.
struct Anew<'a> {
    setting: &'a Setting,
    state: &'a State,
    frozen: &'a FrozenPlan,
    stop: watch::Receiver<bool>,
    format: Format,
    /// What must not be shown of the sources, as they were read last.
    masks: Vec<Mask>,
    /// What the frozen plan names and something needs now.
    needed: BTreeMap<(RepositoryPath, Digest), Finding>,
    /// The way out of what stopped it, and the exit code, where they are known.
    way_out: Option<String>,
    exit: Option<Exit>,
}

impl Recheck for Anew<'_> {
    async fn movements(&mut self, run: &str) -> Result<Vec<Movement>, String> {
        if self.format == Format::Text {
            output::message("reading all sources and the registry anew");
        }
        let made = tokio::select! {
            made = Made::new(self.setting, self.state) => made.map_err(|error| error.to_string())?,
            _ = self.stop.wait_for(|stop| *stop) => return Err("somebody has asked to stop".to_owned()),
        };
        self.state
            .remember(&made, run)
            .map_err(|error| error.to_string())?;
        self.masks = made.masks();
        self.compare(&made)
    }
}

impl Anew<'_> {
    fn compare(&mut self, made: &Made) -> Result<Vec<Movement>, String> {
        let input = made.input(self.setting);
        if let Some(first) = made.plan.stops.first() {
            let (what, way_out) = render::stop(first, &input);
            self.way_out = Some(way_out);
            self.exit = exit_of_stops(&made.plan.stops);
            return Err(made.masked(what));
        }
        let is_read = |name: &String| input.sources.iter().any(|source| *source.name == **name);
        let is_gone = |name: &&String| {
            let consents = &self.setting.settings.consents;
            !is_read(name) && !consents.sources_gone.contains(*name)
        };
        if let Some(source) = self.frozen.sources.iter().find(is_gone) {
            self.way_out = Some("name the same sources as for `images plan`".to_owned());
            self.exit = Some(Exit::Blocked);
            return Err(format!(
                "the plan was made from {source} too, and this run does not read it"
            ));
        }
        for group in &self.frozen.groups {
            for manifest in &group.manifests {
                let one = (&group.repository, &manifest.digest);
                for mut finding in images_needed(&made.plan, &input, [one]) {
                    finding.offer_no_acceptance();
                    let key = (one.0.clone(), one.1.clone());
                    self.needed.insert(key, finding);
                }
            }
        }
        let movements = self.frozen.moved(&made.plan, &made.registry);
        let movements = movements.into_iter().map(|movement| Movement {
            message: made.masked(render::moved(&movement.message, &input)),
            ..movement
        });
        Ok(movements.collect())
    }
}
