//! Files of any sort that hold certain words, such as the host of a registry.

use std::{fs, io::Read as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Diagnostic,
    manifests::{start_of, tidy, walk},
};

/// Largest file that is looked into.
const MAX_BYTES: u64 = 32 << 20;

/// A file that holds one of the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Its path.
    pub path: Utf8PathBuf,
    /// Its text; of one that is no text, as far as it is.
    pub text: String,
}

/// Files, and those in folders and below, that hold one of these words in whatever letter case, sorted by
/// path. Hidden folders are left out. What could not be read may hold them, and is told.
pub fn holding(paths: &[Utf8PathBuf], words: &[&str]) -> (Vec<TextFile>, Vec<Diagnostic>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let walked = match walk(path, |_| true) {
            Ok(walked) => walked,
            Err(error) => {
                let message = format!("cannot read `{path}`: {error}");
                problems.push(Diagnostic::new(start_of(path), message));
                continue;
            }
        };
        problems.extend(walked.unreadable.into_iter().map(|problem| {
            let mut diagnostic = Diagnostic::new(start_of(&problem.path), problem.message);
            diagnostic.help = problem.help.map(str::to_owned);
            diagnostic
        }));
        for file in walked.files.iter().map(|file| tidy(file)) {
            match read(&file) {
                Ok(text) => {
                    let lower = text.to_ascii_lowercase();
                    if words.iter().any(|word| lower.contains(*word)) {
                        found.push(TextFile { path: file, text });
                    }
                }
                Err(message) => problems.push(Diagnostic::new(start_of(&file), message)),
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found.dedup();
    (found, problems)
}

fn read(path: &Utf8Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot read `{path}`: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("`{path}` has more than {MAX_BYTES} bytes"));
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_any_sort_are_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        fs::create_dir(folder.join("a")).unwrap();
        fs::write(folder.join("a/one.sh"), "pull REGISTRY.example.com/x").unwrap();
        fs::write(folder.join("two"), b"\xff registry.example.com/y").unwrap();
        fs::write(folder.join("three.md"), "nothing").unwrap();
        let (found, problems) = holding(&[folder.to_owned()], &["registry.example.com"]);
        assert_eq!(problems, []);
        let names: Vec<_> = found
            .iter()
            .filter_map(|one| one.path.file_name())
            .collect();
        assert_eq!(names, ["one.sh", "two"]);
        let (_, problems) = holding(&[folder.join("none")], &["x"]);
        assert_eq!(problems.len(), 1);
    }
}
