//! Files of any sort that hold certain words, such as the host of a registry.

use std::{
    fs,
    io::{self, Read as _},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Diagnostic,
    manifests::{Below, start_of, tidy, walk_below},
};

/// Largest file that is read for what it says; larger ones are only looked through.
const MAX_BYTES: u64 = 32 << 20;
/// How much is looked through at once.
const PIECE: usize = 64 << 10;

/// A file that holds one of the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Its path.
    pub path: Utf8PathBuf,
    /// Its text; of one that is no text, as far as it is.
    pub text: String,
}

/// Files, and those in folders and below, that hold one of these words in whatever letter case, sorted by
/// path. What could not be read may hold them, and is told.
pub fn holding(
    paths: &[Utf8PathBuf],
    words: &[&str],
    below: &Below,
) -> (Vec<TextFile>, Vec<Diagnostic>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        let walked = match walk_below(path, |_| true, below) {
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
            match read(&file, words) {
                Ok(Some(text)) => found.push(TextFile { path: file, text }),
                Ok(None) => {}
                Err(message) => problems.push(Diagnostic::new(start_of(&file), message)),
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found.dedup();
    (found, problems)
}

/// The text of a file that holds one of the words.
fn read(path: &Utf8Path, words: &[&str]) -> Result<Option<String>, String> {
    let failed = |error: io::Error| format!("cannot read `{path}`: {error}");
    let mut file = fs::File::open(path).map_err(failed)?;
    if !holds(&mut file, words).map_err(failed)? {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("`{path}` has more than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes);
    Ok(Some(text.unwrap_or_else(|error| {
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    })))
}

/// Whether one of the words stands in what is read, however much that is.
fn holds(read: &mut impl io::Read, words: &[&str]) -> io::Result<bool> {
    let longest = words
        .iter()
        .map(|word| word.len())
        .max()
        .unwrap_or_default();
    let mut window: Vec<u8> = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = read.read(&mut piece)?;
        if length == 0 {
            return Ok(false);
        }
        window.extend(piece[..length].iter().map(u8::to_ascii_lowercase));
        let mut words = words.iter().filter(|word| !word.is_empty());
        let is_in = |word: &&&str| window.windows(word.len()).any(|one| one == word.as_bytes());
        if words.any(|word| is_in(&word)) {
            return Ok(true);
        }
        // A word may stand across two pieces.
        let keep = window.len().min(longest);
        window.drain(..window.len() - keep);
    }
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
        for hidden in [".env", ".github/workflows/build.yaml", ".git/config"] {
            let file = folder.join(hidden);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "push registry.example.com/z").unwrap();
        }
        let found = |below: &Below| {
            let (found, problems) = holding(&[folder.to_owned()], &["registry.example.com"], below);
            assert_eq!(problems, []);
            let names = found.iter();
            let names = names.filter_map(|one| one.path.file_name().map(str::to_owned));
            names.collect::<Vec<_>>()
        };
        assert_eq!(found(&Below::default()), ["one.sh", "two"]);
        let hidden = Below {
            hidden: true,
            ..Below::default()
        };
        assert_eq!(found(&hidden), [".env", "build.yaml", "one.sh", "two"]);
        let left_out = Below {
            left_out: vec![folder.join("a").canonicalize().unwrap()],
            ..hidden
        };
        assert_eq!(found(&left_out), [".env", "build.yaml", "two"]);
        let (_, problems) = holding(&[folder.join("none")], &["x"], &Below::default());
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn a_word_across_two_pieces_is_found() {
        for before in [PIECE - 5, PIECE, 2 * PIECE - 1] {
            let mut text = vec![b'.'; before];
            assert!(!holds(&mut &text[..], &["host", "Registry"]).unwrap());
            text.extend(b"HOST and more");
            assert!(
                holds(&mut &text[..], &["other", "host"]).unwrap(),
                "{before}"
            );
        }
    }
}
