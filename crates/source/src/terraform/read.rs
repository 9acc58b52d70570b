//! A folder of Terraform files to what they declare.

use std::{collections::BTreeMap, thread};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_model::{GroupKind, Mask, Object, Place, UnknownPart};

use super::{
    collect::collect,
    comments::comments,
    confines::Confines,
    engine::Engine,
    instance::{Instance, Root},
    load::{Loaded, VariableFile, load},
    paths,
    variables::given,
};
use crate::{Diagnostic, yaml::Comment};

/// Stack of the thread that evaluates: what the bounds on nesting can use up in a build without
/// optimisation, several times over. Only what is used is ever taken from memory.
const STACK_BYTES: usize = 256 << 20;

/// What the caller knows that files do not say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files of values for variables, as `-var-file` takes them; later ones win.
    pub variable_files: Vec<Utf8PathBuf>,
    /// Values of variables by name, as `TF_VAR_name` gives them.
    pub variables: BTreeMap<String, String>,
    /// The workspace; unknown without one.
    pub workspace: Option<String>,
}

/// What the files declare.
#[derive(Debug, Default)]
pub struct Configuration {
    /// Objects that are wholly known.
    pub objects: Vec<DeclaredObject>,
    /// Objects of which a part is unknown, or how many there are.
    pub unknown: Vec<UnknownObject>,
    /// Helm releases: what their charts declare is not looked at.
    pub releases: Vec<Release>,
    /// How many resources of each other type there are; they declare no object that is known.
    pub ignored: BTreeMap<String, usize>,
    /// Parts that may declare objects and could not be read.
    pub unread: Vec<Unread>,
    /// Sensitive values, which must not be shown.
    pub secrets: Mask,
    /// Every comment, by file and line.
    pub comments: Vec<Comment>,
    /// What is wrong with the files, in the order of places.
    pub diagnostics: Vec<Diagnostic>,
}

/// An object that is wholly known.
#[derive(Clone, Debug)]
pub struct DeclaredObject {
    /// The object. It begins where its resource does.
    pub object: Object,
    /// The resource, such as `module.web.kubernetes_manifest.allow["postgres"]`.
    pub address: String,
    /// The folder that Terraform is run in; two of them may declare the same object for different
    /// clusters.
    pub root: Utf8PathBuf,
}

/// An object of which something is unknown.
#[derive(Clone, Debug)]
pub struct UnknownObject {
    /// The resource; `[?]` where it is unknown which instances it has.
    pub address: String,
    /// The folder that Terraform is run in.
    pub root: Utf8PathBuf,
    /// Where the resource begins.
    pub place: Place,
    /// Group and kind, if they are known.
    pub kind: Option<GroupKind>,
    /// Namespace, if it is known and has one.
    pub namespace: Option<String>,
    /// Name, if it is known.
    pub name: Option<String>,
    /// The object with `null` for each part that is unknown, and [`Object::unknown`] saying which
    /// and why; absent if its kind is unknown. Its name is the resource's address where name or
    /// namespace is unknown.
    pub known: Option<Object>,
    /// What is unknown, and why.
    pub parts: Vec<UnknownPart>,
    /// Why it is unknown how many of these there are, if it is: there may be none.
    pub doubt: Option<String>,
}

/// A Helm release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The resource.
    pub address: String,
    /// The folder that Terraform is run in.
    pub root: Utf8PathBuf,
    /// Where the resource begins.
    pub place: Place,
    /// Its name, if it is known.
    pub name: Option<String>,
    /// Its namespace, if it is known.
    pub namespace: Option<String>,
    /// The chart, if it is known.
    pub chart: Option<String>,
}

/// A part that may declare objects and could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// Where it is, or is referred to.
    pub place: Place,
    /// Why.
    pub reason: String,
}

/// Reads a file, or a folder with all below it. Problems are returned with what could be understood.
pub fn read(path: &Utf8Path, options: &Options) -> Configuration {
    on_a_large_stack(path, || read_here(path, options))
}

/// Reads one text as the only file; expressions read no files then. `path` is what places call it.
pub fn read_text(path: &Utf8Path, text: &str, options: &Options) -> Configuration {
    on_a_large_stack(path, || {
        let mut loaded = Loaded::default();
        loaded.text(&paths::tidy(path), text.to_owned());
        evaluate_with(loaded, &Confines::nowhere(), options)
    })
}

fn on_a_large_stack(path: &Utf8Path, run: impl FnOnce() -> Configuration + Send) -> Configuration {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, run);
        match thread {
            Ok(handle) => handle
                .join()
                .unwrap_or_else(|_| failed(path, "reading it failed")),
            Err(error) => failed(path, &format!("no thread to read it in: {error}")),
        }
    })
}

fn failed(path: &Utf8Path, why: &str) -> Configuration {
    let place = Place {
        file: path.as_str().into(),
        line: 1,
        column: 1,
    };
    Configuration {
        unread: vec![Unread {
            place: place.clone(),
            reason: why.to_owned(),
        }],
        diagnostics: vec![Diagnostic::new(
            place,
            format!("cannot read `{path}`: {why}"),
        )],
        ..Configuration::default()
    }
}

fn read_here(path: &Utf8Path, options: &Options) -> Configuration {
    let tidied = paths::tidy(path);
    let shown = if tidied.as_str().is_empty() {
        Utf8Path::new(".")
    } else {
        tidied.as_path()
    };
    let folder = if shown.is_file() {
        shown.parent().filter(|folder| !folder.as_str().is_empty())
    } else {
        Some(shown)
    };
    let confines = match Confines::new(folder.unwrap_or(Utf8Path::new("."))) {
        Ok(confines) => confines,
        Err(error) => return failed(shown, &error.to_string()),
    };
    evaluate_with(load(shown, &confines), &confines, options)
}

fn evaluate_with(mut loaded: Loaded, confines: &Confines, options: &Options) -> Configuration {
    let named: Vec<VariableFile> = options
        .variable_files
        .iter()
        .filter_map(|file| loaded.variable_file(file))
        .collect();
    evaluate(&loaded, &named, confines, options)
}

fn evaluate(
    loaded: &Loaded,
    named: &[VariableFile],
    confines: &Confines,
    options: &Options,
) -> Configuration {
    let workspace = options.workspace.as_deref();
    let engine = Engine::new(&loaded.texts, &loaded.modules, confines, workspace);
    let roots: Vec<Root> = loaded
        .roots()
        .into_iter()
        .map(|folder| Root {
            given: given(loaded, &folder, &options.variables, named),
            installed: loaded.installed.get(&folder).cloned().unwrap_or_default(),
            folder,
        })
        .collect();
    let mut configuration = Configuration::default();
    let mut secrets = Vec::new();
    for root in &roots {
        if let Some(module) = loaded.modules.get(&root.folder) {
            let instance = Instance::root(module, root);
            collect(&engine, &instance, &mut configuration, &mut secrets);
        }
    }
    configuration.secrets = Mask::new(secrets);
    configuration.comments = loaded.texts.all().flat_map(comments).collect();
    let broken = loaded.unread.iter().map(|place| Unread {
        place: place.clone(),
        reason: "not all of the file or folder could be read".to_owned(),
    });
    configuration.unread.extend(broken);
    configuration.unread.sort();
    configuration.unread.dedup();
    configuration.diagnostics = engine.into_diagnostics();
    configuration
        .diagnostics
        .extend(loaded.diagnostics.iter().cloned());
    configuration
        .diagnostics
        .sort_by(|left, right| (&left.place, &left.message).cmp(&(&right.place, &right.message)));
    configuration
}

/// The folder of a root as places name it.
pub(super) fn shown_folder(folder: &Utf8Path) -> Utf8PathBuf {
    if folder.as_str().is_empty() {
        Utf8PathBuf::from(".")
    } else {
        folder.to_owned()
    }
}
