//! `cargo xtask generate`: files that are made from code and committed; and the book that some of
//! them are pages of.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::reference;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a file is not what would be written.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let stale = apply(&root, &files(&root)?, args.check)?;
    // Made by `cargo xtask schema`, which needs the network: only checked here.
    crate::schema::check()?;
    for path in &stale {
        let line = format!(
            "{} is out of date; run: cargo xtask generate",
            path.display()
        );
        writeln!(io::stderr(), "{line}").context("write to standard error")?;
    }
    let problems = crate::book::check(&root)?;
    for problem in &problems {
        writeln!(io::stderr(), "{problem}").context("write to standard error")?;
    }
    Ok(if stale.is_empty() && problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every generated file: its path from the repository's root, and its text.
fn files(root: &Path) -> Result<Vec<(String, String)>> {
    let stack = underpin_source::stack::json_schema();
    let needs = underpin_source::needs_file::json_schema();
    let images = underpin_source::images_file::json_schema();
    let mut schemas = vec![
        ("schemas/stack.v1.json".to_owned(), stack),
        ("schemas/needs.v1.json".to_owned(), needs),
        ("schemas/images.v1.json".to_owned(), images),
    ];
    for one in underpin::command_schemas() {
        schemas.push((format!("schemas/{}", one.file()), one.json_schema()));
    }
    let mut files = Vec::new();
    for (name, schema) in schemas {
        let mut text = serde_json::to_string_pretty(&schema).context("schema as JSON")?;
        text.push('\n');
        files.push((name, text));
    }
    let pages = [
        ("docs/cli.md", reference::command_line()),
        ("docs/rules.md", reference::rules()),
        ("docs/stack-file.md", reference::stack_file()),
        ("docs/mistakes.md", reference::mistakes(root)?),
    ];
    files.extend(pages.map(|(name, text)| (name.to_owned(), text)));
    Ok(files)
}

/// Writes the files that differ; with `check`, returns them instead.
fn apply(root: &Path, files: &[(String, String)], check: bool) -> Result<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for (name, text) in files {
        let path = root.join(name);
        if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            continue;
        }
        if check {
            stale.push(PathBuf::from(name));
            continue;
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_finds_missing_and_changed_files_and_writing_settles_both() {
        let root = tempfile::tempdir().unwrap();
        let files = [("a/b.json", "1\n"), ("c.json", "2\n")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        fs::write(root.path().join("c.json"), "old").unwrap();
        let both = ["a/b.json", "c.json"].map(PathBuf::from);
        assert_eq!(apply(root.path(), &files, true).unwrap(), both);
        assert_eq!(
            fs::read_to_string(root.path().join("c.json")).unwrap(),
            "old"
        );
        assert!(apply(root.path(), &files, false).unwrap().is_empty());
        assert!(apply(root.path(), &files, true).unwrap().is_empty());
    }
}
