use clap::{Args, Command, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::write;
use crate::{Cli, Exit, error::CommandError};

/// Print the completions of a shell
///
/// For the session at hand, in bash: `source <(underpin completions bash)`; in fish:
/// `underpin completions fish | source`. To keep them, write them to where the shell looks for
/// them, such as ~/.local/share/bash-completion/completions/underpin,
/// ~/.config/fish/completions/underpin.fish, or a file _underpin in a folder of zsh's fpath.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// What people type.
const PROGRAM: &str = "underpin";

pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    generate(args.shell, &mut shown(), PROGRAM, &mut script);
    write(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// The command line without what is hidden: the generators offer hidden commands, too.
fn shown() -> Command {
    let all = Cli::command();
    let visible = all.get_subcommands().filter(|one| !one.is_hide_set());
    Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .subcommands(visible.cloned())
}
