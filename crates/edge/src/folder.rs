//! The folder of the edge: the last good document, which Caddy boots from, and what is remembered.
//!
//! Both hold what the entries hold, so that nobody but their owner reads them. Each is replaced as a
//! whole: what is there is complete, whenever the machine stops.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use underpin_route::{Certificate, Remembered, RememberedError};

use crate::tls::usable;

/// The last good document.
pub const DOCUMENT_FILE: &str = "caddy.json";
/// What is remembered.
pub const STATE_FILE: &str = "state.json";

/// What Caddy ran before the first document, until one has been verified.
const FOUND_FILE: &str = "found.json";

/// The certificate for hosts that nobody has, and its key.
const UNKNOWN_FILE: &str = "unknown-host.json";

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("cannot {act} {path}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is there was not written by this version.
    #[error("{path} cannot be used: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RememberedError,
    },
    /// What is there is no JSON.
    #[error("{path} cannot be used: it is no JSON document")]
    Json {
        /// The file.
        path: PathBuf,
    },
}

/// The folder of an edge.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder, created if it is not there.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(|source| FolderError::Io {
            act: "create",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Where Caddy boots from.
    pub fn document_path(&self) -> PathBuf {
        self.path.join(DOCUMENT_FILE)
    }

    /// The last good document, if there is one.
    pub fn document(&self) -> Result<Option<Bytes>, FolderError> {
        Ok(self.json(DOCUMENT_FILE)?.map(Bytes::from))
    }

    /// What is remembered, if anything is.
    pub fn remembered(&self) -> Result<Option<Remembered>, FolderError> {
        let text = self.json(STATE_FILE)?;
        let read = text.map(|text| Remembered::from_slice(&text));
        read.transpose().map_err(|source| FolderError::State {
            path: self.path.join(STATE_FILE),
            source,
        })
    }

    /// What Caddy ran before the first document, if none has been verified yet.
    pub fn found(&self) -> Result<Option<Value>, FolderError> {
        self.read(FOUND_FILE)
    }

    /// Keeps what Caddy ran before the first document.
    pub fn keep_found(&self, document: &[u8]) -> Result<(), FolderError> {
        self.write(FOUND_FILE, document)
    }

    /// The certificate for hosts that nobody has, if one was made.
    pub(crate) fn unknown(&self) -> Result<Option<Certificate>, FolderError> {
        let value = self.read(UNKNOWN_FILE)?;
        let text = |value: &Value, field: &str| Some(value.get(field)?.as_str()?.to_owned());
        // One that is of no use is made anew.
        Ok(value.and_then(|value| {
            let (chain, key) = (text(&value, "certificate")?, text(&value, "key")?);
            usable(chain, key).ok()
        }))
    }

    /// Keeps that certificate.
    pub(crate) fn keep_unknown(&self, certificate: &Certificate) -> Result<(), FolderError> {
        let value = json!({"certificate": certificate.chain, "key": certificate.key});
        self.write(UNKNOWN_FILE, value.to_string().as_bytes())
    }

    /// Writes both. The document comes first: a state that is older than what Caddy boots from is found
    /// out by comparing, a newer one would be believed.
    pub fn keep(&self, document: &Bytes, remembered: &Remembered) -> Result<(), FolderError> {
        self.write(DOCUMENT_FILE, document)?;
        self.remember(remembered)?;
        let found = self.path.join(FOUND_FILE);
        match fs::remove_file(&found) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FolderError::Io {
                act: "remove",
                path: found,
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Writes what is remembered alone.
    pub fn remember(&self, remembered: &Remembered) -> Result<(), FolderError> {
        self.write(STATE_FILE, remembered.to_text().as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<Value>, FolderError> {
        let bytes = self.bytes(name)?;
        bytes.map(|bytes| self.parsed(name, &bytes)).transpose()
    }

    /// A file as it is, if it is JSON.
    fn json(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let bytes = self.bytes(name)?;
        if let Some(bytes) = &bytes {
            self.parsed::<IgnoredAny>(name, bytes)?;
        }
        Ok(bytes)
    }

    fn parsed<T: DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Result<T, FolderError> {
        serde_json::from_slice(bytes).map_err(|_| FolderError::Json {
            path: self.path.join(name),
        })
    }

    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Io {
                act: "read",
                path,
                source,
            }),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        underpin_files::replace(&path, bytes).map_err(|source| FolderError::Io {
            act: "write",
            path,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_for_its_owner_alone() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::open(&base.path().join("edge")).unwrap();
        assert!(folder.document().unwrap().is_none());
        assert!(folder.remembered().unwrap().is_none());
        let remembered = Remembered {
            nonce: "n0nce".to_owned(),
            ..Remembered::default()
        };
        for text in ["{\"a\": 1}", "{\"a\": 2}"] {
            folder.keep(&Bytes::from(text), &remembered).unwrap();
        }
        assert_eq!(folder.document().unwrap().unwrap(), "{\"a\": 2}");
        assert_eq!(folder.remembered().unwrap().unwrap(), remembered);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for name in [DOCUMENT_FILE, STATE_FILE] {
                let mode = fs::metadata(folder.path.join(name)).unwrap().permissions();
                assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
            }
        }
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 2);
        folder.keep_found(b"{\"b\": 1}").unwrap();
        assert_eq!(folder.found().unwrap().unwrap()["b"], 1);
        folder.keep(&Bytes::from("{}"), &remembered).unwrap();
        assert_eq!(folder.found().unwrap(), None);
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_and_is_not_shown() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::open(base.path()).unwrap();
        fs::write(base.path().join(DOCUMENT_FILE), "hunter2").unwrap();
        fs::write(base.path().join(STATE_FILE), "{\"form\": \"hunter2\"}").unwrap();
        let errors = [
            folder.document().unwrap_err().to_string(),
            folder.remembered().unwrap_err().to_string(),
        ];
        for error in errors {
            assert!(error.contains("cannot be used"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
