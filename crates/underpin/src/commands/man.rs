use std::{fs, io};

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use crate::{Cli, Exit, error::CommandError};

/// What stands in the middle of every page's head.
const MANUAL: &str = "Underpin";

/// Write the manual pages, one per command
///
/// For packagers: the release has them beside the program.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder; it is made where it is missing.
    #[arg(value_name = "FOLDER")]
    folder: Utf8PathBuf,
}

pub(crate) fn man(args: &ManArgs) -> Result<Exit, CommandError> {
    let failed = |what: &Utf8Path, source| CommandError::Io {
        what: format!("cannot write {what}"),
        source,
    };
    fs::create_dir_all(&args.folder).map_err(|source| failed(&args.folder, source))?;
    for (name, page) in pages().map_err(|source| failed(&args.folder, source))? {
        let path = args.folder.join(name);
        fs::write(&path, page).map_err(|source| failed(&path, source))?;
    }
    Ok(Exit::Done)
}

/// Every page: the name of its file, and its text.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    // `help` only repeats what the pages say.
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    let mut left = vec![&root];
    while let Some(command) = left.pop() {
        // The package and its version, not the command's name, which is the title already.
        let source = concat!("underpin ", env!("CARGO_PKG_VERSION"));
        let page = Man::new(command.clone()).source(source).manual(MANUAL);
        let mut text = Vec::new();
        page.render(&mut text)?;
        for section in [exit_status(), see_also(command, &root)] {
            text.extend_from_slice(section.to_roff().as_bytes());
        }
        pages.push((page.get_filename(), text));
        left.extend(command.get_subcommands().filter(|one| !one.is_hide_set()));
    }
    Ok(pages)
}

fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        section.control("TP", []);
        section.text([bold(exit.code().to_string())]);
        section.text([roman(exit.meaning())]);
    }
    section
}

/// From a command's page to the program's; that one lists all others by itself.
fn see_also(command: &Command, root: &Command) -> Roff {
    let mut section = Roff::new();
    if command.get_name() != root.get_name() {
        section.control("SH", ["SEE ALSO"]);
        section.text([bold(root.get_name()), roman("(1)")]);
    }
    section
}
