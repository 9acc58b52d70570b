//! The book in `docs/`: that its summary names every page, that its links lead somewhere, and that
//! the commands it shows exist. What builds it, mdBook, checks none of these.

mod examples;
mod links;
mod markdown;
mod summary;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

pub(crate) use markdown::{slug, unfenced};

/// The folder of the book, from the repository's root.
const BOOK: &str = "docs";
/// The pages that stand beside the book.
const OUTSIDE: [&str; 4] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
];
/// Folders within folders of the book: far more than anybody would make.
const DEEPEST: usize = 8;

/// One page: its path from the repository's root, with `/`, and its text.
pub(crate) struct Page {
    path: String,
    text: String,
}

/// Everything that is wrong with the book below a repository's root, a line each.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let pages = pages(root)?;
    let mut problems = summary::check(&pages);
    problems.extend(links::check(root, &pages));
    problems.extend(examples::check(&pages));
    Ok(problems)
}

/// All pages, of the book and beside it, by path.
fn pages(root: &Path) -> Result<Vec<Page>> {
    let mut paths: Vec<PathBuf> = OUTSIDE
        .iter()
        .map(PathBuf::from)
        .filter(|path| root.join(path).exists())
        .collect();
    collect(root, Path::new(BOOK), DEEPEST, &mut paths)?;
    paths.sort();
    paths.iter().map(|path| page(root, path)).collect()
}

fn page(root: &Path, path: &Path) -> Result<Page> {
    let text = fs::read_to_string(root.join(path));
    let text = text.with_context(|| format!("read {}", path.display()))?;
    let path = path.to_string_lossy().replace('\\', "/");
    Ok(Page { path, text })
}

fn collect(root: &Path, folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<()> {
    let reading = || format!("read the folder {}", folder.display());
    anyhow::ensure!(depth > 0, "{} is too deep", folder.display());
    for entry in fs::read_dir(root.join(folder)).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let path = folder.join(entry.file_name());
        if entry.file_type().with_context(reading)?.is_dir() {
            collect(root, &path, depth - 1, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a repository with these files.
    #[track_caller]
    fn check_files(files: &[(&str, &str)], expected: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(check(root.path()).unwrap(), expected);
    }

    #[test]
    fn a_sound_book_has_no_problems() {
        check_files(
            &[
                ("README.md", "[a](docs/a.md) [way](docs/b/c.md#the-way)"),
                ("docs/SUMMARY.md", "- [A](a.md)\n  - [C](b/c.md)\n"),
                ("docs/a.md", "# A\n\n[out](https://example.com) [c](b/c.md)"),
                (
                    "docs/b/c.md",
                    "# C\n\n## The way\n\n[up](../a.md#a), [here](#c)",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn pages_and_summary_agree() {
        check_files(
            &[
                (
                    "docs/SUMMARY.md",
                    "- [A](a.md)\n- [A](a.md)\n- [B](b.md)\n- [Draft]()\n",
                ),
                ("docs/a.md", "# A"),
                ("docs/c.md", "# C"),
            ],
            &[
                "docs/SUMMARY.md names docs/a.md twice",
                "docs/SUMMARY.md does not name docs/c.md",
                "docs/SUMMARY.md:3: b.md: there is no docs/b.md",
                "docs/SUMMARY.md:4: a link that leads nowhere",
            ],
        );
    }

    #[test]
    fn links_resolve() {
        check_files(
            &[
                ("schemas/x.json", "{}"),
                (
                    "README.md",
                    "[x](schemas/x.json)\n\n[y](schemas/y.json)\n[a]: docs/b.md",
                ),
                ("docs/SUMMARY.md", "- [A](a.md)"),
                (
                    "docs/a.md",
                    "# A\n\n`[code](no.md)`\n\n```text\n[code](no.md)\n```\n[x](../schemas/x.json)\n[a](#b)",
                ),
            ],
            &[
                "README.md:3: schemas/y.json: there is no schemas/y.json",
                "README.md:4: docs/b.md: there is no docs/b.md",
                "docs/a.md:8: ../schemas/x.json leads out of the book, where the built book does not \
                 follow; write it as `schemas/x.json`",
                "docs/a.md:9: #b: docs/a.md has no such heading",
            ],
        );
    }

    #[test]
    fn commands_that_are_shown_exist() {
        let block = "# A\n\n```sh\nunderpin plan -e a | less  # see\nunderpin undo\n\
                     X=1 underpin status --everything\nunderpin why secret/a \\\n  --nonsense\nls\n```\n\
                     ```console\n$ underpin explain UP101\nunderpin is no command here\n$ underpin redo\n```\n";
        check_files(
            &[("docs/SUMMARY.md", "- [A](a.md)"), ("docs/a.md", block)],
            &[
                "docs/a.md:5: underpin undo: unrecognized subcommand 'undo'",
                "docs/a.md:6: underpin status --everything: unexpected argument '--everything' found",
                "docs/a.md:7: underpin why secret/a --nonsense: unexpected argument '--nonsense' found",
                "docs/a.md:14: underpin redo: unrecognized subcommand 'redo'",
            ],
        );
    }
}
