//! The folder of a registry's runs: who may write, what was deleted, what was done and why.
//!
//! ```text
//! lock                 held by the one run that may write
//! audit.jsonl          what was done, to what, why, when, with what result; only ever longer. What is about to be
//!                      deleted stands in it before the registry is asked to
//! undo/TIME-PLAN-1.jsonl what a run deleted, byte for byte
//! batch.json           where tags pointed before the deletions that are not verified yet
//! ```
//!
//! The lock is one of the machine's file system: runs on several machines need a folder that they share, on
//! a file system that knows locks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use underpin_image::{Digest, Host, JournalEntry, RepositoryPath, Tag, read_journal};

const LOCK: &str = "lock";
const AUDIT: &str = "audit.jsonl";
const UNDO: &str = "undo";
const BATCH: &str = "batch.json";
/// Digits of a plan's hash in the name of its journal.
const HASH_DIGITS: usize = 8;
/// Most journals of one plan and moment.
const SAME_NAMES: usize = 1000;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
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
    /// Another run is writing.
    #[error("another run holds {path}: wait for its end")]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{path}: {message}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

fn at<T>(act: &'static str, path: &Path, result: io::Result<T>) -> Result<T, StateError> {
    result.map_err(|source| StateError::Io {
        act,
        path: path.to_owned(),
        source,
    })
}

/// The folder, held by this run alone until the value is dropped.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    _lock: File,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// [`AuditEntry::SCHEMA`].
    pub schema: String,
    /// When.
    pub at: Timestamp,
    /// The registry.
    pub registry: Host,
    /// The hash of the plan that was carried out; empty where there is none.
    pub plan: String,
    /// The run: its journal, and what it went by, are called so. Empty for what is put back by hand.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// Who did it.
    #[serde(default)]
    pub by: String,
    /// What was done.
    pub act: Act,
    /// The repository, unless it is about the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryPath>,
    /// The manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its tags, or the one that is meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Why, or with what result.
    pub why: String,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// It begins.
    Begin,
    /// It is about to delete a manifest.
    Delete,
    /// The manifest is gone.
    Deleted,
    /// The manifest is not gone, or nobody knows whether it is.
    NotDeleted,
    /// It is about to delete a tag alone.
    Untag,
    /// The tag is gone.
    Untagged,
    /// It does not delete what the plan names.
    Keep,
    /// It puts back what it, or another run, has deleted.
    Restore,
    /// It does no more than this.
    Stop,
    /// It ends.
    End,
}

impl AuditEntry {
    /// Version of the document.
    pub const SCHEMA: &'static str = "underpin.dev/images/audit/v1";
}

/// How something is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Way {
    /// Row by row, by the API of packages.
    Rows,
    /// Tag by tag, then the manifest.
    Tags,
    /// The manifest, and its tags with it.
    Digests,
}

/// Deletions that are not verified yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Batch {
    /// The run.
    pub(crate) run: String,
    /// How it deletes.
    pub(crate) way: Way,
    /// How many entries of its journal are of earlier batches.
    pub(crate) entries: usize,
    /// Where tags pointed before.
    pub(crate) before: Pointing,
    /// Where tags pointed last that went with a deletion, perhaps: what became of them could not be read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) unsure: Pointing,
    /// Tags that went with a manifest that they had been moved to, with that manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) lost: Pointing,
    /// Repositories of which all that it deleted is put back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) undo: BTreeSet<RepositoryPath>,
}

/// Where tags point, by repository.
pub(crate) type Pointing = BTreeMap<RepositoryPath, BTreeMap<Tag, Digest>>;

impl State {
    /// Takes the folder, which is made if it is not there. Fails where another run holds it.
    pub fn lock(folder: &Path) -> Result<Self, StateError> {
        at("create", folder, fs::create_dir_all(folder))?;
        let path = folder.join(LOCK);
        let options = File::options().create(true).append(true).open(&path);
        let lock = at("open", &path, options)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(StateError::Locked { path }),
            Err(TryLockError::Error(error)) => at("lock", &path, Err(error)),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The journals of runs, oldest first.
    pub fn journals(&self) -> Result<Vec<PathBuf>, StateError> {
        let folder = self.folder.join(UNDO);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => at("list", &folder, entries)?,
        };
        let paths: io::Result<Vec<PathBuf>> = entries.map(|it| it.map(|it| it.path())).collect();
        let mut paths = at("list", &folder, paths)?;
        paths.sort();
        Ok(paths)
    }

    /// What a journal holds. A line that was cut when a run was killed is passed over: of that manifest
    /// nothing was deleted yet.
    pub fn entries(path: &Path) -> Result<Vec<JournalEntry>, StateError> {
        let text = at("read", path, fs::read_to_string(path))?;
        let (entries, errors) = read_journal(&text);
        let cut = text.lines().count();
        let is_cut = |line: usize| line == cut && !text.ends_with('\n');
        match errors.into_iter().find(|error| !is_cut(error.line)) {
            None => Ok(entries),
            Some(error) => Err(StateError::Content {
                path: path.to_owned(),
                message: error.to_string(),
            }),
        }
    }

    /// Where the journal of a run is.
    pub(crate) fn journal_path(&self, run: &str) -> PathBuf {
        self.folder.join(UNDO).join(journal_name(run))
    }

    /// How many deletions of a run that was cut are not verified yet, in the folder of a registry. They are by
    /// the next one that deletes, or by [`crate::finish`].
    pub fn number_unverified(folder: &Path) -> Result<usize, StateError> {
        let Some(batch) = unverified(folder)? else {
            return Ok(0);
        };
        let path = folder.join(UNDO).join(journal_name(&batch.run));
        Ok(Self::entries(&path)?.len().saturating_sub(batch.entries))
    }

    /// Adds a line to the audit log, and has it on the disk before anything else is done.
    pub(crate) fn audit(&self, entry: &AuditEntry) -> Result<(), StateError> {
        let path = self.folder.join(AUDIT);
        let options = File::options()
            .create(true)
            .read(true)
            .append(true)
            .open(&path);
        let mut file = at("open", &path, options)?;
        let mut line = Vec::new();
        // The line of a run that was killed may have been cut.
        if !at("read", &path, ends_a_line(&mut file))? {
            line.push(b'\n');
        }
        line.extend(serde_json::to_vec(entry).unwrap_or_default());
        line.push(b'\n');
        let is_new = at("read", &path, file.metadata())?.len() == 0;
        at("write", &path, file.write_all(&line))?;
        at("write", &path, file.sync_data())?;
        if is_new { synced(&self.folder) } else { Ok(()) }
    }

    /// What the audit log says of a run, in its order. Of a line that was cut when the run was killed, nothing
    /// was done yet.
    pub(crate) fn audited(&self, run: &str) -> Result<Vec<AuditEntry>, StateError> {
        let path = self.folder.join(AUDIT);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => at("read", &path, read)?,
        };
        let mut entries = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            match serde_json::from_str::<AuditEntry>(line) {
                Ok(entry) if entry.run == run => entries.push(entry),
                Ok(_) => {}
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    return Err(StateError::Content {
                        path,
                        message: format!("line {number} is no entry of an audit log: {error}"),
                    });
                }
            }
        }
        Ok(entries)
    }

    /// A new journal for a run, by the hash of its plan.
    pub(crate) fn journal(&self, now: Timestamp, hash: &str) -> Result<Journal, StateError> {
        let folder = self.folder.join(UNDO);
        at("create", &folder, fs::create_dir_all(&folder))?;
        let hash = hash.rsplit(':').next().unwrap_or_default();
        let hash: String = hash.chars().take(HASH_DIGITS).collect();
        let time = run_time(now);
        let mut number = 1;
        let (run, path, file) = loop {
            // A clock may stand still, or go back.
            let run = format!("{time}-{hash}-{number}");
            let path = folder.join(journal_name(&run));
            let file = File::options().create_new(true).append(true).open(&path);
            match file {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                file => break (run, path.clone(), at("create", &path, file)?),
            }
            if number > SAME_NAMES {
                let error = io::ErrorKind::AlreadyExists.into();
                return at("create", &path, Err(error));
            }
        };
        synced(&folder)?;
        Ok(Journal {
            run,
            path,
            file,
            written: 0,
        })
    }

    pub(crate) fn unverified(&self) -> Result<Option<Batch>, StateError> {
        unverified(&self.folder)
    }

    pub(crate) fn begin_batch(&self, batch: &Batch) -> Result<(), StateError> {
        let path = self.folder.join(BATCH);
        let text = serde_json::to_vec(batch).map_err(io::Error::from);
        let written = text.and_then(|text| underpin_files::replace(&path, &text));
        at("write", &path, written)
    }

    pub(crate) fn end_batch(&self) -> Result<(), StateError> {
        let path = self.folder.join(BATCH);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => at("remove", &path, removed),
        }
    }
}

fn unverified(folder: &Path) -> Result<Option<Batch>, StateError> {
    let path = folder.join(BATCH);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => at("read", &path, read)?,
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StateError::Content {
            path,
            message: format!("this is no batch of deletions: {error}"),
        })
}

/// A time as the names of runs begin with it: names in order are runs in order.
pub fn run_time(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%S%.9fZ").to_string()
}

fn journal_name(run: &str) -> String {
    format!("{run}.jsonl")
}

/// Whether a file is empty, or its last line has an end.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

/// Waits until the names in a folder are on the disk.
fn synced(folder: &Path) -> Result<(), StateError> {
    at("write", folder, underpin_files::settle(folder))
}

/// The journal of the run that is under way.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The run.
    pub(crate) run: String,
    path: PathBuf,
    file: File,
    /// How many entries are in it.
    pub(crate) written: usize,
}

impl Journal {
    /// Writes entries; when this returns they are on the disk.
    pub(crate) fn write(&mut self, entries: &[JournalEntry]) -> Result<(), StateError> {
        let text: String = entries.iter().map(JournalEntry::line).collect();
        at("write", &self.path, self.file.write_all(text.as_bytes()))?;
        at("write", &self.path, self.file.sync_data())?;
        self.written += entries.len();
        Ok(())
    }

    /// Where it is, if anything is in it.
    pub(crate) fn end(self) -> Option<PathBuf> {
        if self.written > 0 {
            return Some(self.path);
        }
        // An empty one that stays says nothing wrong.
        drop(fs::remove_file(&self.path));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R4.3: one run writes at a time.
    #[test]
    fn r4_3_the_folder_is_for_one_run() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("state");
        let state = State::lock(&folder).unwrap();
        assert!(matches!(
            State::lock(&folder),
            Err(StateError::Locked { .. })
        ));
        drop(state);
        assert!(State::lock(&folder).unwrap().journals().unwrap().is_empty());
    }

    #[test]
    fn a_journal_that_was_cut_is_read_and_one_that_was_changed_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undo.jsonl");
        let entry = JournalEntry {
            schema: JournalEntry::SCHEMA.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            registry: Host::new("registry.example.com").unwrap(),
            repository: RepositoryPath::new("web").unwrap(),
            digest: Digest::of(b"{}"),
            media_type: "x".to_owned(),
            tags: Vec::new(),
            position: 0,
            until: None,
            manifest: JournalEntry::encode(b"{}"),
        };
        let line = entry.line();
        fs::write(&path, format!("{line}{}", &line[..40])).unwrap();
        assert_eq!(State::entries(&path).unwrap(), [entry]);
        fs::write(&path, format!("{}\n{line}", &line[..40])).unwrap();
        let error = State::entries(&path).unwrap_err().to_string();
        assert!(
            error.contains("undo.jsonl: line 1: this is no entry"),
            "{error}"
        );
    }
}
