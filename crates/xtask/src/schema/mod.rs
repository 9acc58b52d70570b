//! `cargo xtask schema`: how the fields of Kubernetes' own kinds merge, as a committed table.

mod client_go;
mod compare;
mod groups;
mod package;
mod shape;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use underpin_fieldset::schema::openapi;
use underpin_fieldset::schema::table::Table;

/// The committed table, from the repository's root.
const TABLE: &str = "crates/fieldset/src/schema/builtin.txt";
/// Kinds that client-go does not have, written by hand in the table's form; each file says where
/// its types come from.
const BY_HAND: &[&str] = &[include_str!("by_hand.txt"), include_str!("former.txt")];
/// The largest table worth committing, in bytes.
const SIZE_LIMIT: usize = 300_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    origin: Origin,
    /// Print where the OpenAPI document and the committed table differ, instead of the table.
    #[arg(long, requires = "from_openapi")]
    compare: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Origin {
    /// Write the table from Debian sid's client-go, downloaded by apt.
    #[arg(long)]
    from_client_go: bool,
    /// Write the table from this client-go package (a .deb file, or a folder with one).
    #[arg(long, value_name = "PATH")]
    client_go: Option<PathBuf>,
    /// Print the table of a server (a file with its /openapi/v2).
    #[arg(long, value_name = "FILE")]
    from_openapi: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(file) = &args.origin.from_openapi {
        let server = of_openapi(file)?;
        let lines = if args.compare {
            compare::lines(&server, &committed()?)
        } else {
            vec![server.to_string().trim_end().to_owned()]
        };
        let mut out = io::stdout().lock();
        for line in lines {
            writeln!(out, "{line}").context("write to standard output")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let deb = match &args.origin.client_go {
        Some(path) => package::find(path)?,
        None => package::download()?,
    };
    write(&of_client_go(&deb)?)
}

fn of_client_go(deb: &Path) -> Result<Table> {
    let mut table = client_go::read(&package::text(deb, client_go::PATH)?)?;
    table.sources.push(package::source(deb)?);
    for text in BY_HAND {
        // They need types of client-go, so they are read in its company.
        let all = format!("{table}{}", without_comments(text));
        let all = Table::parse(&all).context("types written by hand")?;
        table = all;
    }
    Ok(shape::prune(&table))
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

fn of_openapi(file: &Path) -> Result<Table> {
    let text = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let document: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let table = openapi::of_document(&document).with_context(|| format!("{}", file.display()))?;
    ensure!(
        !table.kinds.is_empty(),
        "{} describes no kinds; it should be what a server gives for /openapi/v2",
        file.display()
    );
    Ok(shape::prune(&table))
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(TABLE)
}

fn committed() -> Result<Table> {
    let path = path();
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    Table::parse(&text).with_context(|| format!("read {}", path.display()))
}

fn write(table: &Table) -> Result<ExitCode> {
    let text = table.to_string();
    check_text(&text)?;
    let path = path();
    fs::write(&path, &text).with_context(|| format!("write {}", path.display()))?;
    let line = format!(
        "{TABLE}: {} kinds, {} types, {} bytes",
        table.kinds.len(),
        table.schema.types().count(),
        text.len()
    );
    writeln!(io::stdout(), "{line}").context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Checks the committed table without any source at hand: it parses, and is what would be
/// written of what it says.
pub(crate) fn check() -> Result<()> {
    let path = path();
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    check_text(&text).with_context(|| TABLE)
}

fn check_text(text: &str) -> Result<()> {
    let table = Table::parse(text)?;
    ensure!(!table.sources.is_empty(), "no source is named");
    ensure!(!table.kinds.is_empty(), "no kinds");
    ensure!(
        text.len() <= SIZE_LIMIT,
        "{} bytes are more than {SIZE_LIMIT}",
        text.len()
    );
    let canonical = shape::prune(&table).to_string();
    let differ = text
        .lines()
        .zip(canonical.lines())
        .position(|(a, b)| a != b);
    match differ {
        Some(index) => bail!("line {} is not canonical", index + 1),
        None if text != canonical => bail!("lines are missing or left over at the end"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
