use std::{collections::BTreeMap, ffi::OsString, process::ExitCode, time::Duration};

use camino::Utf8PathBuf;
use clap::Args;
use underpin_cluster::{Host as _, SystemHost};
use underpin_model::hexadecimal;
use underpin_sandbox::{
    Config, NoHooks, Sandbox, State, User,
    serve::{Access, Options, ServeError, Server, context_name},
};

use super::write;
use crate::{
    Exit, child,
    cli::given,
    error::CommandError,
    interrupt,
    kubeconfig_file::KubeconfigFile,
    output::{self, Format},
    render, seed,
};

/// How far before now the cluster begins: time in which what was seeded starts.
const HEAD_START: Duration = Duration::from_mins(1);
/// Changes that are kept for watches.
const WATCH_HISTORY: usize = 10_000;
/// Pods that fit on each node.
const SLOTS: u32 = 110;
/// Length of a token, in random bytes.
const TOKEN_BYTES: usize = 24;

/// Run a Kubernetes cluster inside this process, to try everything on
///
/// Serves the API of a modern cluster on 127.0.0.1, with controllers that act as Kubernetes' do and
/// pods that run nothing. Everything is in memory and gone when the command ends. kubectl and all
/// other clients work with the kubeconfig that it writes.
///
/// With a command after `--`, runs that with KUBECONFIG set, and ends with its exit code:
/// `underpin sandbox --seed live.yaml -- underpin plan -e production`.
#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    /// Manifests to begin with: files, or folders of them; may be repeated.
    #[arg(long = "seed", value_name = "PATH")]
    seeds: Vec<Utf8PathBuf>,
    /// Where to write the kubeconfig; it is removed at the end [default: sandbox.kubeconfig, or a
    /// temporary folder with a command].
    #[arg(long, value_name = "FILE")]
    kubeconfig_out: Option<Utf8PathBuf>,
    /// The port on 127.0.0.1; 0 for any that is free.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    port: u16,
    /// Number of nodes, each with room for 110 pods; without any, pods stay pending.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=500))]
    nodes: u16,
    /// Where generated names and uids begin: the same number and requests give the same ones.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    random_seed: u64,
    /// Ask RBAC about every request; without it everybody may do everything.
    #[arg(long)]
    rbac: bool,
    /// A further user with a context of its own, sandbox-NAME; may be repeated.
    #[arg(long = "user", value_name = "NAME[=GROUP,…]", value_parser = user)]
    users: Vec<User>,
    /// What is printed once it runs: for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    /// Run this command against it, and end with its exit code.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn user(text: &str) -> Result<User, String> {
    let (name, groups) = text.split_once('=').unwrap_or((text, ""));
    let name = given(name)?;
    let mut groups: Vec<String> = groups
        .split(',')
        .filter(|group| !group.is_empty())
        .map(str::to_owned)
        .collect();
    groups.push("system:authenticated".to_owned());
    Ok(User { name, groups })
}

pub(crate) async fn sandbox(args: SandboxArgs) -> Result<ExitCode, CommandError> {
    let users = users(&args)?;
    let state = state(&args)?;
    let sandbox = Sandbox::new(state, NoHooks);
    let names = users
        .iter()
        .map(|access| access.user.name.clone())
        .collect();
    let options = Options {
        port: args.port,
        users,
    };
    let server = Server::start(sandbox, options).await.map_err(failed)?;
    let file = KubeconfigFile::write(
        args.kubeconfig_out.as_deref(),
        !args.command.is_empty(),
        server.kubeconfig(),
    )?;
    let running = Running {
        address: format!("https://{}", server.address()),
        kubeconfig: file.path().to_string(),
        users: names,
        nodes: args.nodes,
    };
    let ended = if args.command.is_empty() {
        until_stopped(&running, args.output).await
    } else {
        child::run(&args.command, &environment(&file)).await
    };
    server.stop().await;
    // What is left behind is no use to anybody, but must be known: it holds tokens.
    let removed = file.remove();
    ended.and_then(|code| removed.map(|()| code))
}

/// What a served sandbox tells about itself.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) kubeconfig: String,
    pub(crate) users: Vec<String>,
    pub(crate) nodes: u16,
}

impl Running {
    /// Contexts of the kubeconfig with their users.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = (String, &str)> {
        self.users
            .iter()
            .enumerate()
            .map(|(index, user)| (context_name(index, user), user.as_str()))
    }
}

async fn until_stopped(running: &Running, format: Format) -> Result<ExitCode, CommandError> {
    // Listened for before anybody can be told that it runs.
    let stopped = interrupt::stopped();
    write(&match format {
        Format::Text => render::text::sandbox(running),
        Format::Json => render::json::sandbox(running),
    })?;
    stopped.await;
    output::message("the sandbox has ended");
    Ok(Exit::Done.into())
}

/// The environment of a command that is run against the sandbox.
fn environment(file: &KubeconfigFile) -> BTreeMap<&'static str, OsString> {
    let mut environment = BTreeMap::from([("KUBECONFIG", file.path().as_str().into())]);
    // Addresses come again, clusters do not: what kubectl remembers of one must not serve another.
    if let Some(folder) = file.private_folder() {
        environment.insert("KUBECACHEDIR", folder.join("cache").into_string().into());
    }
    environment
}

fn failed(error: ServeError) -> CommandError {
    match error {
        ServeError::Listen { port, source } => CommandError::Usage {
            message: format!("cannot listen on 127.0.0.1:{port}: {source}"),
            help: Some(
                "choose another with --port, or leave it out for any that is free".to_owned(),
            ),
        },
        other => CommandError::Usage {
            message: format!("cannot serve the sandbox: {other}"),
            help: None,
        },
    }
}

/// Everybody who is let in, the administrator first, each with a fresh token.
fn users(args: &SandboxArgs) -> Result<Vec<Access>, CommandError> {
    let mut users = vec![User::admin()];
    for user in &args.users {
        if users.iter().any(|known| known.name == user.name) {
            return Err(CommandError::usage(
                format!("--user {} is there twice", user.name),
                "name each user once, with all of its groups",
            ));
        }
        users.push(user.clone());
    }
    let users = users.into_iter().map(|user| {
        let token = token()?;
        Ok(Access { token, user })
    });
    users.collect()
}

fn token() -> Result<String, CommandError> {
    let mut bytes = [0; TOKEN_BYTES];
    let drawn = SystemHost.random(&mut bytes);
    drawn.map_err(|why| CommandError::Usage {
        message: format!("cannot draw a random token: {why}"),
        help: None,
    })?;
    Ok(hexadecimal(&bytes))
}

/// The cluster to begin with: what was seeded has started.
fn state(args: &SandboxArgs) -> Result<State, CommandError> {
    let now = SystemHost.now();
    let config = Config {
        seed: args.random_seed,
        begin: now.saturating_sub(HEAD_START).unwrap_or(now),
        watch_history: WATCH_HISTORY,
        rbac: args.rbac,
        nodes: (1..=args.nodes)
            .map(|number| (format!("node-{number}"), SLOTS))
            .collect(),
        ..Config::default()
    };
    let mut state = State::new(config);
    let objects = seed::read(&args.seeds)?;
    let problems = seed::apply(&mut state, objects, now);
    state.advance_to(now);
    if problems.is_empty() {
        Ok(state)
    } else {
        Err(CommandError::Declared {
            summary: "the cluster does not take all of what it is to begin with".to_owned(),
            diagnostics: problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_with_and_without_groups() {
        let groups = |text| user(text).map(|user| user.groups.join(" "));
        assert_eq!(groups("eve").as_deref(), Ok("system:authenticated"));
        assert_eq!(groups("eve=").as_deref(), Ok("system:authenticated"));
        assert_eq!(groups("eve=a,b").as_deref(), Ok("a b system:authenticated"));
        assert!(groups("").is_err());
        assert!(groups("=a").is_err());
    }
}
