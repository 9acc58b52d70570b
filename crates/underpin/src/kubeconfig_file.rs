//! The kubeconfig of a sandbox on disk: readable by its owner alone, removed at the end.

use std::{
    fs, io,
    io::{ErrorKind, Write as _},
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
}

impl KubeconfigFile {
    /// Writes it where it was asked for; else, if it is for a command alone, into a temporary
    /// folder, or into the current one. A file that is not a sandbox's is not overwritten.
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
        match fs::read_to_string(&path) {
            Ok(before) if before.starts_with(MARK) => fs::remove_file(&path).map_err(failed)?,
            Ok(_) => return Err(taken(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(taken(&path)),
            Err(error) => return Err(failed(error)),
        }
        create(&path, content).map_err(failed)?;
        // For other terminals, whatever folder they are in.
        let path = std::path::absolute(&path)
            .ok()
            .and_then(|path| Utf8PathBuf::try_from(path).ok())
            .unwrap_or(path);
        Ok(Self { path, folder })
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
fn create(path: &Utf8Path, content: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(MARK.as_bytes())?;
    file.write_all(content.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_a_sandbox_wrote_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("config")).unwrap();
        let file = KubeconfigFile::write(Some(&path), false, "one").unwrap();
        assert_eq!(file.path(), path);
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
