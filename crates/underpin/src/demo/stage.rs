//! What an incident is played on: a cluster inside this process, a folder with a stack, and this
//! very program, called as a user would call it.

use std::{env, fs, future::Future, io, pin::Pin, process::Stdio};

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use underpin_cluster::{Host as _, SystemHost};
use underpin_model::hexadecimal;
use underpin_sandbox::{
    Config, Hooks, ReplyBody, Request, Sandbox, State, User,
    serve::{Access, Options, Server},
};

use crate::{
    error::CommandError,
    output,
    render::style::{BOLD, paint},
    seed,
};

/// What playing an incident comes to.
pub(super) type Played = Pin<Box<dyn Future<Output = Result<(), CommandError>> + Send>>;

/// Widest line of prose.
const WIDTH: usize = 88;

/// A stage; everything on it is gone when it is dropped.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    server: Server,
    root: Utf8PathBuf,
    folder: Utf8PathBuf,
    _temporary: TempDir,
}

/// A program that has ended.
pub(super) struct Ended {
    /// Its exit code; none if it was killed.
    pub(super) code: Option<i32>,
}

impl Stage {
    /// A fresh cluster, and a folder with these files: relative paths and texts.
    pub(super) async fn set(
        hooks: impl Hooks + 'static,
        files: &[(&str, &str)],
    ) -> Result<Self, CommandError> {
        let state = State::new(Config {
            begin: SystemHost.now(),
            ..Config::default()
        });
        let sandbox = Sandbox::new(state, hooks);
        let mut token = [0; 16];
        let drawn = SystemHost.random(&mut token);
        drawn.map_err(|why| failed("cannot draw a token", why))?;
        let token = hexadecimal(&token);
        let options = Options {
            port: 0,
            users: vec![Access {
                token,
                user: User::admin(),
            }],
        };
        let server = Server::start(sandbox.clone(), options).await;
        let server = server.map_err(|why| failed("cannot serve the sandbox", why))?;
        let temporary = tempfile::Builder::new().prefix("underpin-demo-").tempdir();
        let temporary = temporary.map_err(io_error("cannot make a temporary folder"))?;
        let root = Utf8PathBuf::try_from(temporary.path().to_owned());
        let root = root.map_err(|why| failed("the temporary folder", why))?;
        let stage = Self {
            sandbox,
            server,
            folder: root.join("stack"),
            root,
            _temporary: temporary,
        };
        let kubeconfig = stage.server.kubeconfig().to_owned();
        write_at(&stage.root, "kubeconfig", &kubeconfig)?;
        for (name, text) in files {
            stage.write(name, text)?;
        }
        Ok(stage)
    }

    /// Writes a file of the stack.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), CommandError> {
        write_at(&self.folder, name, text)
    }

    /// Deploys manifests as somebody without Underpin did.
    pub(super) fn deploy(&self, manifests: &str) -> Result<(), CommandError> {
        write_at(&self.root, "legacy.yaml", manifests)?;
        let objects = seed::read(&[self.root.join("legacy.yaml")])?;
        let deadline = self.sandbox.now();
        let problems = self
            .sandbox
            .change(|state| seed::apply(state, objects, deadline));
        match problems.first() {
            None => Ok(()),
            Some(problem) => Err(failed(
                "the sandbox refused the demo's objects",
                &problem.message,
            )),
        }
    }

    /// One plain request to the API; its code, and what it answers.
    pub(super) fn request(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let request = Request {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            accept: "application/json".to_owned(),
            content_type: "application/json".to_owned(),
            user_agent: "old-deployer/1.0".to_owned(),
            body,
            user: User::admin(),
        };
        let reply = self.sandbox.change(|state| state.handle(&request));
        let value = match reply.body {
            ReplyBody::Json(value) => value,
            _ => Value::Null,
        };
        (reply.code, value)
    }

    /// Names of the Deployments in a namespace.
    pub(super) fn deployments(&self, namespace: &str) -> Vec<String> {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        let (_, list) = self.request(Method::GET, &path, &Value::Null);
        let items = list.get("items").and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(|item| item.pointer("/metadata/name")?.as_str())
            .map(str::to_owned)
            .collect()
    }

    /// Calls `underpin` with these words, shows its output, and holds its exit code against the
    /// expected one: a demonstration that shows something else has failed.
    pub(super) async fn underpin(&self, line: &str, expect: i32) -> Result<(), CommandError> {
        let ended = self.run(line, std::future::pending()).await?;
        shown(ended.code == Some(expect), || {
            format!(
                "`underpin {line}` ended with {:?}, not with {expect}",
                ended.code
            )
        })
    }

    /// Calls `underpin` and kills it (SIGKILL) as soon as `death` comes.
    pub(super) async fn run(
        &self,
        line: &str,
        death: impl Future<Output = ()>,
    ) -> Result<Ended, CommandError> {
        say(&format!("\n$ underpin {line}"))?;
        let program = env::current_exe().map_err(io_error("cannot find this program"))?;
        let mut child = Command::new(program)
            .args(line.split_whitespace())
            .current_dir(&self.folder)
            .env("KUBECONFIG", self.root.join("kubeconfig"))
            .env_remove("UNDERPIN_ENVIRONMENT")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(io_error("cannot run this program"))?;
        let status = tokio::select! {
            status = child.wait() => status,
            () = death => match child.start_kill() {
                Ok(()) => child.wait().await,
                Err(error) => Err(error),
            },
        };
        let status = status.map_err(io_error("cannot run this program"))?;
        match status.code() {
            Some(0) => {}
            Some(code) => say(&format!("(exit code {code})"))?,
            None => say("(killed)")?,
        }
        Ok(Ended {
            code: status.code(),
        })
    }

    /// Ends it.
    pub(super) async fn clear(self) {
        self.server.stop().await;
    }
}

/// Fails unless what was to be shown is what happened.
pub(super) fn shown(happened: bool, instead: impl FnOnce() -> String) -> Result<(), CommandError> {
    if happened {
        Ok(())
    } else {
        Err(failed("this demonstration has failed", instead()))
    }
}

/// Shows a heading.
pub(super) fn title(text: &str) -> Result<(), CommandError> {
    say(&format!("\n{}\n", paint(BOLD, text)))
}

/// Shows prose, folded; lines that begin with `$` or a space stay as they are.
pub(super) fn say(text: &str) -> Result<(), CommandError> {
    let mut out = String::new();
    for line in text.split('\n') {
        if line.starts_with(['$', ' ']) {
            out.push_str(line);
        } else {
            fold(line, &mut out);
        }
        out.push('\n');
    }
    output::result(&out).map_err(io_error("cannot write to standard output"))
}

fn fold(line: &str, out: &mut String) {
    let mut width = 0;
    for word in line.split(' ') {
        if width > 0 && width + word.len() >= WIDTH {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.len();
    }
}

fn failed(what: &str, why: impl std::fmt::Display) -> CommandError {
    CommandError::Usage {
        message: format!("{what}: {why}"),
        help: None,
    }
}

fn io_error(what: &'static str) -> impl Fn(io::Error) -> CommandError {
    move |source| CommandError::Io {
        what: what.to_owned(),
        source,
    }
}

fn write_at(folder: &Utf8Path, name: &str, text: &str) -> Result<(), CommandError> {
    let path = folder.join(name);
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, text))
        .map_err(io_error("cannot write the demo's files"))
}
