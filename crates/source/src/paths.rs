//! Paths as texts: joined and compared without asking the file system.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The path below a folder, `.` and `..` resolved as far as they can be.
pub(crate) fn join(folder: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    tidy(&folder.join(path))
}

/// The path without `.`, and without `..` but at its beginning; empty for the current folder.
pub fn tidy(path: &Utf8Path) -> Utf8PathBuf {
    let mut tidied = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                let above = matches!(
                    tidied.components().next_back(),
                    Some(Utf8Component::Normal(_))
                );
                if above {
                    tidied.pop();
                } else {
                    tidied.push("..");
                }
            }
            other => tidied.push(other),
        }
    }
    tidied
}

/// The way from one tidy folder to another: `.`, `modules/web`, `../modules/web`.
pub(crate) fn relative(from: &Utf8Path, to: &Utf8Path) -> String {
    let from: Vec<_> = from.components().collect();
    let to: Vec<_> = to.components().collect();
    let shared = from
        .iter()
        .zip(&to)
        .take_while(|(left, right)| left == right)
        .count();
    let up = from.iter().skip(shared).map(|_| "..");
    let down = to.iter().skip(shared).map(Utf8Component::as_str);
    let parts: Vec<&str> = up.chain(down).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}
