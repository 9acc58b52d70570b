use std::path::{Path, PathBuf};

use camino::Utf8PathBuf;
use clap::Args;
use underpin_cluster::{Host as _, SystemHost};
use underpin_deploy::DeployError;
use underpin_image::JournalEntry;
use underpin_registry::State;

use super::{registry, setting::ImagesRegistryArgs, state::State as RunState};
use crate::{
    Exit,
    commands::{consent, write},
    error::CommandError,
    output::Format,
    render::images::{self as render, ShownRestored},
    setup::this_process,
};

/// Put back what `images reap` deleted
///
/// From the journal of a run: children before what holds them, then tags, each with the digest that it
/// had. A tag that somebody has pushed since is left alone. It works as long as the registry keeps what
/// the manifests are made of: until somebody has it collect its garbage, and for Gitea and Forgejo about
/// a day.
#[derive(Debug, Args)]
pub(crate) struct ImagesRestoreArgs {
    /// The journal [default: the newest one in the state folder].
    #[arg(value_name = "JOURNAL")]
    journal: Option<Utf8PathBuf>,
    #[command(flatten)]
    registry: ImagesRegistryArgs,
    /// Go ahead without being asked.
    #[arg(short, long)]
    yes: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "images-restore";

pub(super) async fn restore(args: ImagesRestoreArgs) -> Result<Exit, CommandError> {
    let (setting, folder) = args.registry.registry_alone()?;
    let state = State::lock(folder.as_std_path())?;
    let (journal, entries) = match args.journal {
        Some(path) => {
            let path = path.into_std_path_buf();
            let entries = State::entries(&path)?;
            (path, entries)
        }
        None => newest(&state)?,
    };
    let journal = journal.to_string_lossy();
    if let Some(other) = entries
        .iter()
        .find(|entry| entry.registry != setting.names.host)
    {
        return Err(CommandError::usage(
            format!(
                "{journal} is a journal of {}, and not of {}",
                other.registry, setting.names.host
            ),
            "name the registry that is meant with --registry, or its images file with --config",
        ));
    }
    if entries.is_empty() {
        return Err(nothing(&format!("{journal} holds nothing")));
    }
    let proposal = || render::restore_proposal(&setting.names.host, &journal, &entries);
    if !consent(args.yes, args.output, proposal) {
        return Err(DeployError::NotConfirmed.into());
    }
    let client = registry::client(&setting).await?;
    let who = this_process("images restore");
    let now = || SystemHost.now();
    let restored = underpin_registry::restore(&client, &state, &entries, &who, &now).await?;
    // Whatever comes of that, what has been done is told first.
    let remembered = RunState::open(folder).and_then(|state| state.restart(&restored));
    let exit = if restored.failed.is_empty() && restored.left.is_empty() {
        Exit::Done
    } else {
        Exit::Error
    };
    let shown = ShownRestored {
        registry: &setting.names.host,
        journal: &journal,
        restored: &restored,
    };
    write(&match args.output {
        Format::Text => render::restored_text(&shown),
        Format::Json => render::restored_json(NAME, exit, &shown),
    })?;
    remembered.map(|()| exit)
}

/// The newest journal that holds anything: a run that was killed may have left an empty one.
fn newest(state: &State) -> Result<(PathBuf, Vec<JournalEntry>), CommandError> {
    for path in state.journals()?.into_iter().rev() {
        let entries = State::entries(&path)?;
        if !entries.is_empty() {
            return Ok((path, entries));
        }
    }
    let folder: &Path = state.folder();
    Err(nothing(&format!(
        "no run has left a journal in {}",
        folder.display()
    )))
}

fn nothing(message: &str) -> CommandError {
    CommandError::usage(
        format!("there is nothing to put back: {message}"),
        "name a journal, or with --state the folder of the runs",
    )
}
