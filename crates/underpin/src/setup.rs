//! From arguments and stack file to a deployment: which environment, which cluster, which values.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, IsTerminal as _, Read as _},
    time::Duration,
};

use camino::Utf8Path;
use tokio::time::Instant;
use underpin_cluster::{Cluster, ConnectOptions, claims::ClaimStore};
use underpin_deploy::{Deployment, Settings, Stop};
use underpin_model::{FieldPath, names};
use underpin_plan::{Acceptances, DeclaredEnvironment, Environment, IgnoredFields};
use underpin_source::{
    manifests::{Documents, Variable, Variables, read, uses_variable},
    stack::{self, LoadError, Stack},
};

use crate::{
    cli::{AcceptArgs, RunArgs, TargetArgs, VariableArgs},
    error::CommandError,
    interrupt, output,
};

pub(crate) use underpin_source::stack::FILE_NAME as STACK_FILE;
/// What a source's `manifests` says when they come from standard input.
const FROM_STANDARD_INPUT: &str = "-";

/// Loads a stack file.
pub(crate) fn load_stack(path: &Utf8Path) -> Result<Stack, CommandError> {
    match stack::load(path) {
        Ok(stack) => Ok(stack),
        Err(LoadError::Invalid(diagnostics)) => Err(CommandError::Declared {
            summary: format!("{path} cannot be used"),
            diagnostics,
        }),
        Err(LoadError::Io { path, error }) => Err(unreadable(&path, &error)),
        Err(other @ LoadError::TooLarge { .. }) => Err(CommandError::Usage {
            message: other.to_string(),
            help: None,
        }),
    }
}

/// A stack file that cannot be read, in the words of whoever named it.
fn unreadable(path: &Utf8Path, error: &std::io::Error) -> CommandError {
    let name = "name a stack file with --file, or change to the folder that holds underpin.yaml";
    match error.kind() {
        ErrorKind::NotFound => CommandError::usage(format!("there is no stack file {path}"), name),
        ErrorKind::IsADirectory => {
            let inside = path.join(STACK_FILE);
            let help = if inside.is_file() {
                format!("name the stack file in it: --file {inside}")
            } else {
                name.to_owned()
            };
            CommandError::usage(format!("{path} is a folder, not a stack file"), help)
        }
        ErrorKind::InvalidData => CommandError::usage(
            format!("{path} is not UTF-8 text, so it is no stack file"),
            "save it as UTF-8",
        ),
        ErrorKind::PermissionDenied => CommandError::usage(
            format!("cannot read {path}: permission denied"),
            "let this user read the file",
        ),
        _ => CommandError::Usage {
            message: format!("cannot read {path}: {error}"),
            help: None,
        },
    }
}

/// The environment that was asked for, or the only one there is.
pub(crate) fn choose_environment(
    stack: &Stack,
    asked: Option<&str>,
) -> Result<String, CommandError> {
    let known: Vec<&String> = stack.file.spec.environments.keys().collect();
    let listed = known
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    match (asked, known.as_slice()) {
        (Some(asked), _) if known.iter().any(|name| *name == asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(CommandError::usage(
            format!("{} has no environment {asked}", stack.path),
            format!("it has: {listed}"),
        )),
        (None, [only]) => Ok((*only).clone()),
        (None, _) => Err(CommandError::usage(
            format!("{} has {} environments", stack.path, known.len()),
            format!("choose one with --environment: {listed}"),
        )),
    }
}

/// Every environment of a stack file, for telling whether two derive one namespace.
pub(crate) fn declared_environments(stack: &Stack) -> Vec<DeclaredEnvironment> {
    let environments = stack.file.spec.environments.iter();
    environments
        .map(|(name, environment)| DeclaredEnvironment {
            stack: stack.file.metadata.name.clone(),
            name: name.clone(),
            parent: environment.parent.clone(),
            namespace: environment.namespace.clone(),
            shared: environment.shared,
            context: environment.context.clone(),
            place: stack.place_of_environment(name),
        })
        .collect()
}

/// What the arguments add to the stack file.
#[derive(Default)]
pub(crate) struct Extras<'a> {
    pub(crate) accept: Option<&'a AcceptArgs>,
    pub(crate) run: Option<&'a RunArgs>,
    pub(crate) adopt: BTreeSet<String>,
    /// What is left open in the manifests, where these matter; `down` and `status` do without.
    pub(crate) manifests: Option<&'a VariableArgs>,
    /// The command, for lock and history.
    pub(crate) command: &'static str,
}

/// The options of a connection.
pub(crate) fn connect_options(
    kubeconfig: Option<&Utf8Path>,
    context: Option<String>,
    request_timeout: u64,
) -> ConnectOptions {
    ConnectOptions {
        kubeconfig: kubeconfig.map(Into::into),
        context,
        request_timeout: Duration::from_secs(request_timeout),
    }
}

/// Connects and puts everything together.
pub(crate) async fn deployment(
    target: &TargetArgs,
    extras: Extras<'_>,
) -> Result<Deployment, CommandError> {
    let stack = load_stack(&target.file)?;
    let name = choose_environment(&stack, target.environment.as_deref())?;
    let context = context(&stack, &name, target.context.as_deref())?;
    let (documents, variables) = match extras.manifests {
        Some(open) => manifests(&stack, &name, open)?,
        None => (Documents::default(), Variables::default()),
    };
    let options = connect_options(
        target.kubeconfig.as_deref(),
        context,
        target.request_timeout,
    );
    let cluster = Cluster::connect(&options).await?;
    let claims_namespace = stack
        .file
        .spec
        .claims_namespace
        .clone()
        .unwrap_or_else(|| names::CLAIMS_NAMESPACE.to_owned());
    let declared = &stack.file.spec.environments[&name];
    Ok(Deployment {
        store: ClaimStore::new(cluster.clone(), &claims_namespace),
        claims_namespace,
        environment: environment(&stack, &name, extras.adopt),
        pinned_cluster: declared.cluster.clone(),
        documents,
        variables,
        acceptances: acceptances(extras.accept),
        settings: settings(
            &cluster,
            extras.run,
            extras.command,
            options.request_timeout,
        ),
        cluster,
    })
}

/// The manifests of a stack, and the values of its variables in an environment.
fn manifests(
    stack: &Stack,
    environment: &str,
    open: &VariableArgs,
) -> Result<(Documents, Variables), CommandError> {
    let from_process = |variable: &str| std::env::var(variable).ok();
    let (mut variables, mut diagnostics) = stack.variables(environment, "", &from_process);
    for (name, value) in &open.variables {
        variables.insert(name, Variable::text(value));
    }
    let (documents, more) = read(stack, standard_input(stack)?);
    diagnostics.extend(more);
    if !diagnostics.is_empty() {
        diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        let summary = "the declared files have errors".to_owned();
        return Err(CommandError::Declared {
            summary,
            diagnostics,
        });
    }
    refuse_unused_variables(&documents, open)?;
    Ok((documents, variables))
}

/// A variable that is set by hand and used nowhere is a slip of the pen, and the manifests would
/// silently keep the value they have.
fn refuse_unused_variables(documents: &Documents, open: &VariableArgs) -> Result<(), CommandError> {
    match open
        .variables
        .iter()
        .find(|(name, _)| !uses_variable(documents, name))
    {
        None => Ok(()),
        Some((name, _)) => Err(CommandError::usage(
            format!("--var {name} is used by no manifest"),
            format!(
                "write `${{{name}}}` in a manifest whose source says `substitute: true`, or leave \
                 the option out"
            ),
        )),
    }
}

fn environment(stack: &Stack, name: &str, adopt: BTreeSet<String>) -> Environment {
    let declared = &stack.file.spec.environments[name];
    let ignored = stack.file.spec.ignore_fields.iter().map(|fields| {
        let (kind, group) = match fields.kind.split_once('.') {
            Some((kind, group)) => (kind.to_owned(), Some(group.to_owned())),
            None => (fields.kind.clone(), None),
        };
        IgnoredFields {
            kind,
            group,
            name: fields.name.clone(),
            paths: fields.paths.clone(),
        }
    });
    Environment {
        stack: stack.file.metadata.name.clone(),
        name: name.to_owned(),
        parent: declared.parent.clone(),
        namespace: declared.namespace.clone(),
        shared: declared.shared,
        ignored: ignored.collect(),
        removal_percent: stack.file.spec.limits.removal_percent,
        declared: declared_environments(stack),
        adopt,
    }
}

/// The context to use. The stack file pins it; asking for another is an error, not an override:
/// production manifests do not go to another cluster by a forgotten flag.
pub(crate) fn context(
    stack: &Stack,
    environment: &str,
    asked: Option<&str>,
) -> Result<Option<String>, CommandError> {
    let pinned = stack.file.spec.environments[environment].context.clone();
    match (&pinned, asked) {
        (Some(pinned), Some(asked)) if pinned != asked => {
            let path = FieldPath::new("spec.environments")
                .key(environment)
                .key("context");
            Err(CommandError::usage(
                format!(
                    "environment {environment} belongs to context {pinned} ({}), not {asked}",
                    stack.place_of(&path)
                ),
                "leave --context out, or change the stack file",
            ))
        }
        _ => Ok(pinned.or_else(|| asked.map(str::to_owned))),
    }
}

pub(crate) fn standard_input(stack: &Stack) -> Result<Option<String>, CommandError> {
    let wanted = stack
        .file
        .spec
        .sources
        .iter()
        .any(|source| source.manifests == FROM_STANDARD_INPUT);
    if !wanted {
        return Ok(None);
    }
    if std::io::stdin().is_terminal() {
        output::message("reading manifests from standard input; end them with Ctrl-D");
    }
    let mut text = String::new();
    match std::io::stdin().read_to_string(&mut text) {
        // Whoever pipes most likely failed; that is no request to delete everything.
        Ok(_) if text.trim().is_empty() => Ok(None),
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(CommandError::usage(
            "the manifests on standard input are not UTF-8 text",
            "convert them to UTF-8",
        )),
        Err(source) => Err(CommandError::Io {
            what: "cannot read manifests from standard input".to_owned(),
            source,
        }),
    }
}

fn acceptances(accept: Option<&AcceptArgs>) -> Acceptances {
    let Some(accept) = accept else {
        return Acceptances::default();
    };
    let reason = accept.reason.as_deref().unwrap_or_default();
    Acceptances::new(accept.accepted.iter().cloned(), reason)
}

fn settings(
    cluster: &Cluster,
    run: Option<&RunArgs>,
    command: &str,
    request_timeout: Duration,
) -> Settings {
    Settings {
        wait: run.is_none_or(|run| run.wait),
        // Commands without these arguments neither wait nor lock.
        wait_timeout: run.map_or(Duration::ZERO, |run| run.wait_timeout),
        request_timeout,
        lease: run.map_or(Duration::ZERO, |run| Duration::from_secs(run.lease.into())),
        lock_wait: run.map_or(Duration::ZERO, |run| run.lock_wait),
        who: format!("{} ({})", cluster.user(), this_process(command)),
    }
}

/// Who runs a command, and where: for locks and logs.
pub(crate) fn this_process(command: &str) -> String {
    let host = ["HOSTNAME", "COMPUTERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let host = host
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "unknown host".to_owned(), |host| host.trim().to_owned());
    let login = ["USER", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let login = login.unwrap_or_else(|| "unknown".to_owned());
    let process = std::process::id();
    format!("{login}@{host}, process {process}, underpin {command}")
}

/// When to stop: the deadline counts from here.
pub(crate) fn stop(run: &RunArgs) -> Stop {
    let deadline = run.deadline.map(|deadline| Instant::now() + deadline);
    Stop::new(deadline, interrupt::flag())
}

/// Kept free before the deadline for the process to end.
const LEAVE: Duration = Duration::from_millis(300);

/// Ends the program at the deadline even when a server does not answer: cutting a request off
/// loses nothing, for the next run continues. A run that stops by itself never gets here.
pub(crate) async fn within_deadline<T>(
    run: &RunArgs,
    work: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let Some(deadline) = run.deadline else {
        return work.await;
    };
    match tokio::time::timeout(deadline.saturating_sub(LEAVE), work).await {
        Ok(ended) => ended,
        Err(_) => Err(CommandError::Deadline),
    }
}
