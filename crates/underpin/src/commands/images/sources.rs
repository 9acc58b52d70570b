//! Everything that may name an image: clusters, dumps, declared files, revisions of them. Whatever cannot be
//! read is said with it, for what is needed there may be anything.

use std::{collections::BTreeSet, env, io, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use tokio::task::JoinSet;
use underpin_cluster::Cluster;
use underpin_image::{Host, NotRead, Registry, RootSettings, UnknownNeed};
use underpin_model::{GroupKind, Mask, Object, Place, Unread, World, names, wording};
use underpin_refs::{ImageSources, bears_pods};
use underpin_source::{
    Diagnostic, git,
    manifests::Below,
    terraform,
    texts::{self, TextFile},
    tree::{CHART_FILE, KUSTOMIZATION_FILES, Opaque, Tree},
    yaml::{self, Comment},
};

use super::{marker, setting::Setting};
use crate::{
    error::CommandError,
    setup::connect_options,
    trees::DeclaredTree,
    worlds::{self, WorldOrigin},
};

/// Something of a source that is not known: what is needed there may be anything.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    /// What it is, with its place.
    pub(super) what: String,
    /// How it is called when an operator says that nothing of this registry is needed there: without line
    /// and column, which shift. None for what could not be read, of which nobody can say that.
    pub(super) name: Option<String>,
    pub(super) part: Part,
}

/// What a doubt is about.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Any object may be in it.
    Anything,
    /// Objects of these kinds.
    Objects(Unread),
    /// Whatever a file or folder declares.
    File(Utf8PathBuf),
    /// What runs in a cluster, and nothing that says what is to run.
    Workloads,
}

impl Doubt {
    /// What could not be read.
    pub(super) fn unread(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            name: None,
            part: Part::Anything,
        }
    }

    fn of_file(what: impl Into<String>, file: &Utf8Path) -> Self {
        Self {
            part: Part::File(file.to_owned()),
            ..Self::unread(what)
        }
    }

    /// What was read and cannot be looked into.
    pub(super) fn unknown(place: &Place, why: &str) -> Self {
        Self {
            what: format!("{place}: {why}"),
            name: Some(format!("{}: {why}", place.file)),
            part: Part::Anything,
        }
    }

    /// A need that cannot be told.
    pub(super) fn need(need: &UnknownNeed) -> Self {
        Self {
            what: need.to_string(),
            name: Some(need.to_string()),
            part: Part::Anything,
        }
    }

    pub(super) fn relabel(&mut self, from: &str, to: &str) {
        self.what = self.what.replace(from, to);
        self.name = self.name.as_ref().map(|name| name.replace(from, to));
    }
}

/// What was read of one source.
#[derive(Default)]
pub(super) struct Read {
    /// How it is called, in every run.
    pub(super) name: Arc<str>,
    /// Whether it is declared files, and no cluster.
    pub(super) is_declared: bool,
    /// What its objects say, cluster by cluster.
    pub(super) worlds: Vec<World>,
    /// Objects that are declared again, as for another cluster.
    pub(super) again: Vec<Object>,
    /// Comments, which may be markers.
    pub(super) comments: Vec<Comment>,
    /// Files that hold the name of the registry, whatever they are.
    pub(super) files: Vec<TextFile>,
    /// What makes folders charts.
    pub(super) charts: Vec<Utf8PathBuf>,
    /// Values of charts, and what kustomize is told, by file.
    pub(super) values: Vec<(Utf8PathBuf, Value)>,
    pub(super) kustomizations: Vec<(Utf8PathBuf, Value)>,
    /// What of it is not known.
    pub(super) doubts: Vec<Doubt>,
    /// What is good to know.
    pub(super) notes: Vec<String>,
    /// Of a revision: the folder that its files were written to, and how they are called.
    pub(super) relabel: Option<(String, String)>,
    /// The files that were read, which know what must not be shown.
    trees: Vec<Tree>,
}

impl Read {
    fn of(name: String) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    fn failed(mut self, error: &CommandError) -> Self {
        self.doubts.push(Doubt::unread(error.to_string()));
        let problems = error.diagnostics().iter();
        self.doubts
            .extend(problems.map(|one| Doubt::unread(in_a_line(one))));
        self
    }

    /// How a doubt is told; none where an operator has said that nothing of this registry is needed there.
    /// What must not be shown is neither told nor looked for.
    pub(super) fn told(&self, doubt: &Doubt, foreign: &BTreeSet<String>) -> Option<NotRead> {
        let consent = doubt.name.as_ref().map(|name| self.consent(name));
        if consent.as_ref().is_some_and(|text| foreign.contains(text)) {
            return None;
        }
        Some(NotRead {
            what: self.masked(doubt.what.clone()),
            consent,
        })
    }

    /// The text by which an operator says that nothing of this registry is needed by something of this
    /// source.
    pub(super) fn consent(&self, name: &str) -> String {
        self.masked(format!("{}: {name}", self.name))
    }

    /// Its objects, those that are declared again among them.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        let worlds = self.worlds.iter();
        worlds.flat_map(World::objects).chain(&self.again)
    }

    /// Lets go of everything but image policies with what they refer to, markers, and what is said of the
    /// source.
    pub(super) fn keep_policies(&mut self) {
        self.worlds = self.worlds.iter().map(marker::policies_of).collect();
        self.again = Vec::new();
        self.comments.retain(marker::is_marker);
        self.files = Vec::new();
        self.charts = Vec::new();
        self.values = Vec::new();
        self.kustomizations = Vec::new();
    }

    /// Whether it is what a revision holds, and neither a cluster nor what is declared now.
    pub(super) fn is_revision(&self) -> bool {
        self.relabel.is_some()
    }

    /// What hides the values that must not be shown.
    pub(super) fn masks(&self) -> impl Iterator<Item = &Mask> {
        self.trees.iter().flat_map(Tree::masks)
    }

    /// A text without values that must not be shown.
    pub(super) fn masked(&self, text: String) -> String {
        let trees = self.trees.iter();
        trees.fold(text, |text, tree| tree.masked(&text))
    }
}

/// Reads all sources, those over the wire at the same time, and makes of each what is asked for as soon as it
/// was read: whoever lets go of objects there has those of one source at a time. Of a source that cannot be
/// read, that is told.
pub(super) async fn read<T>(
    setting: &Setting,
    mut make: impl FnMut(Read) -> T,
) -> Result<Vec<T>, CommandError> {
    let mut running = JoinSet::new();
    for (place, context) in setting.contexts.iter().enumerate() {
        let context = context.clone();
        let kubeconfig = setting.kubeconfig.clone();
        let timeout = setting.request_timeout;
        running.spawn(async move { (place, live(context, kubeconfig, timeout).await) });
    }
    let mut made: Vec<T> = Vec::new();
    for path in &setting.dumps {
        made.push(make(dump(path)));
    }
    let terraform = terraform::Options {
        variable_files: setting.variable_files.clone(),
        ..terraform::Options::default()
    };
    let hosts: Vec<&str> = setting.registry.names.hosts().map(Host::as_str).collect();
    let how = How {
        terraform: &terraform,
        hosts: &hosts,
        below: below(&setting.state),
    };
    for path in &setting.paths {
        let read = Read::of(format!("files {path}"));
        made.push(make(files(read, std::slice::from_ref(path), &how)));
    }
    for revision in &setting.revisions {
        made.push(make(of_revision(revision, &setting.paths, &how)?));
    }
    let mut live: Vec<(usize, T)> = Vec::new();
    while let Some(joined) = running.join_next().await {
        // A task that ended without an answer is missed below.
        if let Ok((place, read)) = joined {
            live.push((place, make(read)));
        }
    }
    for (place, context) in setting.contexts.iter().enumerate() {
        if !live.iter().any(|(read, _)| *read == place) {
            let mut read = Read::of(format!("context {context}"));
            read.doubts.push(Doubt::unread("reading it ended early"));
            live.push((place, make(read)));
        }
    }
    live.sort_by_key(|(place, _)| *place);
    let live = live.into_iter().map(|(_, made)| made);
    Ok(live.chain(made).collect())
}

/// How declared files are read.
struct How<'h> {
    terraform: &'h terraform::Options,
    /// All names of the registry.
    hosts: &'h [&'h str],
    below: Below,
}

/// Hidden files name images too, as those of CI do. What runs remember is no source: what was needed once
/// would be needed for ever.
fn below(state: &Utf8Path) -> Below {
    Below {
        hidden: true,
        left_out: state.canonicalize().into_iter().collect(),
    }
}

async fn live(context: String, kubeconfig: Option<Utf8PathBuf>, timeout: u64) -> Read {
    let mut read = Read::of(format!("context {context}"));
    let options = connect_options(kubeconfig.as_deref(), Some(context), timeout);
    let world = async {
        let cluster = Cluster::connect(&options).await?;
        underpin_deploy::read_everything(&cluster, names::CLAIMS_NAMESPACE).await
    };
    match world.await {
        Ok(world) => {
            read.doubts = not_read(&world);
            read.worlds = vec![world];
            read
        }
        Err(error) => read.failed(&error.into()),
    }
}

fn dump(path: &Utf8Path) -> Read {
    let mut read = Read::of(format!("dump {path}"));
    match worlds::dumped(path, None) {
        Ok(source) => {
            if let WorldOrigin::Dump(dump) = &source.origin
                && !dump.not_held.is_empty()
            {
                let kinds = wording::list(&dump.not_held);
                let note = format!(
                    "{} holds none of these, or was not asked for them: {kinds}",
                    read.name
                );
                read.notes.push(note);
                let carriers = dump.not_held.iter().filter(|kind| holds_images(kind));
                let mut carriers: Vec<String> = carriers.map(ToString::to_string).collect();
                carriers.sort();
                // Whole, for who consents consents to this very text.
                if !carriers.is_empty() {
                    let kinds = carriers.join(", ");
                    let what = format!("it holds none of {kinds}: they may be left out of it");
                    read.doubts.push(Doubt {
                        name: Some(what.clone()),
                        what,
                        part: Part::Workloads,
                    });
                }
            }
            let problems = source.problems.iter();
            read.doubts
                .extend(problems.map(|one| Doubt::unread(in_a_line(one))));
            read.doubts.extend(not_read(&source.world));
            read.worlds = vec![source.world];
            read
        }
        Err(error) => read.failed(&error),
    }
}

/// Kinds of which almost every cluster has some and which say most of its images. A dump does not tell
/// what it was asked for: that it has none of one may mean that all of them were left out.
fn holds_images(kind: &GroupKind) -> bool {
    let is_rare = kind.is("", "PodTemplate") || kind.is("", "ReplicationController");
    bears_pods(kind) && !is_rare || kind.is("", "ConfigMap") || kind.is("", "Secret")
}

/// What of a world could not be read.
fn not_read(world: &World) -> Vec<Doubt> {
    let unread = world.unread.iter().map(|unread| Doubt {
        part: Part::Objects(unread.clone()),
        ..Doubt::unread(unread.to_string())
    });
    unread.collect()
}

/// What is wrong with files.
fn problems(diagnostics: &[Diagnostic]) -> impl Iterator<Item = Doubt> + '_ {
    diagnostics
        .iter()
        .map(|one| Doubt::of_file(in_a_line(one), Utf8Path::new(&*one.place.file)))
}

/// A problem with its place, and with the way out where there is one.
fn in_a_line(problem: &Diagnostic) -> String {
    let Diagnostic {
        place,
        message,
        help,
    } = problem;
    match help {
        Some(help) => format!("{place}: {message} ({help})"),
        None => format!("{place}: {message}"),
    }
}

/// Declared files, and whatever else lies beside them and holds the name of the registry.
fn files(mut read: Read, paths: &[Utf8PathBuf], how: &How<'_>) -> Read {
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        let what = format!("there is no file or folder {missing}");
        read.doubts.push(Doubt::unread(what));
        return read;
    }
    let tree = match DeclaredTree::read_below(paths, how.terraform, &how.below) {
        Ok(tree) => tree,
        Err(error) => return read.failed(&error),
    };
    read.is_declared = true;
    read.doubts.extend(problems(&tree.diagnostics));
    for cluster in tree.clusters() {
        match tree.world(cluster.as_deref()) {
            Ok(declared) => {
                read.doubts.extend(problems(&declared.diagnostics));
                read.worlds.push(declared.world);
            }
            Err(error) => read = read.failed(&error),
        }
    }
    read.comments = tree.comments().cloned().collect();
    read.again = tree
        .files
        .repeated
        .iter()
        .map(|one| one.object.clone())
        .collect();
    for opaque in &tree.files.opaque {
        look_into(opaque, &mut read);
    }
    let (found, unreadable) = texts::holding(paths, how.hosts, &how.below);
    read.files = found;
    read.doubts.extend(problems(&unreadable));
    read.doubts
        .sort_by(|left, right| left.what.cmp(&right.what));
    read.doubts
        .dedup_by(|later, first| later.what == first.what);
    read.trees.push(tree.files);
    read
}

/// What would have to be rendered first: the values of a chart and the images of a kustomization are
/// read as they stand. The rest may need anything.
fn look_into(opaque: &Opaque, read: &mut Read) {
    let file = Utf8Path::new(&*opaque.place.file);
    let name = file.file_name().unwrap_or_default();
    if name == CHART_FILE {
        read.charts.push(file.to_owned());
        let folder = file.parent().unwrap_or(Utf8Path::new(""));
        let files = values_files(folder).unwrap_or_else(|error| {
            read.doubts.push(unread_file(folder, &error.to_string()));
            Vec::new()
        });
        for path in files {
            match document(&path) {
                Ok(values) => read.values.push((path, values)),
                Err(reason) => read.doubts.push(unread_file(&path, &reason)),
            }
        }
    } else if KUSTOMIZATION_FILES.contains(&name) {
        match commented(file) {
            Ok((value, comments)) => {
                read.kustomizations.push((file.to_owned(), value));
                // One that is a manifest too has been read for its comments.
                let is_new = |comment: &Comment| !read.comments.contains(comment);
                let new: Vec<Comment> = comments.into_iter().filter(is_new).collect();
                read.comments.extend(new);
            }
            Err(reason) => read.doubts.push(unread_file(file, &reason)),
        }
    } else {
        read.doubts
            .push(Doubt::unknown(&opaque.place, &opaque.what));
    }
}

fn unread_file(path: &Utf8Path, reason: &str) -> Doubt {
    Doubt::of_file(format!("{path}: {reason}"), path)
}

/// The files of values of a chart.
fn values_files(chart: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let folder = if chart.as_str().is_empty() {
        Utf8Path::new(".")
    } else {
        chart
    };
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        let name = entry.file_name();
        let extension = Utf8Path::new(name).extension();
        if name.starts_with("values") && matches!(extension, Some("yaml" | "yml")) {
            files.push(chart.join(name));
        }
    }
    files.sort();
    Ok(files)
}

/// The one document of a file.
pub(super) fn document(path: &Utf8Path) -> Result<Value, String> {
    commented(path).map(|(value, _)| value)
}

/// The one document of a file, with its comments.
fn commented(path: &Utf8Path) -> Result<(Value, Vec<Comment>), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    one_document(path.as_str(), &text)
}

/// One document of YAML; why it cannot be read, without repeating it.
pub(super) fn read_yaml(text: &str) -> Result<Value, String> {
    one_document("values", text).map(|(value, _)| value)
}

fn one_document(file: &str, text: &str) -> Result<(Value, Vec<Comment>), String> {
    let (documents, diagnostics) = yaml::parse(file, text);
    if let Some(problem) = diagnostics.first() {
        let (line, column) = (problem.place.line, problem.place.column);
        return Err(format!("this is no YAML at line {line}, column {column}"));
    }
    let mut documents = documents.into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok((document.value, document.comments)),
        (None, _) => Ok((Value::Null, Vec::new())),
        (Some(_), Some(_)) => Err("there are several documents in it".to_owned()),
    }
}

/// What needs of objects are read with.
pub(super) fn root_settings<'r>(
    registry: &'r Registry,
    world: &'r World,
    source: &'r Arc<str>,
) -> RootSettings<'r> {
    RootSettings {
        registry,
        sources: ImageSources {
            world,
            read_yaml: &read_yaml,
        },
        source,
    }
}

fn of_revision(revision: &str, paths: &[Utf8PathBuf], how: &How<'_>) -> Result<Read, CommandError> {
    let read = Read::of(format!("revision {revision}"));
    let folder = tempfile::tempdir().map_err(|source| CommandError::Io {
        what: "cannot make a folder for the files of a revision".to_owned(),
        source,
    })?;
    let top = folder.path().canonicalize().ok();
    let Some(top) = top.and_then(|path| Utf8PathBuf::from_path_buf(path).ok()) else {
        return Err(CommandError::usage(
            "the folder for temporary files has a name that is not UTF-8",
            "set TMPDIR to another one",
        ));
    };
    let here = env::current_dir()
        .ok()
        .and_then(|folder| Utf8PathBuf::from_path_buf(folder).ok());
    let here = here.unwrap_or_else(|| Utf8PathBuf::from("."));
    let exported = match git::export(&here, revision, paths, &top) {
        Ok(exported) => exported,
        Err(error) => return Ok(read.failed(&error.into())),
    };
    let mut read = files(read, std::slice::from_ref(&top), how);
    let (from, to) = (format!("{top}/"), format!("{revision}:"));
    for doubt in &mut read.doubts {
        doubt.relabel(&from, &to);
    }
    let left_out = exported.left_out.iter();
    let left_out = left_out.map(|one| format!("{revision}:{}: {}", one.path, one.reason));
    read.doubts.extend(left_out.map(Doubt::unread));
    read.relabel = Some((from, to));
    Ok(read)
}
