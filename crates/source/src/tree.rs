//! A folder as it lies in a repository: every object that its YAML, JSON and Terraform files declare,
//! without being told which files those are.
//!
//! Files that hold no object are passed over. What would have to be rendered first, such as a chart's
//! templates, is named and not looked into: it may declare anything.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs,
    path::PathBuf,
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_model::{FieldPath, Mask, Object, ObjectKey, Place};

use crate::{
    Diagnostic,
    manifests::{
        Below, Repeated, Walk, found, is_manifest, read_files, start_of, tidy, walk, walk_below,
    },
    terraform,
    yaml::Comment,
};

/// What every file with an object in it says.
const VERSION_FIELD: &str = "apiVersion";
/// The file that makes a folder a Helm chart.
pub const CHART_FILE: &str = "Chart.yaml";
/// The folder of a chart that holds templates.
pub const CHART_TEMPLATES: &str = "templates";
/// The files that tell kustomize what to make of a folder.
pub const KUSTOMIZATION_FILES: &[&str] =
    &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What is known beside the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Files that are read otherwise, links resolved.
    pub skipped: BTreeSet<PathBuf>,
    /// Which folders are read.
    pub below: Below,
    /// What Terraform would be told.
    pub terraform: terraform::Options,
}

/// What a folder declares.
#[derive(Debug, Default)]
pub struct Tree {
    /// Objects in the order of reading; each says what of it is not known. Of one that is declared
    /// several times, the first.
    pub objects: Vec<Object>,
    /// Where objects are declared again.
    pub repeated: Vec<Repeated>,
    /// What may declare objects and is not looked into.
    pub opaque: Vec<Opaque>,
    /// Every comment.
    pub comments: Vec<Comment>,
    /// Values that must not be shown, per path.
    secrets: Vec<Mask>,
    /// What is wrong with the files, in the order of places.
    pub diagnostics: Vec<Diagnostic>,
}

/// Something that may declare objects, and is not looked into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opaque {
    /// Where it is, or is referred to.
    pub place: Place,
    /// What it is, and why it is not looked into.
    pub what: String,
    /// Whether it is a resource of Terraform, whose lines may hold what a Secret holds.
    pub is_resource: bool,
}

/// Reads files, and folders with all below them. Problems are returned with what could be understood.
pub fn read(paths: &[Utf8PathBuf], options: &Options) -> Tree {
    let mut tree = Tree::default();
    for path in paths {
        if path.is_dir() || !terraform::is_terraform(path) {
            tree.manifests(path, options);
        }
        if path.is_dir() || terraform::is_terraform(path) {
            tree.terraform(path, &options.terraform);
        }
    }
    tree.keep_first();
    tree.opaque.sort();
    tree.opaque.dedup();
    tree.diagnostics
        .sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    tree.diagnostics.dedup();
    tree
}

/// Whether a path holds Terraform files, whatever they declare.
pub fn holds_terraform(path: &Utf8Path) -> bool {
    walk(path, terraform::is_terraform).is_ok_and(|walked| !walked.files.is_empty())
}

/// Whether a file may hold manifests, or tells what to make of them.
fn is_read(path: &Utf8Path) -> bool {
    is_manifest(path) || tells_kustomize(path)
}

fn tells_kustomize(path: &Utf8Path) -> bool {
    path.file_name()
        .is_some_and(|name| KUSTOMIZATION_FILES.contains(&name))
}

impl Tree {
    fn manifests(&mut self, path: &Utf8Path, options: &Options) {
        let walked = match walk_below(path, is_read, &options.below) {
            Ok(walked) => walked,
            Err(error) => {
                let message = format!("cannot read `{path}`: {error}");
                self.diagnostics
                    .push(Diagnostic::new(start_of(path), message));
                return;
            }
        };
        let Walk {
            mut files,
            unreadable,
            ..
        } = walked;
        for problem in unreadable {
            let mut diagnostic = Diagnostic::new(start_of(&problem.path), problem.message);
            diagnostic.help = problem.help.map(str::to_owned);
            self.diagnostics.push(diagnostic);
        }
        // As people write it: `k8s/web.yaml`, not `./k8s/web.yaml`.
        files = files.iter().map(|file| tidy(file)).collect();
        let charts = self.set_aside(&files);
        let templates: Vec<Utf8PathBuf> = charts
            .iter()
            .map(|chart| chart.join(CHART_TEMPLATES))
            .collect();
        files.retain(|file| {
            let is_template = templates.iter().any(|folder| file.starts_with(folder));
            // Where the real path is not to be had, reading says why.
            let real = fs::canonicalize(file).unwrap_or_default();
            // One of the names that kustomize knows ends like no manifest.
            let is_manifest = is_manifest(file) || !tells_kustomize(file);
            is_manifest
                && !is_template
                && !terraform::is_terraform(file)
                && !options.skipped.contains(&real)
        });
        // Other programs' files may be in any dialect of YAML: they are not looked at.
        let (documents, diagnostics) = read_files(&files, |text| text.contains(VERSION_FIELD));
        self.comments.extend(documents.comments().cloned());
        self.diagnostics.extend(diagnostics);
        let found = found(&documents);
        self.objects.extend(found.objects);
        self.repeated.extend(found.repeated);
        self.diagnostics.extend(found.diagnostics);
    }

    /// Notes what would have to be rendered, and returns the folders of charts.
    fn set_aside(&mut self, files: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
        let mut charts = Vec::new();
        for file in files {
            let name = file.file_name().unwrap_or_default();
            let what = if name == CHART_FILE {
                charts.extend(file.parent().map(Utf8Path::to_owned));
                "a Helm chart, which is not rendered: render it with `helm template`"
            } else if tells_kustomize(file) {
                "a kustomization, which is not built: build it with `kustomize build`"
            } else {
                continue;
            };
            self.opaque.push(Opaque {
                place: start_of(file),
                what: what.to_owned(),
                is_resource: false,
            });
        }
        charts
    }

    fn terraform(&mut self, path: &Utf8Path, options: &terraform::Options) {
        let configuration = terraform::read(path, options);
        let objects = configuration.objects.into_iter();
        self.objects.extend(objects.map(|declared| declared.object));
        for unknown in configuration.unknown {
            match unknown.known {
                Some(object) => self.objects.push(object),
                None => self.opaque.push(Opaque {
                    what: format!("{}, of which not even the kind is known", unknown.address),
                    place: unknown.place,
                    is_resource: true,
                }),
            }
        }
        let releases = configuration.releases.into_iter().map(|release| Opaque {
            what: format!(
                "{}, a Helm release whose chart is not rendered",
                release.address
            ),
            place: release.place,
            is_resource: true,
        });
        let unread = configuration.unread.into_iter().map(|unread| Opaque {
            place: unread.place,
            what: unread.reason,
            is_resource: false,
        });
        self.opaque.extend(releases.chain(unread));
        self.comments.extend(configuration.comments);
        self.diagnostics.extend(configuration.diagnostics);
        self.secrets.push(configuration.secrets);
    }

    /// Of objects that are declared by several paths, in YAML and in Terraform, or in several of
    /// Terraform's roots, the first stays.
    fn keep_first(&mut self) {
        let mut places: BTreeMap<ObjectKey, Option<Place>> = BTreeMap::new();
        let mut repeated = Vec::new();
        self.objects.retain(|object| {
            let place = object.origin.place_of(&FieldPath::root());
            match places.entry(object.key.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(place);
                    true
                }
                Entry::Occupied(entry) => {
                    if let (Some(first), Some(place)) = (entry.get().clone(), place) {
                        repeated.push(Repeated {
                            key: object.key.clone(),
                            place,
                            first,
                            object: object.clone(),
                        });
                    }
                    false
                }
            }
        });
        self.repeated.extend(repeated);
    }

    /// The values that must not be shown.
    pub fn masks(&self) -> &[Mask] {
        &self.secrets
    }

    /// The text without the values that must not be shown.
    pub fn masked(&self, text: &str) -> String {
        let masks = self.secrets.iter();
        masks.fold(text.to_owned(), |text, mask| mask.apply(&text))
    }
}
