//! The chapter on mistakes: its sentences, with the outputs that the tests hold in snapshots.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use super::NOTICE;

/// The folder of the tests, from the repository's root.
const FOLDER: &str = "tests/tests/mistakes";
/// What stands before and after the name of an output, on a line of its own.
const MARKS: (&str, &str) = ("{{", "}}");
/// What ends the head of a snapshot.
const HEAD_END: &str = "\n---\n";

/// The page.
pub(crate) fn page(root: &Path) -> Result<String> {
    let folder = root.join(FOLDER);
    let chapter = read(&folder.join("chapter.md"))?;
    let mut text = String::new();
    for line in chapter.lines() {
        let name = line.strip_prefix(MARKS.0);
        match name.and_then(|name| name.strip_suffix(MARKS.1)) {
            Some(name) => text.push_str(&output(&folder, name)?),
            None => text.push_str(line),
        }
        text.push('\n');
        if line.starts_with("# ") {
            text.push_str(&format!("\n{NOTICE}\n"));
        }
    }
    Ok(text)
}

/// The body of a snapshot.
fn output(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join("pages").join(format!("{name}.snap"));
    let text = read(&path)?;
    let Some((_, body)) = text.split_once(HEAD_END) else {
        bail!("{} has no head", path.display());
    };
    Ok(body.trim_end().to_owned())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_take_the_place_of_their_names() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(folder.join("pages")).unwrap();
        fs::write(folder.join("chapter.md"), "# A\n\nb\n\n{{c}}\n").unwrap();
        assert!(page(root.path()).is_err());
        let snapshot = "---\nsource: x\n---\n```text\nd\n---\n```\n";
        fs::write(folder.join("pages/c.snap"), snapshot).unwrap();
        let made = page(root.path()).unwrap();
        assert_eq!(
            made,
            format!("# A\n\n{NOTICE}\n\nb\n\n```text\nd\n---\n```\n")
        );
    }
}
