//! The worlds that are asked: live, declared, dumped, or of a revision of the repository.

use std::{env, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_cluster::ConnectOptions;
use underpin_connect::holds_policies;
use underpin_model::{Place, World, wording};
use underpin_source::{
    Diagnostic, dump,
    git::{self, GitError},
    terraform, tree,
};

use super::ReachArgs;
use crate::{
    error::CommandError,
    setup::{self, STACK_FILE, load_stack},
    trees::{DeclaredTree, call_files},
    worlds::{self, WorldOrigin},
};

/// What stands for the live cluster where a world is named.
const LIVE: &str = "live";
/// What stands for standard input.
const STANDARD_INPUT: &str = "-";
/// Entries of a revision that are named when they are left out.
const LEFT_OUT_SHOWN: usize = 3;

/// One world that is asked, and what is to be told of it.
pub(crate) struct Side {
    /// In a few words: `files k8s`, `revision HEAD~1`, `context kind, v1.33.0`.
    pub(crate) name: String,
    /// What sort of place it comes from.
    pub(crate) kind: SideKind,
    /// The objects, and what could not be read.
    pub(crate) world: World,
    /// What in files could not be understood.
    pub(crate) problems: Vec<Diagnostic>,
    /// What may hold more and was not looked into.
    pub(crate) notes: Vec<String>,
    /// The files that were read, which know what must not be shown.
    files: Option<tree::Tree>,
}

/// Where a world comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SideKind {
    /// A live cluster.
    Cluster,
    /// Files as they lie there: declared ones, or a dump.
    Files,
    /// The manifests of a stack.
    Stack,
    /// Files of a revision of the repository.
    Revision,
}

impl Side {
    /// The text without values that must not be shown.
    pub(crate) fn masked(&self, text: String) -> String {
        match &self.files {
            Some(files) => files.masked(&text),
            None => text,
        }
    }
}

/// Reads the world that `text` names: `live`, a file or folder, a revision, or a context.
pub(super) async fn named(args: &ReachArgs, text: &str) -> Result<Side, CommandError> {
    if text == LIVE {
        return live(args, args.target.context.clone()).await;
    }
    let path = Utf8Path::new(text);
    if text == STANDARD_INPUT || path.exists() {
        return files(args, &[path.to_owned()]);
    }
    let here = here()?;
    match git::is_revision(&here, text) {
        Ok(true) => return revision(args, &here, text),
        // Where there is no repository, it may be a context all the same.
        Ok(false) | Err(GitError::NoRepository { .. } | GitError::NoGit(_)) => {}
        Err(error) => return Err(error.into()),
    }
    match worlds::against(text)? {
        worlds::Against::Dump(path) => files(args, &[path]),
        worlds::Against::Context(context) => live(args, Some(context)).await,
    }
}

/// Reads a revision of the repository that the current folder is in.
pub(super) fn of_revision(args: &ReachArgs, name: &str) -> Result<Side, CommandError> {
    revision(args, &here()?, name)
}

/// Reads the files of the current folder, or what of them is asked for.
pub(super) fn of_current_folder(args: &ReachArgs) -> Result<Side, CommandError> {
    if args.paths.is_empty() {
        files(args, &[Utf8PathBuf::from(".")])
    } else {
        files(args, &args.paths)
    }
}

/// Reads the one world that is asked where no two are compared.
pub(super) async fn asked(args: &ReachArgs) -> Result<Side, CommandError> {
    match &args.against {
        Some(text) => named(args, text).await,
        None if args.declared => declared(args),
        None => live(args, context_of_environment(args)?).await,
    }
}

/// The manifests of a stack.
pub(super) fn declared(args: &ReachArgs) -> Result<Side, CommandError> {
    let target = &args.target;
    let stack = load_stack(stack_file(args))?;
    let source = worlds::declared(
        &stack,
        target.environment.as_deref(),
        target.context.as_deref(),
        &args.variables.variables,
    )?;
    let environments = match &source.origin {
        WorldOrigin::Declared(declared) => wording::list(&declared.environments),
        WorldOrigin::Cluster | WorldOrigin::Dump(_) => String::new(),
    };
    Ok(Side {
        name: format!("manifests of {}: {environments}", stack.file.metadata.name),
        kind: SideKind::Stack,
        world: source.world,
        problems: source.problems,
        notes: Vec::new(),
        files: None,
    })
}

/// Files and folders as they lie there.
pub(super) fn files(args: &ReachArgs, paths: &[Utf8PathBuf]) -> Result<Side, CommandError> {
    let name = format!("files {}", wording::list(paths));
    if let [path] = paths
        && path == STANDARD_INPUT
    {
        let text = worlds::standard_input_text()?;
        let (objects, problems) = dump::read_text("<stdin>", &text);
        let side = Side {
            name: "standard input".to_owned(),
            kind: SideKind::Files,
            world: underpin_plan::why::world_of(objects),
            problems,
            notes: Vec::new(),
            files: None,
        };
        return something(side);
    }
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        return Err(CommandError::usage(
            format!("there is no file or folder {missing}"),
            "name files or folders that are there",
        ));
    }
    something(read_tree(args, paths, name, SideKind::Files)?)
}

fn read_tree(
    args: &ReachArgs,
    paths: &[Utf8PathBuf],
    name: String,
    kind: SideKind,
) -> Result<Side, CommandError> {
    let terraform = terraform::Options {
        variable_files: args.var_file.clone(),
        ..terraform::Options::default()
    };
    let tree = DeclaredTree::read(paths, &terraform)?;
    let cluster = cluster(&tree, args)?;
    let declared = tree.world(cluster.as_deref())?;
    let not_known = tree.not_known().into_iter();
    let mut problems = tree.diagnostics;
    problems.extend(declared.diagnostics);
    Ok(Side {
        name,
        kind,
        world: declared.world,
        problems,
        notes: not_known
            .map(|(place, what)| format!("{place}: {what}"))
            .collect(),
        files: Some(tree.files),
    })
}

/// Which of the clusters that a tree is for.
fn cluster(tree: &DeclaredTree, args: &ReachArgs) -> Result<Option<String>, CommandError> {
    let clusters: Vec<Option<String>> = tree.clusters().into_iter().collect();
    if let Some(asked) = &args.target.context {
        return Ok(Some(asked.clone()));
    }
    match &clusters[..] {
        [only] => Ok(only.clone()),
        several => Err(CommandError::usage(
            "the files are for several clusters".to_owned(),
            format!(
                "choose one with --context: {}",
                several
                    .iter()
                    .flatten()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )),
    }
}

/// Nothing that could be read is an error: it would pass for a world in which everything is allowed.
fn something(side: Side) -> Result<Side, CommandError> {
    if side.world.objects().next().is_some() || !side.world.unread.is_empty() {
        return Ok(side);
    }
    if side.problems.is_empty() {
        return Err(CommandError::usage(
            format!("{}: no Kubernetes object is declared there", side.name),
            "name the folder of the manifests or Terraform files; what a cluster holds is dumped \
             with `kubectl get --all-namespaces --output yaml KIND,KIND… > FILE`",
        ));
    }
    Err(CommandError::Declared {
        summary: format!("{}: no Kubernetes object could be read", side.name),
        diagnostics: side.problems,
    })
}

/// A revision of the repository that the current folder is in.
fn revision(args: &ReachArgs, here: &Utf8Path, name: &str) -> Result<Side, CommandError> {
    let folder = tempfile::tempdir().map_err(|source| CommandError::Io {
        what: "cannot make a folder for the files of a revision".to_owned(),
        source,
    })?;
    let top = folder.path().canonicalize().ok();
    let top = top.and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let Some(top) = top else {
        return Err(CommandError::usage(
            "the folder for temporary files has a name that is not UTF-8",
            "set TMPDIR to another one",
        ));
    };
    let exported = git::export(here, name, &args.paths, &top)?;
    let mut side = read_tree(
        args,
        std::slice::from_ref(&top),
        format!("revision {name}"),
        SideKind::Revision,
    )?;
    relabel(&mut side, &top, name);
    let left_out = exported.left_out.iter().take(LEFT_OUT_SHOWN);
    side.notes
        .extend(left_out.map(|one| format!("{name}:{}: {}", one.path, one.reason)));
    if exported.left_out.len() > LEFT_OUT_SHOWN {
        let more = exported.left_out.len() - LEFT_OUT_SHOWN;
        side.notes.push(format!("{name}: {more} more left out"));
    }
    Ok(side)
}

/// Places of a revision are told as git calls them: `HEAD~1:k8s/web.yaml:3:5`.
fn relabel(side: &mut Side, top: &Utf8Path, revision: &str) {
    let from = format!("{top}/");
    let to = format!("{revision}:");
    let text = |text: &str| text.replace(&from, &to);
    let place = |place: &Place| Place {
        file: Arc::from(text(&place.file)),
        ..place.clone()
    };
    call_files(&mut side.world, text);
    for unread in &mut side.world.unread {
        unread.reason = text(&unread.reason);
    }
    for problem in &mut side.problems {
        problem.place = place(&problem.place);
        problem.message = text(&problem.message);
        problem.help = problem.help.as_deref().map(text);
    }
    for note in &mut side.notes {
        *note = text(note);
    }
}

async fn live(args: &ReachArgs, context: Option<String>) -> Result<Side, CommandError> {
    let target = &args.target;
    let options: ConnectOptions = setup::connect_options(
        target.kubeconfig.as_deref(),
        context,
        target.request_timeout,
    );
    let source = worlds::live(&options, None, &[]).await?;
    let cluster = &source.world.cluster;
    Ok(Side {
        name: format!("context {}, {}", cluster.context, cluster.version),
        kind: SideKind::Cluster,
        world: source.world,
        problems: source.problems,
        notes: Vec::new(),
        files: None,
    })
}

/// The context of the environment that is asked for, where one is.
fn context_of_environment(args: &ReachArgs) -> Result<Option<String>, CommandError> {
    let target = &args.target;
    if target.file.is_none() && target.environment.is_none() {
        return Ok(target.context.clone());
    }
    let stack = load_stack(stack_file(args))?;
    let name = setup::choose_environment(&stack, target.environment.as_deref())?;
    setup::context(&stack, &name, target.context.as_deref())
}

fn stack_file(args: &ReachArgs) -> &Utf8Path {
    let file = args.target.file.as_deref();
    file.unwrap_or(Utf8Path::new(STACK_FILE))
}

fn here() -> Result<Utf8PathBuf, CommandError> {
    let folder = env::current_dir().map_err(|source| CommandError::Io {
        what: "cannot tell the current folder".to_owned(),
        source,
    })?;
    Utf8PathBuf::from_path_buf(folder).map_err(|_| {
        CommandError::usage(
            "the name of the current folder is not UTF-8",
            "run it in another folder",
        )
    })
}

/// Whether a world may hold policies that nobody wrote down: files without any say nothing of them.
pub(crate) fn holds_no_policy(side: &Side) -> bool {
    side.kind == SideKind::Files && !holds_policies(&side.world)
}
