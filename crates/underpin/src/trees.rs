//! Trees of declared files: what a repository's folders say a cluster should hold.
//!
//! Stack files say for themselves which manifests are theirs and where each environment lives. What
//! lies beside them, manifests and Terraform files, is taken as it is.

use std::{collections::BTreeSet, path::PathBuf};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use underpin_model::{FieldPath, Object, Origin, Place, World};
use underpin_plan::{
    DeclaredEnvironment,
    why::{with_namespace, world_of},
};
use underpin_source::{
    Diagnostic,
    manifests::{Below, Documents, files_of, read as read_manifests},
    stack::{Stack, find, is_stack_file},
    terraform, tree,
    yaml::Comment,
};

use crate::{
    error::CommandError,
    setup::{declared_environments, load_stack},
    worlds::declared_by,
};

/// Where objects are applied that name no namespace, unless somebody says otherwise.
const DEFAULT_NAMESPACE: &str = "default";

/// What a tree's files say, before it is asked what one cluster should hold.
#[derive(Default)]
pub(crate) struct DeclaredTree {
    /// Manifests and Terraform files that no stack file names.
    pub(crate) files: tree::Tree,
    stacks: Vec<(Stack, Documents)>,
    /// Every file that belongs to a stack, links resolved.
    of_stacks: BTreeSet<PathBuf>,
    /// What is wrong with files of either sort, in the order of places.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What a tree says of one cluster.
pub(crate) struct DeclaredWorld {
    /// The objects. Of one that is declared several times, the first.
    pub(crate) world: World,
    /// What was found when the manifests were rendered for an environment.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl DeclaredTree {
    /// Reads files, and folders with all below them. One broken file leaves the others.
    pub(crate) fn read(
        paths: &[Utf8PathBuf],
        terraform: &terraform::Options,
    ) -> Result<Self, CommandError> {
        Self::read_below(paths, terraform, &Below::default())
    }

    /// The same with other folders.
    pub(crate) fn read_below(
        paths: &[Utf8PathBuf],
        terraform: &terraform::Options,
        below: &Below,
    ) -> Result<Self, CommandError> {
        let mut declared = Self::default();
        let mut skipped = BTreeSet::new();
        for file in stack_files(paths)? {
            // Not to be read as a manifest, whether or not it can be used as a stack file.
            skipped.extend(file.canonicalize().ok());
            match load_stack(&file) {
                Ok(stack) => {
                    skipped.extend(files_of(&stack));
                    // A path on the command line has no standard input to offer.
                    let (documents, problems) = read_manifests(&stack, Some(String::new()));
                    declared.diagnostics.extend(problems);
                    declared.stacks.push((stack, documents));
                }
                Err(CommandError::Declared { diagnostics, .. }) => {
                    declared.diagnostics.extend(diagnostics);
                }
                Err(other) => declared.diagnostics.push(unusable(&file, &other)),
            }
        }
        declared.of_stacks.clone_from(&skipped);
        let options = tree::Options {
            skipped,
            below: below.clone(),
            terraform: terraform.clone(),
        };
        declared.files = tree::read(paths, &options);
        declared.diagnostics.append(&mut declared.files.diagnostics);
        in_order(&mut declared.diagnostics);
        Ok(declared)
    }

    /// Every environment of every stack file.
    pub(crate) fn environments(&self) -> Vec<DeclaredEnvironment> {
        let stacks = self.stacks.iter();
        stacks
            .flat_map(|(stack, _)| declared_environments(stack))
            .collect()
    }

    /// Every comment, of manifests that stack files name as well.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &Comment> {
        let stacks = self.stacks.iter();
        let theirs = stacks.flat_map(|(_, documents)| documents.comments());
        self.files.comments.iter().chain(theirs)
    }

    /// Whether a path holds anything that is looked at: a stack file, an object, or what may
    /// declare some.
    pub(crate) fn holds_any(&self, path: &Utf8Path) -> bool {
        let files = &self.files;
        let objects = files.objects.iter();
        let declared = objects.filter_map(|object| object.origin.place_of(&FieldPath::root()));
        let opaque = files.opaque.iter().map(|one| one.place.clone());
        let problems = self.diagnostics.iter().map(|one| one.place.clone());
        let repeated = files.repeated.iter().map(|one| one.place.clone());
        let mut places = declared.chain(opaque).chain(problems).chain(repeated);
        let plain = plain(path);
        let real = path.canonicalize().unwrap_or_default();
        places.any(|place| Utf8Path::new(&*place.file).starts_with(&plain))
            || self.of_stacks.iter().any(|file| file.starts_with(&real))
            || tree::holds_terraform(path)
    }

    /// What of the files is not known, or not looked into: where, and what.
    pub(crate) fn not_known(&self) -> Vec<(Place, String)> {
        let opaque = self.files.opaque.iter();
        let mut found: Vec<(Place, String)> = opaque
            .map(|opaque| (opaque.place.clone(), opaque.what.clone()))
            .collect();
        for object in &self.files.objects {
            let parts = object.unknown.iter().filter_map(|part| {
                let what = format!("{} {} is not known: {}", object.key, part.path, part.reason);
                Some((object.origin.place_of(&part.path)?, what))
            });
            found.extend(parts);
            let place = object.origin.place_of(&FieldPath::root());
            found.extend(
                place
                    .zip(object.unknown.existence())
                    .map(|(place, why)| (place, format!("{} may not exist: {why}", object.key))),
            );
        }
        found.sort();
        found
    }

    /// The clusters that the environments name; one without a name where none does.
    pub(crate) fn clusters(&self) -> BTreeSet<Option<String>> {
        let environments = self.environments().into_iter();
        let named: BTreeSet<Option<String>> = environments
            .filter(|one| one.context.is_some())
            .map(|one| one.context)
            .collect();
        if named.is_empty() {
            BTreeSet::from([None])
        } else {
            named
        }
    }

    /// What one cluster should hold: the environments that name it, those that name none, and what
    /// no stack file names.
    pub(crate) fn world(&self, cluster: Option<&str>) -> Result<DeclaredWorld, CommandError> {
        let mut objects = Vec::new();
        let mut diagnostics = Vec::new();
        for (stack, documents) in &self.stacks {
            for environment in declared_environments(stack) {
                let context = environment.context.as_deref();
                if context.is_some() && context != cluster {
                    continue;
                }
                let (found, problems) = declared_by(stack, &environment, documents, &[])?;
                diagnostics.extend(problems);
                objects.extend(found);
            }
        }
        objects.extend(with_namespace(
            self.files.objects.clone(),
            DEFAULT_NAMESPACE,
        ));
        in_order(&mut diagnostics);
        Ok(DeclaredWorld {
            world: world_of(objects),
            diagnostics,
        })
    }
}

fn in_order(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    diagnostics.dedup();
}

/// A path without `.` segments.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    let components = path.components();
    components
        .filter(|component| *component != Utf8Component::CurDir)
        .collect()
}

/// A stack file that cannot be used, as one problem among others.
fn unusable(file: &Utf8Path, error: &CommandError) -> Diagnostic {
    let place = Place {
        file: file.as_str().into(),
        line: 1,
        column: 1,
    };
    Diagnostic {
        place,
        message: error.to_string(),
        help: error.help(),
    }
}

/// Has the files of declared objects called otherwise, as those of a revision are.
pub(crate) fn call_files(world: &mut World, name: impl Fn(&str) -> String) {
    let objects: Vec<Object> = world.objects().cloned().collect();
    for mut object in objects {
        if let Origin::Declared { place, .. } = &mut object.origin {
            place.file = name(&place.file).into();
            world.insert(object);
        }
    }
}

/// The stack files that paths name, and those in folders, each once.
pub(crate) fn stack_files(paths: &[Utf8PathBuf]) -> Result<Vec<Utf8PathBuf>, CommandError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(find(path)?);
        } else if is_stack_file(path) {
            files.push(path.clone());
        }
    }
    // As people write it: `underpin.yaml`, not `./underpin.yaml`.
    let mut files: Vec<Utf8PathBuf> = files.iter().map(|file| plain(file)).collect();
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.into())));
    Ok(files)
}
