//! What runs remember: one record of all that was seen, the manifests that were read, and the pins and the
//! roots that each run went by.
//!
//! They lie in the folder of [`underpin_registry::State`], whose lock is held by whoever writes record, pins
//! and roots.

use std::{
    fs,
    io::{self, ErrorKind},
    sync::{Mutex, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use underpin_image::RunRecord;
use underpin_model::wording::count;
use underpin_registry::{Restored, StateError, run_time};

use super::made::Made;
use crate::{error::CommandError, output};

const RECORD: &str = "record.json";
/// The pins that the last run went by.
pub(super) const PINS: &str = "pins.txt";
const ROOTS: &str = "roots.txt";
/// What each run went by, in a file that is called as the audit log calls the run.
const RUNS: &str = "runs";
/// How many of these are kept.
const RUNS_KEPT: usize = 30;
const MANIFESTS: &str = "manifests";

/// The folder of one registry.
pub(super) struct State {
    folder: Utf8PathBuf,
    /// The pins and roots that this run wrote down last.
    last: Mutex<String>,
}

impl State {
    /// Opens the folder, which is made if it is not there.
    pub(super) fn open(folder: Utf8PathBuf) -> Result<Self, CommandError> {
        fs::create_dir_all(&folder).map_err(|source| CommandError::Io {
            what: format!("cannot make the folder {folder} to remember in what this run saw"),
            source,
        })?;
        Ok(Self {
            folder,
            last: Mutex::default(),
        })
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
            return self.remember(made, &format!("{}-plan", run_time(made.now())));
        }
        let folder = &self.folder;
        output::message(&format!(
            "what this run saw is not remembered: another run uses the folder {folder}"
        ));
        Ok(())
    }

    /// How an operator is told of deletions of a run that was cut, if nobody has verified them since.
    pub(super) fn left_open(&self, again: &str) -> Result<Option<String>, CommandError> {
        let folder = self.folder.as_std_path();
        let alone = match underpin_registry::State::lock(folder) {
            // It is no other run's that is under way.
            Err(StateError::Locked { .. }) => return Ok(None),
            locked => locked?,
        };
        let number = underpin_registry::State::number_unverified(folder)?;
        drop(alone);
        Ok((number > 0).then(|| {
            format!(
                "an earlier run was cut while it deleted, and whether anything else was lost with its last \
                 {} is not known: find out, and have that put back, with `underpin images reap {again}`",
                count(number, "manifest")
            )
        }))
    }

    /// Remembers a run, and what it went by. Whoever calls holds the lock of the folder.
    pub(super) fn remember(&self, made: &Made, run: &str) -> Result<(), CommandError> {
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
            self.write_run(run, made.now(), &format!("pins:\n{pins}needs:\n{roots}"))?;
            // Last, for it says that the run was.
            self.write(RECORD, &record)
        });
        written.map_err(|source| CommandError::Io {
            what: format!("cannot remember this run in {}", self.folder),
            source,
        })
    }

    /// Writes down what a run goes by, each time that it reads everything anew, and forgets the oldest runs.
    fn write_run(&self, run: &str, at: Timestamp, went_by: &str) -> io::Result<()> {
        let folder = self.folder.join(RUNS);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{run}.txt"));
        let mut text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !text.is_empty() && *last == went_by {
            text.push_str(&format!("read at {at}: the same\n"));
        } else {
            text.push_str(&format!("read at {at}\n{went_by}"));
            went_by.clone_into(&mut last);
        }
        underpin_files::replace(path.as_std_path(), text.as_bytes())?;
        let entries: io::Result<Vec<camino::Utf8DirEntry>> = folder.read_dir_utf8()?.collect();
        let mut names: Vec<String> = entries?
            .iter()
            .map(|one| one.file_name().to_owned())
            .collect();
        names.retain(|name| Utf8Path::new(name).extension() == Some("txt"));
        // In the order of time.
        names.sort();
        let old = names.len().saturating_sub(RUNS_KEPT);
        for name in &names[..old] {
            fs::remove_file(folder.join(name))?;
        }
        Ok(())
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
