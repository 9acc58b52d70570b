//! Files that expressions read: never outside the folder that is being read.

use std::{
    cell::Cell,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use camino::Utf8Path;

/// Largest file that an expression may read.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// What expressions may read in all.
const MAX_BYTES_IN_ALL: u64 = 256 << 20;
/// Most entries of a folder tree that `fileset` looks at.
const MAX_ENTRIES: usize = 20_000;
/// Deepest folder that `fileset` looks into.
const MAX_FOLDER_DEPTH: usize = 32;

/// Why a file cannot be read.
pub(super) enum Refusal {
    /// It is not there.
    Missing,
    /// It lies outside.
    Outside,
    /// It is there and cannot be read.
    Unreadable(String),
}

/// The folder that expressions may read in.
pub(super) struct Confines {
    /// `None` for no folder at all.
    real: Option<PathBuf>,
    bytes_left: Cell<u64>,
}

impl Confines {
    /// Within the folder, links to it resolved.
    pub(super) fn new(folder: &Utf8Path) -> io::Result<Self> {
        Ok(Self {
            real: Some(fs::canonicalize(folder)?),
            bytes_left: Cell::new(MAX_BYTES_IN_ALL),
        })
    }

    /// Nothing may be read.
    pub(super) fn nowhere() -> Self {
        Self {
            real: None,
            bytes_left: Cell::new(0),
        }
    }

    fn contains(&self, real: &Path) -> bool {
        self.real
            .as_ref()
            .is_some_and(|folder| real.starts_with(folder))
    }

    /// Whether what the path leads to, links resolved, lies within.
    pub(super) fn holds(&self, path: &Utf8Path) -> bool {
        fs::canonicalize(path).is_ok_and(|real| self.contains(&real))
    }

    fn resolve(&self, path: &Utf8Path) -> Result<PathBuf, Refusal> {
        match fs::canonicalize(path) {
            Ok(real) if self.contains(&real) => Ok(real),
            Ok(_) => Err(Refusal::Outside),
            // Whether something is there must not be found out either.
            Err(_) if !self.may_lie_within(path.as_std_path()) => Err(Refusal::Outside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Refusal::Missing),
            Err(error) => Err(Refusal::Unreadable(error.to_string())),
        }
    }

    /// Whether the nearest folder above that is there lies within.
    fn may_lie_within(&self, path: &Path) -> bool {
        let above = path.ancestors().skip(1).find_map(|above| {
            let above = if above.as_os_str().is_empty() {
                Path::new(".")
            } else {
                above
            };
            fs::canonicalize(above).ok()
        });
        above.is_some_and(|real| self.contains(&real))
    }

    /// Whether there is a file.
    pub(super) fn is_file(&self, path: &Utf8Path) -> Result<bool, Refusal> {
        match self.resolve(path) {
            Ok(real) => Ok(real.is_file()),
            Err(Refusal::Missing) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The bytes of a file.
    pub(super) fn read(&self, path: &Utf8Path) -> Result<Vec<u8>, Refusal> {
        let real = self.resolve(path)?;
        let failed = |error: io::Error| Refusal::Unreadable(error.to_string());
        let metadata = fs::metadata(&real).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Refusal::Unreadable("not a regular file".to_owned()));
        }
        let limit = MAX_FILE_BYTES.min(self.bytes_left.get());
        let mut bytes = Vec::new();
        let file = fs::File::open(&real).map_err(failed)?;
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > limit {
            let message = format!("larger than {limit} bytes, the most that is read");
            return Err(Refusal::Unreadable(message));
        }
        self.bytes_left
            .set(self.bytes_left.get() - bytes.len() as u64);
        Ok(bytes)
    }

    /// The files below a folder, as paths relative to it with `/`, sorted.
    pub(super) fn files(&self, folder: &Utf8Path) -> Result<Vec<String>, Refusal> {
        let real = self.resolve(folder)?;
        let mut found = Vec::new();
        let mut left = MAX_ENTRIES;
        self.collect(&real, "", 0, &mut found, &mut left)?;
        found.sort();
        Ok(found)
    }

    fn collect(
        &self,
        folder: &Path,
        prefix: &str,
        depth: usize,
        found: &mut Vec<String>,
        left: &mut usize,
    ) -> Result<(), Refusal> {
        if depth > MAX_FOLDER_DEPTH {
            let message = format!("nested deeper than {MAX_FOLDER_DEPTH} folders");
            return Err(Refusal::Unreadable(message));
        }
        let failed = |error: io::Error| Refusal::Unreadable(error.to_string());
        for entry in fs::read_dir(folder).map_err(failed)? {
            *left = left.checked_sub(1).ok_or_else(|| {
                Refusal::Unreadable(format!("more than {MAX_ENTRIES} files below the folder"))
            })?;
            let Ok(name) = entry.map_err(failed)?.file_name().into_string() else {
                continue;
            };
            let Ok(real) = fs::canonicalize(folder.join(&name)) else {
                continue;
            };
            if !self.contains(&real) {
                return Err(Refusal::Outside);
            }
            let path = format!("{prefix}{name}");
            if real.is_dir() {
                self.collect(&real, &format!("{path}/"), depth + 1, found, left)?;
            } else if real.is_file() {
                found.push(path);
            }
        }
        Ok(())
    }
}
