//! A Caddy on which entries and certificates are tried before the one that serves sees them: a process of its own,
//! without environment, without rights, that nobody but us reaches.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::{
    Address,
    admin::{Admin, AdminError},
    program::locate,
};

/// Longest time for it to answer for the first time; a busy machine takes some.
const START: Duration = Duration::from_secs(30);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(10);
/// Who has no rights.
#[cfg(unix)]
const NOBODY: u32 = 65_534;

/// Why entries cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum IsolatedError {
    /// There is no such program, or it cannot be started.
    #[error(
        "cannot start Caddy ({program}): {source}; set UNDERPIN_CADDY or add caddy to the PATH"
    )]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder that it lives in.
    #[error("cannot prepare a folder for entries to be tried in: {0}")]
    Folder(#[source] io::Error),
    /// It does not come up.
    #[error("Caddy ({program}) ended at once, or did not begin to answer within {} s", START.as_secs())]
    Silent {
        /// The program.
        program: PathBuf,
    },
    /// It went away or answers nonsense.
    #[error("entries cannot be tried: {0}")]
    Admin(#[from] AdminError),
}

/// A Caddy to try entries on; started when it is needed.
#[derive(Debug)]
pub(crate) struct Isolated {
    program: PathBuf,
    running: Option<Running>,
}

/// While it runs. Killed when dropped; the folder goes after it.
#[derive(Debug)]
struct Running {
    child: Child,
    admin: Admin,
    address: Address,
    folder: TempDir,
}

impl Isolated {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self {
            program,
            running: None,
        }
    }

    /// Its admin endpoint; it is started if it does not run.
    pub(crate) async fn admin(&mut self) -> Result<Admin, IsolatedError> {
        let gone = |running: &mut Running| !matches!(running.child.try_wait(), Ok(None));
        if self.running.as_mut().is_some_and(gone) {
            self.running = None;
        }
        if self.running.is_none() {
            self.running = Some(self.start().await?);
        }
        match &self.running {
            Some(running) => Ok(running.admin.clone()),
            None => Err(self.silent()),
        }
    }

    /// The part of its configuration that every document for it must have, and an address at which
    /// nobody asks.
    fn trial(&self) -> Option<(Value, String)> {
        let running = self.running.as_ref()?;
        let socket = running.folder.path().join("trial.sock");
        let listen = Address::Unix(socket).to_string();
        Some((admin_of(&running.address), listen))
    }

    /// Which of these it takes in the document that is made of them: all of them at once, and where it does
    /// not take that, halves, until those are found that it does not take. `None`: it did not answer. What it
    /// took last goes on until [`Self::clear`] or [`Self::stop`].
    pub(crate) async fn taken<T>(
        &mut self,
        all: Vec<T>,
        document: impl Fn(&Value, &str, &[T]) -> String,
    ) -> Result<Vec<(T, Option<bool>)>, IsolatedError> {
        let (mut open, mut found) = (vec![all], Vec::new());
        while let Some(mut part) = open.pop() {
            if part.is_empty() {
                continue;
            }
            match self.takes(&part, &document).await? {
                // Without an answer, one of them may be what keeps it from answering.
                Some(false) | None if part.len() > 1 => {
                    let rest = part.split_off(part.len() / 2);
                    open.extend([part, rest]);
                }
                takes => found.extend(part.into_iter().map(|one| (one, takes))),
            }
        }
        Ok(found)
    }

    /// Nothing that was set up is to go on.
    pub(crate) async fn clear(&mut self) -> Result<(), IsolatedError> {
        // One that died runs nothing.
        let Some(running) = &self.running else {
            return Ok(());
        };
        let nothing = json!({"admin": admin_of(&running.address)});
        match running.admin.load(nothing.to_string().into()).await {
            Err(AdminError::Exchange(_)) => {
                self.stop();
                Ok(())
            }
            cleared => Ok(cleared?),
        }
    }

    /// Whether it takes all of these. One that died of what it was given is started anew for the next; that
    /// it cannot be started is an error.
    async fn takes<T>(
        &mut self,
        part: &[T],
        document: impl Fn(&Value, &str, &[T]) -> String,
    ) -> Result<Option<bool>, IsolatedError> {
        let admin = self.admin().await?;
        let Some((block, listen)) = self.trial() else {
            return Ok(None);
        };
        match admin.load(document(&block, &listen, part).into()).await {
            Ok(()) => Ok(Some(true)),
            Err(AdminError::Refused(_)) => Ok(Some(false)),
            Err(AdminError::Exchange(_)) => {
                self.stop();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    async fn start(&self) -> Result<Running, IsolatedError> {
        let folder = tempfile::Builder::new()
            .prefix("underpin-edge-")
            .tempdir()
            .map_err(IsolatedError::Folder)?;
        let address = Address::Unix(folder.path().join("admin.sock"));
        let stub = folder.path().join("stub.json");
        let text = json!({"admin": admin_of(&address)}).to_string();
        std::fs::write(&stub, text).map_err(IsolatedError::Folder)?;
        give_away(folder.path()).map_err(IsolatedError::Folder)?;
        let start = |source| IsolatedError::Start {
            program: self.program.clone(),
            source,
        };
        let program = locate(&self.program).map_err(start)?;
        let child = match within(&program, folder.path(), &stub).spawn() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && gives_up_rights() => {
                // It may be below a folder that nobody else enters; the home of root often is one.
                let copy = folder.path().join("caddy");
                std::fs::copy(&program, &copy).map_err(IsolatedError::Folder)?;
                within(&copy, folder.path(), &stub).spawn()
            }
            spawned => spawned,
        };
        let child = child.map_err(start)?;
        let mut running = Running {
            child,
            admin: Admin::new(address.clone()),
            address,
            folder,
        };
        let end = Instant::now() + START;
        while running.admin.config().await.is_err() {
            let ended = !matches!(running.child.try_wait(), Ok(None));
            if ended || Instant::now() > end {
                return Err(self.silent());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(running)
    }

    fn silent(&self) -> IsolatedError {
        IsolatedError::Silent {
            program: self.program.clone(),
        }
    }
}

fn admin_of(address: &Address) -> Value {
    json!({"listen": address.to_string(), "config": {"persist": false}})
}

/// The program in a folder, without environment, and without the rights of who may do everything.
fn within(program: &Path, folder: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg("--config")
        .arg(config)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(Stdio::null())
        // What it writes may quote entries.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    #[cfg(unix)]
    if gives_up_rights() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Whether there are rights to give up: who may not do everything has none.
fn gives_up_rights() -> bool {
    #[cfg(unix)]
    let is_root = rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    let is_root = false;
    is_root
}

/// Has a folder and what is in it belong to who has no rights, if the program is to run as that.
fn give_away(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if gives_up_rights() {
        use std::os::unix::fs::chown;
        for file in std::fs::read_dir(folder)? {
            chown(file?.path(), Some(NOBODY), Some(NOBODY))?;
        }
        chown(folder, Some(NOBODY), Some(NOBODY))?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
