//! The manifests of a Kustomization, where the declared files hold them.

use std::{collections::BTreeSet, fs};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use underpin_image::{
    ReleaseNeeds, RootKind, RootSettings, UnknownNeed, object_roots, release_needs,
};
use underpin_model::{Evidence, FieldPath, GroupKind, Object, ObjectKey, Origin, Place, World};
use underpin_refs::{
    ImageReplacement, KustomizationFile, Variables, folder_of_kustomization, is_helm_release,
    is_release, is_suspended, kustomization_file, may_set_images, variables,
};

use super::{super::sources::Read, releases::Occurrence};

/// Folders of folders are followed this far.
const FOLDERS_LIMIT: usize = 1000;

/// What a Kustomization deploys.
#[derive(Default)]
pub(super) struct Manifests {
    /// Files, and folders with all below them.
    taken: BTreeSet<Utf8PathBuf>,
    /// What is put for images, the innermost first.
    replacements: Vec<(ImageReplacement, Evidence)>,
    /// What cannot be told.
    unknown: Vec<String>,
}

impl Manifests {
    /// Those of a Kustomization; none where no declared files hold them.
    pub(super) fn of(
        occurrence: &Occurrence<'_>,
        reads: &[Read],
        paths: &[Utf8PathBuf],
    ) -> Option<Self> {
        let written = folder_of_kustomization(occurrence.object);
        let folder = folder(written, paths)?;
        let mut manifests = Self::default();
        manifests.take(&folder, reads);
        Some(manifests)
    }

    /// Takes a folder with what its `kustomization.yaml` says, or with all below it.
    fn take(&mut self, folder: &Utf8Path, reads: &[Read]) {
        let (mut todo, mut seen) = (vec![folder.to_owned()], BTreeSet::new());
        let mut replacements = Vec::new();
        while let Some(at) = todo.pop() {
            if !seen.insert(at.clone()) {
                continue;
            }
            if seen.len() > FOLDERS_LIMIT {
                self.unknown
                    .push(format!("{at}: there are more than {FOLDERS_LIMIT} folders"));
                break;
            }
            let file = reads.iter().flat_map(|read| &read.kustomizations);
            let file = file.map(|(path, value)| (plain(path), value));
            let mut file = file.filter(|(path, _)| path.parent() == Some(&at));
            let Some((path, value)) = file.next() else {
                self.taken.insert(at);
                continue;
            };
            let read = kustomization_file(value);
            let unknown = read
                .unknown
                .iter()
                .chain(&patches(&at, &read))
                .cloned()
                .collect::<Vec<_>>();
            self.unknown
                .extend(unknown.into_iter().map(|why| format!("{path}: {why}")));
            for resource in &read.resources {
                let target = plain(&at.join(resource));
                if resource.contains("://") || resource.contains("?ref=") || !target.exists() {
                    self.unknown
                        .push(format!("{path}: `{resource}` was not read"));
                } else if target.is_dir() {
                    todo.push(target);
                } else {
                    self.taken.insert(target);
                }
            }
            let own = read.replacements.into_iter().map(|one| {
                let evidence = of_file(&path, one.path.clone());
                (one, evidence)
            });
            replacements.push(own.collect::<Vec<_>>());
        }
        // What is further out is put last.
        self.replacements = replacements.into_iter().rev().flatten().collect();
    }

    /// Whether a place is in them.
    pub(super) fn hold(&self, place: &Place) -> bool {
        let file = plain(Utf8Path::new(&*place.file));
        self.taken.iter().any(|taken| file.starts_with(taken))
    }

    /// Adds what they need to what their Kustomization says.
    pub(super) fn needs(
        self,
        occurrence: &Occurrence<'_>,
        reads: &[Read],
        settings: RootSettings<'_>,
        needs: &mut ReleaseNeeds,
    ) {
        let release = occurrence.object;
        let variables = variables(release, settings.sources);
        for (path, reason) in &variables.unread {
            needs.unknown.push(UnknownNeed {
                evidence: release.evidence(path.clone(), String::new()),
                reason: reason.clone(),
            });
        }
        let declared = reads
            .iter()
            .filter(|read| read.is_declared && read.relabel.is_none());
        let mut seen = 0_usize;
        for read in declared {
            let objects = read.worlds.iter().flat_map(World::objects);
            for object in objects.chain(&read.again).filter(|one| self.holds(one)) {
                seen += 1;
                let settings = RootSettings {
                    source: &read.name,
                    ..settings
                };
                one(object, &variables, settings, needs);
            }
        }
        let folder = release.evidence(FieldPath::new("spec.path"), String::new());
        let mut unknown = |reason: String| {
            needs.unknown.push(UnknownNeed {
                evidence: folder.clone(),
                reason,
            });
        };
        if seen == 0 {
            unknown("there are no manifests in its folder".to_owned());
        }
        for reason in self.unknown {
            unknown(reason);
        }
        let own = std::mem::take(&mut needs.replacements);
        needs.replacements = self.replacements.into_iter().chain(own).collect();
    }

    fn holds(&self, object: &Object) -> bool {
        matches!(&object.origin, Origin::Declared { place, .. } if self.hold(place))
    }
}

/// What one manifest needs. Releases in it that are suspended are not resumed with it.
fn one(
    object: &Object,
    variables: &Variables,
    settings: RootSettings<'_>,
    needs: &mut ReleaseNeeds,
) {
    let object = variables.filled(object);
    let kind = &object.key.kind;
    if is_helm_release(kind) && !is_suspended(&object) {
        let more = release_needs(&object, settings, None);
        needs.roots.extend(more.roots);
        needs.unknown.extend(more.unknown);
        return;
    }
    if is_release(kind) {
        return;
    }
    let (roots, unknown) = object_roots(&object, settings);
    let runs = |kind: RootKind| {
        !matches!(
            kind,
            RootKind::Policy | RootKind::PolicyStatus | RootKind::Text | RootKind::Secret
        )
    };
    needs
        .roots
        .extend(roots.into_iter().filter(|root| runs(root.kind)));
    needs.unknown.extend(unknown);
}

/// Patches in files that may set images.
fn patches(folder: &Utf8Path, read: &KustomizationFile) -> Vec<String> {
    let patches = read.patches.iter().filter_map(|patch| {
        let text = fs::read_to_string(folder.join(patch));
        match text {
            Ok(text) if !may_set_images(&text) => None,
            Ok(_) => Some(format!("its patch `{patch}` may set images")),
            Err(error) => Some(format!("its patch `{patch}` cannot be read: {error}")),
        }
    });
    patches.collect()
}

/// The folder that a Kustomization means, below one of these paths or around it.
fn folder(written: &str, paths: &[Utf8PathBuf]) -> Option<Utf8PathBuf> {
    let below = plain(Utf8Path::new(written.trim_start_matches('/')));
    for path in paths {
        let path = plain(path);
        let inside = plain(&path.join(&below));
        if is_folder(&inside) {
            return Some(inside);
        }
        if path.ends_with(&below) && is_folder(&path) {
            return Some(path);
        }
        // The path that was named may be inside of it, or beside.
        let around = path.ancestors().skip(1);
        let found = around
            .map(|base| plain(&base.join(&below)))
            .find(|folder| !below.as_str().is_empty() && path.starts_with(folder));
        if let Some(folder) = found {
            return Some(folder);
        }
    }
    None
}

/// Whether there is a folder; the current one has no name.
fn is_folder(path: &Utf8Path) -> bool {
    path.as_str().is_empty() || path.is_dir()
}

/// A path without `.` and `..`.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    let mut plain = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn of_file(file: &Utf8Path, path: FieldPath) -> Evidence {
    Evidence {
        object: ObjectKey::cluster(GroupKind::core("File"), file.as_str()),
        path,
        place: None,
        note: String::new(),
    }
}
