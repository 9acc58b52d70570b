//! Where stack files lie.

use std::{fs, io};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    manifests::{is_stack_document, read_text},
    yaml::parse_nodes,
};

/// Name of stack files.
pub const FILE_NAME: &str = "underpin.yaml";
/// Deepest folder that is searched.
const MAX_FOLDER_DEPTH: usize = 32;

/// A folder that cannot be searched.
#[derive(Debug, thiserror::Error)]
#[error("cannot read folder {folder}: {error}")]
pub struct FindError {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// What the operating system says.
    pub error: io::Error,
}

/// The stack files in a folder and below it, sorted. Hidden folders are left out.
pub fn find(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, FindError> {
    let mut found = Vec::new();
    search(folder, MAX_FOLDER_DEPTH, &mut found)?;
    Ok(found)
}

/// Whether a file is a stack file: by its name, or by what its first document says that it is.
pub fn is_stack_file(file: &Utf8Path) -> bool {
    if file.file_name() == Some(FILE_NAME) {
        return true;
    }
    let is_yaml = matches!(file.extension(), Some("yaml" | "yml" | "json"));
    let text = if is_yaml { read_text(file).ok() } else { None };
    // What cannot be read or understood is told by whoever reads it as something else.
    text.is_some_and(|text| {
        let (documents, _) = parse_nodes(file.as_str(), &text);
        let first = documents.first();
        first.is_some_and(|document| is_stack_document(&document.root))
    })
}

fn search(folder: &Utf8Path, depth: usize, found: &mut Vec<Utf8PathBuf>) -> Result<(), FindError> {
    let failed = |error| FindError {
        folder: folder.to_owned(),
        error,
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        // A name that is not UTF-8 is not a stack file's, and none below it could be named.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = folder.join(&name);
        if kind.is_dir() && !name.starts_with('.') && depth > 0 {
            search(&path, depth - 1, found)?;
        } else if name == FILE_NAME && !kind.is_dir() {
            found.push(path);
        }
    }
    Ok(())
}
