//! The kubeconfig of a sandbox on disk: readable by its owner alone, removed at the end.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::error::CommandError;

/// Where it is written when nothing else is said.
const DEFAULT: &str = "sandbox.kubeconfig";
/// First line: who wrote the file, so that one that was left behind can be told from a user's own.
const MARK: &str = "# Written by `underpin sandbox`, and removed when it ends.\n";

/// The file, while the sandbox runs.
pub(crate) struct KubeconfigFile {
    path: Utf8PathBuf,
    folder: Option<(TempDir, Utf8PathBuf)>,
    /// Open, and locked, as long as the sandbox runs.
    _held: File,
}

impl KubeconfigFile {
    /// Writes it where it was asked for; else, if it is for a command alone, into a temporary
    /// folder, or into the current one. A file is overwritten only if a sandbox left it behind.
    pub(crate) fn write(
        asked: Option<&Utf8Path>,
        temporary: bool,
        content: &str,
    ) -> Result<Self, CommandError> {
        let folder = if temporary {
            Some(temporary_folder()?)
        } else {
            None
        };
        let path = match (asked, &folder) {
            (Some(asked), _) => asked.to_owned(),
            (None, Some((_, folder))) => folder.join(DEFAULT),
            (None, None) => DEFAULT.into(),
        };
        let failed = |source| CommandError::Io {
            what: format!("cannot write the kubeconfig {path}"),
            source,
        };
        match File::open(&path) {
            Ok(before) if is_left_behind(&path, &before)? => {
                fs::remove_file(&path).map_err(failed)?;
            }
            Ok(_) => return Err(taken(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let held = create(&path, content).map_err(failed)?;
        // For other terminals, whatever folder they are in.
        let path = std::path::absolute(&path)
            .ok()
            .and_then(|path| Utf8PathBuf::try_from(path).ok())
            .unwrap_or(path);
        Ok(Self {
            path,
            folder,
            _held: held,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The temporary folder, if there is one; it goes with the file.
    pub(crate) fn private_folder(&self) -> Option<&Utf8Path> {
        self.folder.as_ref().map(|(_, path)| path.as_path())
    }

    /// Removes it.
    pub(crate) fn remove(self) -> Result<(), CommandError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(CommandError::Io {
                what: format!("cannot remove the kubeconfig {}", self.path),
                source,
            }),
            _ => Ok(()),
        }
    }
}

/// Whether a sandbox that no longer runs wrote it. One that runs still needs it.
fn is_left_behind(path: &Utf8Path, mut file: &File) -> Result<bool, CommandError> {
    let mut start = [0; MARK.len()];
    if file.read_exact(&mut start).is_err() || start != *MARK.as_bytes() {
        return Ok(false);
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(CommandError::usage(
            format!("{path} belongs to a sandbox that is running"),
            "end that one, or choose another place with --kubeconfig-out",
        )),
        // Where files cannot be locked, none can be held.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(true),
    }
}

fn taken(path: &Utf8Path) -> CommandError {
    CommandError::usage(
        format!("{path} exists and was not written by a sandbox"),
        "choose another place with --kubeconfig-out",
    )
}

fn temporary_folder() -> Result<(TempDir, Utf8PathBuf), CommandError> {
    let failed = |source| CommandError::Io {
        what: "cannot make a temporary folder".to_owned(),
        source,
    };
    let folder = tempfile::Builder::new()
        .prefix("underpin-sandbox-")
        .tempdir()
        .map_err(failed)?;
    let path = Utf8PathBuf::try_from(folder.path().to_owned())
        .map_err(|error| failed(error.into_io_error()))?;
    Ok((folder, path))
}

/// Creates the file with the owner's rights alone, from the first moment on.
fn create(path: &Utf8Path, content: &str) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    // Shared, so that others can read it wherever locks are binding. Not every file system has
    // locks, and the file serves without.
    let _ = file.try_lock_shared();
    file.write_all(MARK.as_bytes())?;
    file.write_all(content.as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_a_sandbox_left_behind_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("config")).unwrap();
        let file = KubeconfigFile::write(Some(&path), false, "one").unwrap();
        assert_eq!(file.path(), path);
        let second = KubeconfigFile::write(Some(&path), false, "of another");
        assert!(second.is_err_and(|error| error.to_string().contains("that is running")));
        assert!(fs::read_to_string(&path).unwrap().ends_with("one"));
        drop(file);
        let file = KubeconfigFile::write(Some(&path), false, "two").unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("two"));
        file.remove().unwrap();
        assert!(!path.exists());
        fs::write(&path, "apiVersion: v1").unwrap();
        assert!(KubeconfigFile::write(Some(&path), false, "three").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "apiVersion: v1");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = KubeconfigFile::write(None, true, "content").unwrap();
        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let folder = file.private_folder().unwrap().to_owned();
        file.remove().unwrap();
        assert!(!folder.exists());
    }
}
