//! Which files a path stands for.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use camino::{Utf8Path, Utf8PathBuf};

/// Most files that one source may hold.
pub(super) const MAX_FILES: usize = 20_000;
/// Deepest folder below a source.
const MAX_FOLDER_DEPTH: usize = 32;
/// File names read in folders.
const EXTENSIONS: &[&str] = &["json", "yaml", "yml"];

/// A path that could not be followed.
pub(crate) struct Unreadable {
    pub(crate) path: Utf8PathBuf,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

/// Hidden folders of version control and of Terraform's copies: what is in them is elsewhere too, or nobody
/// reads it.
const CACHES: &[&str] = &[
    ".bzr",
    ".git",
    ".hg",
    ".jj",
    ".svn",
    ".terraform",
    ".terragrunt-cache",
];

/// Which of the folders below a path are read.
#[derive(Clone, Debug, Default)]
pub struct Below {
    /// Whether hidden files and folders are read, those of version control and Terraform's copies aside.
    pub hidden: bool,
    /// Folders that are left out, links resolved.
    pub left_out: Vec<PathBuf>,
}

/// The files of one path, and what could not be followed.
pub(crate) struct Walk {
    pub(crate) files: Vec<Utf8PathBuf>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// Which files of a folder are meant.
    is_wanted: fn(&Utf8Path) -> bool,
    below: Below,
    root: PathBuf,
    folders_seen: BTreeSet<PathBuf>,
    /// Whether a file too many was met, and reported.
    truncated: bool,
}

/// Whether a file's name is that of a manifest.
pub(crate) fn is_manifest(path: &Utf8Path) -> bool {
    path.extension()
        .is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// The path itself if it is a file; those of its files that are wanted, sorted, if it is a folder.
/// Hidden files and folders are skipped, symbolic links are followed inside the folder only.
pub(crate) fn walk(path: &Utf8Path, is_wanted: fn(&Utf8Path) -> bool) -> io::Result<Walk> {
    walk_below(path, is_wanted, &Below::default())
}

/// The same with other folders.
pub(crate) fn walk_below(
    path: &Utf8Path,
    is_wanted: fn(&Utf8Path) -> bool,
    below: &Below,
) -> io::Result<Walk> {
    let mut walk = Walk {
        files: Vec::new(),
        unreadable: Vec::new(),
        is_wanted,
        below: below.clone(),
        root: fs::canonicalize(path)?,
        folders_seen: BTreeSet::new(),
        truncated: false,
    };
    if fs::metadata(path)?.is_dir() {
        walk.folder(path, 0);
    } else {
        walk.files.push(path.to_owned());
    }
    Ok(walk)
}

impl Walk {
    fn fail(&mut self, path: &Utf8Path, message: String, help: Option<&'static str>) {
        self.unreadable.push(Unreadable {
            path: path.to_owned(),
            message,
            help,
        });
    }

    fn folder(&mut self, folder: &Utf8Path, depth: usize) {
        if depth > MAX_FOLDER_DEPTH {
            let message = format!("nested deeper than {MAX_FOLDER_DEPTH} folders");
            return self.fail(folder, message, None);
        }
        // A link back to a folder that is being read, or that was, adds nothing.
        match fs::canonicalize(folder) {
            Ok(real) => {
                if self.below.left_out.contains(&real) || !self.folders_seen.insert(real) {
                    return;
                }
            }
            Err(error) => return self.fail(folder, format!("cannot read: {error}"), None),
        }
        let entries: Vec<_> = match fs::read_dir(folder).and_then(Iterator::collect) {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, format!("cannot read: {error}"), None),
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            match entry.file_name().into_string() {
                Ok(name) => {
                    names.insert(name);
                }
                Err(name) => {
                    let message = format!("file name `{}` is not UTF-8", name.display());
                    self.fail(folder, message, Some("rename the file"));
                }
            }
        }
        names.retain(|name| self.is_read(name));
        for name in names {
            self.entry(&folder.join(name), depth);
        }
    }

    fn is_read(&self, name: &str) -> bool {
        let is_hidden = name.starts_with('.');
        !is_hidden || (self.below.hidden && !CACHES.contains(&name))
    }

    fn entry(&mut self, path: &Utf8Path, depth: usize) {
        let is_wanted = (self.is_wanted)(path);
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // A dangling link counts only where it is one that is meant.
            Err(error) if is_wanted => {
                return self.fail(path, format!("cannot read: {error}"), None);
            }
            Err(_) => return,
        };
        if !metadata.is_dir() && !is_wanted {
            return;
        }
        let inside = fs::canonicalize(path).is_ok_and(|real| real.starts_with(&self.root));
        if !inside {
            let message = "the symbolic link leads out of the source folder".to_owned();
            let help = "name its target as a source of its own, or copy it";
            return self.fail(path, message, Some(help));
        }
        if metadata.is_dir() {
            self.folder(path, depth + 1);
        } else if self.files.len() < MAX_FILES {
            self.files.push(path.to_owned());
        } else if !self.truncated {
            self.truncated = true;
            self.fail(
                path,
                format!("more than {MAX_FILES} files in one source"),
                None,
            );
        }
    }
}
