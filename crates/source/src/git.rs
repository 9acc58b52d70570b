//! Revisions of a git repository, written to a folder: what `git` says, without touching the work tree.
//!
//! Of git only commands that read its objects and its configuration are run. Links and submodules are not followed, and
//! nothing is fetched: what is not in the repository is told, and is not there.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// Files that are larger than this hold no manifests.
const FILE_BYTES: u64 = 32 << 20;
/// All files of one revision together.
const TOTAL_BYTES: u64 = 1 << 30;
/// Files of one revision.
const FILES: usize = 200_000;
/// The names of what says where a repository is fetched from and pushed to.
const URLS: &str = r"^remote\..*\.(url|pushurl)$";
/// What of git's own words is shown.
const MESSAGE_CHARS: usize = 300;

/// A revision that was written to a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The commit that the revision is.
    pub commit: String,
    /// The files below the paths that were asked for, from the top of the repository, sorted.
    pub files: Vec<Utf8PathBuf>,
    /// What was left out, sorted, with the reason.
    pub left_out: Vec<LeftOut>,
}

/// An entry of a revision that was not written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// The path, from the top of the repository.
    pub path: String,
    /// Why.
    pub reason: &'static str,
}

/// Why a revision cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("cannot run git: {0}")]
    NoGit(io::Error),
    /// The folder is in no repository, or git does not trust it.
    #[error("{folder} is in no git repository: {message}")]
    NoRepository {
        /// The folder.
        folder: String,
        /// What git says.
        message: String,
    },
    /// There is no such revision.
    #[error("the repository has no revision `{0}`")]
    NoRevision(String),
    /// The revision does not have the path.
    #[error("revision {revision} has no {path}")]
    NotInRevision {
        /// The revision.
        revision: String,
        /// The path.
        path: String,
    },
    /// The path leads out of the repository.
    #[error("{0} is outside of the repository")]
    Outside(String),
    /// There is too much to read.
    #[error("revision {revision} holds more than {limit}")]
    TooMuch {
        /// The revision.
        revision: String,
        /// What more there is than is read.
        limit: &'static str,
    },
    /// A command of git failed.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// The command.
        command: &'static str,
        /// What git says.
        message: String,
    },
    /// A file could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whether the repository around `folder` has such a revision.
pub fn is_revision(folder: &Utf8Path, revision: &str) -> Result<bool, GitError> {
    match commit_of(folder, revision) {
        Ok(_) => Ok(true),
        Err(GitError::NoRevision(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes the files of a revision below `into`, from the top of the repository. `paths` narrow it
/// and are relative to `folder`; without any, it is the folder itself.
pub fn export(
    folder: &Utf8Path,
    revision: &str,
    paths: &[Utf8PathBuf],
    into: &Utf8Path,
) -> Result<Exported, GitError> {
    let commit = commit_of(folder, revision)?;
    let prefix = prefix(folder)?;
    let here = [Utf8PathBuf::from(".")];
    let asked = if paths.is_empty() { &here[..] } else { paths };
    let asked: Vec<Utf8PathBuf> = asked
        .iter()
        .map(|path| from_the_top(&prefix, path))
        .collect::<Result<_, _>>()?;
    let (entries, mut left_out) = entries(folder, &commit, revision)?;
    for path in &asked {
        let has = |at: &Utf8Path| at.starts_with(path);
        let known = entries.iter().any(|entry| has(&entry.path))
            || left_out.iter().any(|out| has(Utf8Path::new(&out.path)));
        if !known {
            return Err(GitError::NotInRevision {
                revision: revision.to_owned(),
                path: path.to_string(),
            });
        }
    }
    let is_asked = |at: &Utf8Path| asked.iter().any(|path| at.starts_with(path));
    left_out.retain(|out| is_asked(Utf8Path::new(&out.path)));
    let wanted: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| is_asked(&entry.path))
        .collect();
    let total: u64 = wanted.iter().map(|entry| entry.bytes).sum();
    if total > TOTAL_BYTES || wanted.len() > FILES {
        return Err(GitError::TooMuch {
            revision: revision.to_owned(),
            limit: "1 GiB or 200,000 files",
        });
    }
    let mut objects = Objects::open(folder)?;
    for entry in &wanted {
        let content = objects.read(entry)?;
        write(&into.join(&entry.path), &content)?;
    }
    left_out.sort();
    Ok(Exported {
        commit,
        files: wanted.into_iter().map(|entry| entry.path).collect(),
        left_out,
    })
}

/// A working tree of git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its topmost folder, links resolved.
    pub top: Utf8PathBuf,
    /// Where it is fetched from and pushed to, as that is written.
    pub remotes: Vec<String>,
}

/// The working tree around a folder; none where there is none, or no git.
pub fn checkout(folder: &Utf8Path) -> Option<Checkout> {
    let top = run(folder, "rev-parse", &["--show-toplevel"]).ok()?;
    let remotes = run(folder, "config", &["--null", "--get-regexp", URLS]);
    let remotes = remotes.unwrap_or_default();
    // Each is `remote.origin.url`, a line's end, and the value.
    let remotes = remotes.split('\0').filter_map(|one| one.split_once('\n'));
    Some(Checkout {
        top: Utf8PathBuf::from(top.trim_end_matches('\n')),
        remotes: remotes.map(|(_, url)| url.to_owned()).collect(),
    })
}

/// Where a folder is, from the top of its repository.
pub fn prefix(folder: &Utf8Path) -> Result<Utf8PathBuf, GitError> {
    let prefix = run(folder, "rev-parse", &["--show-prefix"])?;
    Ok(Utf8PathBuf::from(prefix.trim_end_matches('\n')))
}

fn commit_of(folder: &Utf8Path, revision: &str) -> Result<String, GitError> {
    // Told apart from a revision that is not there.
    run(folder, "rev-parse", &["--git-dir"])?;
    let name = format!("{revision}^{{commit}}");
    let arguments = ["--verify", "--quiet", "--end-of-options", &name];
    match run(folder, "rev-parse", &arguments) {
        Ok(commit) => Ok(commit.trim_end().to_owned()),
        Err(GitError::Failed { .. }) => Err(GitError::NoRevision(revision.to_owned())),
        Err(error) => Err(error),
    }
}

/// A path as it is called from the top of the repository.
fn from_the_top(prefix: &Utf8Path, path: &Utf8Path) -> Result<Utf8PathBuf, GitError> {
    let outside = || GitError::Outside(path.to_string());
    let mut found = Utf8PathBuf::new();
    for component in prefix.components().chain(path.components()) {
        match component {
            Utf8Component::Normal(name) => found.push(name),
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                if !found.pop() {
                    return Err(outside());
                }
            }
            Utf8Component::RootDir | Utf8Component::Prefix(_) => return Err(outside()),
        }
    }
    Ok(found)
}

/// A file of a revision.
struct Entry {
    object: String,
    bytes: u64,
    path: Utf8PathBuf,
}

/// Every entry of a commit: files, and what is no file.
fn entries(
    folder: &Utf8Path,
    commit: &str,
    revision: &str,
) -> Result<(Vec<Entry>, Vec<LeftOut>), GitError> {
    let arguments = ["-r", "-z", "-l", "--full-tree", commit];
    let listed = output(folder, "ls-tree", &arguments)?;
    let (mut entries, mut left_out) = (Vec::new(), Vec::new());
    for record in listed.split(|byte| *byte == 0) {
        // `100644 blob 4b825dc…    1234<TAB>path`.
        let Some(at) = record.iter().position(|byte| *byte == b'\t') else {
            continue;
        };
        let head = String::from_utf8_lossy(&record[..at]);
        let words: Vec<&str> = head.split_whitespace().collect();
        let lossy = String::from_utf8_lossy(&record[at + 1..]).into_owned();
        let mut leave = |reason| {
            left_out.push(LeftOut {
                path: lossy.clone(),
                reason,
            });
        };
        let [mode, _, object, size] = words[..] else {
            continue;
        };
        let Ok(path) = std::str::from_utf8(&record[at + 1..]) else {
            leave("its name is not UTF-8");
            continue;
        };
        let path = Utf8Path::new(path);
        let is_plain = |component| matches!(component, Utf8Component::Normal(_));
        match mode {
            "120000" => leave("it is a link, and links are not followed"),
            "160000" => leave("it is a submodule, and its files are in another repository"),
            _ if !path.components().all(is_plain) => leave("its name leads out of the repository"),
            _ => match size.parse() {
                Ok(bytes) if bytes > FILE_BYTES => leave("it is larger than 32 MiB"),
                Ok(bytes) => entries.push(Entry {
                    object: object.to_owned(),
                    bytes,
                    path: path.to_owned(),
                }),
                Err(_) => leave("git does not have its content"),
            },
        }
        if entries.len() + left_out.len() > FILES {
            return Err(GitError::TooMuch {
                revision: revision.to_owned(),
                limit: "200,000 files",
            });
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((entries, left_out))
}

/// A `git cat-file --batch` that is asked for one object after the other.
struct Objects {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    fn open(folder: &Utf8Path) -> Result<Self, GitError> {
        let mut child = command(folder, "cat-file", &["--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(GitError::NoGit)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(questions), Some(answers)) => Ok(Self {
                child,
                questions,
                answers: BufReader::new(answers),
            }),
            _ => Err(failed("cat-file", "it has no standard streams")),
        }
    }

    fn read(&mut self, entry: &Entry) -> Result<Vec<u8>, GitError> {
        let lost = |error: io::Error| failed("cat-file", &error.to_string());
        writeln!(self.questions, "{}", entry.object).map_err(lost)?;
        self.questions.flush().map_err(lost)?;
        let mut head = String::new();
        self.answers.read_line(&mut head).map_err(lost)?;
        let size: Option<u64> = head.rsplit(' ').next().and_then(|n| n.trim().parse().ok());
        match size {
            Some(size) if size == entry.bytes => {}
            _ => return Err(failed("cat-file", &format!("{}: {head}", entry.path))),
        }
        let mut content = Vec::new();
        let mut answer = (&mut self.answers).take(entry.bytes + 1);
        answer.read_to_end(&mut content).map_err(lost)?;
        if content.pop() != Some(b'\n') {
            return Err(failed("cat-file", &format!("{} is cut short", entry.path)));
        }
        Ok(content)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It has only read, and has nothing to finish.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(path: &Utf8Path, content: &[u8]) -> Result<(), GitError> {
    let told = |source| GitError::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(told)?;
    }
    fs::write(path, content).map_err(told)
}

/// A command of git that reads: nothing is fetched, nobody is asked, no lock is taken.
fn command(folder: &Utf8Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(["--no-pager", "--no-replace-objects", name])
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C");
    command
}

fn output(folder: &Utf8Path, name: &'static str, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    let mut command = command(folder, name, arguments);
    let ended = command
        .stdin(Stdio::null())
        .output()
        .map_err(GitError::NoGit)?;
    if ended.status.success() {
        return Ok(ended.stdout);
    }
    let message = String::from_utf8_lossy(&ended.stderr);
    let message = message.trim().trim_start_matches("fatal: ");
    if message.contains("not a git repository") || message.contains("dubious ownership") {
        return Err(GitError::NoRepository {
            folder: folder.to_string(),
            message: first_line(message),
        });
    }
    Err(failed(name, message))
}

fn run(folder: &Utf8Path, name: &'static str, arguments: &[&str]) -> Result<String, GitError> {
    let bytes = output(folder, name, arguments)?;
    String::from_utf8(bytes).map_err(|_| failed(name, "it answers what is not UTF-8"))
}

fn failed(command: &'static str, message: &str) -> GitError {
    GitError::Failed {
        command,
        message: first_line(message),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(MESSAGE_CHARS).collect()
}
