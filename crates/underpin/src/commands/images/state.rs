//! What runs remember: one record of all that was seen, the manifests that were read, and of the last run
//! the pins and the roots that it went by.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_image::{Pin, RunRecord};

use crate::error::CommandError;

const RECORD: &str = "record.json";
/// The pins that the last run went by.
pub(super) const PINS: &str = "pins.txt";
const ROOTS: &str = "roots.txt";
const MANIFESTS: &str = "manifests";

/// The folder of one registry.
pub(super) struct State {
    folder: Utf8PathBuf,
}

impl State {
    /// Opens the folder, which is made if it is not there.
    pub(super) fn open(folder: Utf8PathBuf) -> Result<Self, CommandError> {
        fs::create_dir_all(&folder).map_err(|source| CommandError::Io {
            what: format!("cannot make the folder {folder} to remember in what this run saw"),
            source,
        })?;
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// The folder of manifests that were read.
    pub(super) fn manifests(&self) -> Utf8PathBuf {
        self.folder.join(MANIFESTS)
    }

    /// What earlier runs left; nothing before the first.
    pub(super) fn record(&self) -> Result<Option<RunRecord>, CommandError> {
        let path = self.folder.join(RECORD);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CommandError::Io {
                    what: format!("cannot read {path}"),
                    source,
                });
            }
        };
        let record: RunRecord = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unusable(
                &path,
                &format!("line {line}, column {column} is not as it was written"),
            )
        })?;
        if record.schema == RunRecord::SCHEMA {
            Ok(Some(record))
        } else {
            Err(unusable(
                &path,
                &format!("it is of another version, {}", record.schema),
            ))
        }
    }

    /// Remembers a run, and what it went by.
    pub(super) fn remember(
        &self,
        record: &RunRecord,
        pins: &[Pin],
        roots: &str,
    ) -> Result<(), CommandError> {
        let pins: String = pins.iter().map(|pin| format!("{}\n", pin.text)).collect();
        let record = serde_json::to_string(record).map_err(io::Error::other);
        let written = record.and_then(|record| {
            self.write(PINS, &pins)?;
            self.write(ROOTS, roots)?;
            // Last, for it says that the run was.
            self.write(RECORD, &record)
        });
        written.map_err(|source| CommandError::Io {
            what: format!("cannot remember this run in {}", self.folder),
            source,
        })
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(name))
            .map_err(|error| error.error)?;
        Ok(())
    }
}

fn unusable(path: &Utf8Path, why: &str) -> CommandError {
    CommandError::usage(
        format!("what earlier runs remembered in {path} cannot be used: {why}"),
        "to begin anew, remove the file: since when an image has been needed by nothing is forgotten \
         with it, and nothing goes before two further runs",
    )
}
