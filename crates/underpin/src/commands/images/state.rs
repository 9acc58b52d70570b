//! What runs remember: one record of all that was seen, the manifests that were read, and of the last run
//! the pins and the roots that it went by.
//!
//! They lie in the folder of [`underpin_registry::State`], whose lock is held by whoever writes record, pins
//! and roots.

use std::{
    fs,
    io::{self, ErrorKind},
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_image::RunRecord;
use underpin_registry::{Restored, StateError};

use super::made::Made;
use crate::{error::CommandError, output};

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

    /// Remembers a run that only reads, if no other one writes or has written meanwhile: what that has seen
    /// must not be forgotten.
    pub(super) fn remember_alone(&self, made: &Made) -> Result<(), CommandError> {
        let alone = match underpin_registry::State::lock(self.folder.as_std_path()) {
            Err(StateError::Locked { .. }) => None,
            locked => Some(locked?),
        };
        if alone.is_some() && self.record()?.as_ref() == made.record() {
            return self.remember(made);
        }
        let folder = &self.folder;
        output::message(&format!(
            "what this run saw is not remembered: another run uses the folder {folder}"
        ));
        Ok(())
    }

    /// Remembers a run, and what it went by. Whoever calls holds the lock of the folder.
    pub(super) fn remember(&self, made: &Made) -> Result<(), CommandError> {
        let pins = made.gathered.pins.iter();
        let pins: String = pins.map(|pin| format!("{}\n", pin.text)).collect();
        let roots = made.gathered.roots.iter();
        let roots: String = roots
            .map(|root| format!("{root}: {}\n", root.target))
            .collect();
        let roots = made.masked(roots);
        let record = serde_json::to_string(&made.plan.record).map_err(io::Error::other);
        let written = record.and_then(|record| {
            self.write(PINS, &pins)?;
            self.write(ROOTS, &roots)?;
            // Last, for it says that the run was.
            self.write(RECORD, &record)
        });
        written.map_err(|source| CommandError::Io {
            what: format!("cannot remember this run in {}", self.folder),
            source,
        })
    }

    /// Has what was put back wait for two more runs before it may go again. Whoever calls holds the lock of
    /// the folder.
    pub(super) fn restart(&self, restored: &Restored) -> Result<(), CommandError> {
        if restored.manifests.is_empty() {
            return Ok(());
        }
        let Some(mut record) = self.record()? else {
            return Ok(());
        };
        let manifests = restored.manifests.iter();
        record.restart(manifests.map(|(path, digest)| (path, digest)));
        let record = serde_json::to_string(&record).map_err(io::Error::other);
        let written = record.and_then(|record| self.write(RECORD, &record));
        written.map_err(|source| CommandError::Io {
            what: format!("cannot remember in {} what was put back", self.folder),
            source,
        })
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        underpin_files::replace(self.folder.join(name).as_std_path(), text.as_bytes())
    }
}

fn unusable(path: &Utf8Path, why: &str) -> CommandError {
    CommandError::usage(
        format!("what earlier runs remembered in {path} cannot be used: {why}"),
        "to begin anew, remove the file: since when an image has been needed by nothing is forgotten \
         with it, and nothing goes before two further runs",
    )
}
