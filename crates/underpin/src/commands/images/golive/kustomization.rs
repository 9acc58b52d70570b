//! The manifests of a Kustomization, as kustomize makes them of the declared files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_image::{Root, UnknownNeed};
use underpin_model::{Evidence, FieldPath, GroupKind, Object, ObjectKey, Place};
use underpin_refs::{
    ImageReplacement, KustomizationFile, Variables, folder_of_kustomization, kustomization_file,
    patch_may_set_images, put_image, takes_from_objects, target_namespace,
};

use underpin_source::tree::KUSTOMIZATION_FILES;

use super::{
    super::sources::{Read, document, read_yaml},
    checkouts::Checkouts,
    needs::Sources,
};

/// Folders of folders are followed this far, and this deep.
const FOLDERS_LIMIT: usize = 1000;
const DEPTH_LIMIT: usize = 32;
/// Files that kustomize takes of a folder where nothing tells it which.
const MANIFESTS: &[&str] = &["yaml", "yml"];
/// What every manifest holds.
const VERSION_FIELD: &str = "apiVersion";

/// What a Kustomization deploys.
#[derive(Default)]
pub(super) struct Manifests {
    /// Files, each with the kustomizations that take it, the outermost first.
    files: BTreeMap<Utf8PathBuf, BTreeSet<Vec<usize>>>,
    /// Every kustomization that is a part of it.
    parts: Vec<Part>,
    /// Every folder that it takes anything of.
    folders: BTreeSet<Utf8PathBuf>,
    /// What cannot be told.
    unknown: Vec<String>,
}

/// A `kustomization.yaml`, by what it makes of what it takes.
struct Part {
    path: Utf8PathBuf,
    folder: Utf8PathBuf,
    /// How people call it.
    name: String,
    file: KustomizationFile,
    /// Why it may set images in a way that is not known.
    unknown: Vec<String>,
}

/// A manifest as it would be applied.
pub(super) struct Built<'r> {
    pub(super) read: &'r Read,
    pub(super) object: Object,
    /// Where other images were put, and by what.
    put: Vec<(FieldPath, Evidence)>,
}

impl Built<'_> {
    /// Says of needs by what their images were put.
    pub(super) fn note(&self, roots: &mut [Root]) {
        for root in roots {
            let mut put = self.put.iter();
            if let Some((_, by)) = put.find(|(path, _)| *path == root.evidence.path) {
                root.evidence.note = format!("by {} of {}", by.path, by.object);
            }
        }
    }
}

impl Manifests {
    /// Those of a Kustomization; why they are not known otherwise.
    pub(super) fn of<'o>(
        release: &Object,
        find: impl Fn(&ObjectKey) -> Option<&'o Object>,
        checkouts: &Checkouts,
    ) -> Result<Self, String> {
        let written = folder_of_kustomization(release);
        let folder = checkouts.folder_of(written, release, find)?;
        Ok(Self::of_folder(&folder, checkouts))
    }

    /// All that those of a Kustomization may be.
    pub(super) fn may_be_of<'o>(
        release: &Object,
        find: impl Fn(&ObjectKey) -> Option<&'o Object>,
        checkouts: &Checkouts,
    ) -> Vec<Self> {
        let written = folder_of_kustomization(release);
        let folders = checkouts.folders_of(written, release, find).into_iter();
        let all = folders.map(|folder| Self::of_folder(&folder, checkouts));
        all.collect()
    }

    fn of_folder(folder: &Utf8Path, checkouts: &Checkouts) -> Self {
        let mut manifests = Self::default();
        match kustomization_in(folder) {
            Some(file) => manifests.part(folder, &file, &[], checkouts),
            None => manifests.generated(folder, checkouts),
        }
        manifests
    }

    /// Those of a `kustomization.yaml`.
    pub(super) fn of_file(path: &Utf8Path, checkouts: &Checkouts) -> Self {
        let mut manifests = Self::default();
        if let Some(folder) = path.parent() {
            manifests.part(folder, path, &[], checkouts);
        }
        manifests
    }

    /// Whether a place is in them, or in what says what is made of them.
    pub(super) fn hold(&self, place: &Place, checkouts: &Checkouts) -> bool {
        let file = checkouts.absolute(Utf8Path::new(&*place.file));
        let mut parts = self.parts.iter();
        self.holds_file(&file) || parts.any(|part| part.path == file)
    }

    /// Whether a file is one of them.
    pub(super) fn holds_file(&self, file: &Utf8Path) -> bool {
        self.files.contains_key(file)
    }

    /// Its files, by path.
    pub(super) fn files(&self) -> impl Iterator<Item = &Utf8Path> {
        self.files.keys().map(Utf8PathBuf::as_path)
    }

    /// The namespaces that its kustomizations put the objects of a file into.
    pub(super) fn namespaces(&self, file: &Utf8Path) -> BTreeSet<&str> {
        let all = self.files.get(file).into_iter().flatten();
        let namespaces = all.filter_map(|within| {
            // The outermost counts.
            let mut parts = within.iter().filter_map(|part| self.parts.get(*part));
            parts.find_map(|part| part.file.namespace.as_deref())
        });
        namespaces.collect()
    }

    /// Why a release that is declared in a file may not be what comes of it.
    pub(super) fn changes(&self, file: &Utf8Path, release: &Object) -> BTreeSet<String> {
        let mut reasons = BTreeSet::new();
        for within in self.files.get(file).into_iter().flatten() {
            let parts = within.iter().filter_map(|part| self.parts.get(*part));
            reasons.extend(parts.flat_map(|part| part.unknown.iter().cloned()));
            reasons.extend(self.naming(within, release));
        }
        reasons
    }

    /// Its files.
    pub(super) fn into_files(self) -> impl Iterator<Item = Utf8PathBuf> {
        self.files.into_keys()
    }

    /// A folder with all below it, as Flux takes it where it finds no `kustomization.yaml`. Where there is
    /// one further down, that counts there.
    fn generated(&mut self, folder: &Utf8Path, checkouts: &Checkouts) {
        let mut todo = vec![folder.to_owned()];
        while let Some(at) = todo.pop() {
            if !self.enter(&at, checkouts) {
                return;
            }
            let entries = at.read_dir_utf8().and_then(Iterator::collect);
            let mut entries: Vec<camino::Utf8DirEntry> = match entries {
                Ok(entries) => entries,
                Err(error) => {
                    let shown = checkouts.shown(&at);
                    self.unknown
                        .push(format!("{shown} cannot be read: {error}"));
                    continue;
                }
            };
            entries.sort_by(|left, right| left.file_name().cmp(right.file_name()));
            for entry in entries {
                let path = at.join(entry.file_name());
                let is_manifest = path.extension().is_some_and(|one| MANIFESTS.contains(&one));
                if path.is_dir() && entry.file_name() != ".git" {
                    match kustomization_in(&path) {
                        Some(file) => self.part(&path, &file, &[], checkouts),
                        None => todo.push(path),
                    }
                } else if is_manifest {
                    self.take(path, &[], checkouts);
                }
            }
        }
    }

    /// A folder with what its `kustomization.yaml` says.
    fn part(
        &mut self,
        folder: &Utf8Path,
        path: &Utf8Path,
        within: &[usize],
        checkouts: &Checkouts,
    ) {
        let shown = checkouts.shown(path);
        let is_round = |part: &usize| self.parts[*part].folder == *folder;
        if within.iter().any(is_round) || within.len() > DEPTH_LIMIT {
            self.unknown
                .push(format!("{shown}: it takes itself, or goes too deep"));
            return;
        }
        if !self.enter(folder, checkouts) {
            return;
        }
        let value = match document(path) {
            Ok(value) => value,
            Err(reason) => {
                self.unknown.push(format!("{shown}: {reason}"));
                return;
            }
        };
        let file = kustomization_file(&value, &read_yaml);
        let unknown = file.unknown.iter().cloned().chain(patches(folder, &file));
        let unknown: Vec<String> = unknown.map(|why| format!("{shown}: {why}")).collect();
        self.unknown.extend(unknown.iter().cloned());
        let within = [within, &[self.parts.len()]].concat();
        let resources = file.resources.clone();
        self.parts.push(Part {
            path: path.to_owned(),
            folder: folder.to_owned(),
            name: shown.to_string(),
            file,
            unknown,
        });
        for resource in resources {
            let target = checkouts.absolute(&folder.join(&resource));
            let is_remote = resource.contains("://") || resource.contains("?ref=");
            if is_remote || !target.exists() {
                self.unknown
                    .push(format!("{shown}: `{resource}` was not read"));
            } else if !target.is_dir() {
                self.take(target, &within, checkouts);
            } else if let Some(file) = kustomization_in(&target) {
                self.part(&target, &file, &within, checkouts);
            } else {
                let why = format!("{shown}: there is no kustomization.yaml in `{resource}`");
                self.unknown.push(why);
            }
        }
    }

    /// Whether one more folder is followed.
    fn enter(&mut self, folder: &Utf8Path, checkouts: &Checkouts) -> bool {
        self.folders.insert(folder.to_owned());
        let is_within = self.folders.len() <= FOLDERS_LIMIT;
        if !is_within {
            let shown = checkouts.shown(folder);
            self.unknown.push(format!(
                "{shown}: there are more than {FOLDERS_LIMIT} folders"
            ));
        }
        is_within
    }

    fn take(&mut self, file: Utf8PathBuf, within: &[usize], checkouts: &Checkouts) {
        if !checkouts.hold(&file) {
            let shown = checkouts.shown(&file);
            self.unknown
                .push(format!("{shown} was not read: name it with --path"));
        }
        let of = self.files.entry(file).or_default();
        of.insert(within.to_vec());
    }

    /// The manifests as they would be applied.
    pub(super) fn built<'r>(
        &mut self,
        release: &Object,
        variables: &Variables,
        own: &[(ImageReplacement, Evidence)],
        sources: Sources<'r>,
    ) -> Vec<Built<'r>> {
        let mut built = Vec::new();
        for (file, taken) in self.files.clone() {
            let objects = sources.declared.in_file(&file);
            if objects.is_empty() {
                let holds_any = |text: String| text.contains(VERSION_FIELD);
                if fs::read_to_string(&file).map_or(true, holds_any) {
                    let shown = sources.checkouts.shown(&file);
                    self.unknown
                        .push(format!("no manifest was read in {shown}"));
                }
            }
            for (read, object) in objects {
                for within in &taken {
                    let mut one = Built {
                        read,
                        object: Object::clone(object),
                        put: Vec::new(),
                    };
                    for part in within.iter().rev() {
                        self.transform(*part, &mut one);
                    }
                    if let Some(namespace) = target_namespace(release) {
                        put_namespace(&mut one.object, namespace);
                    }
                    for (replacement, by) in own {
                        self.put(&mut one, replacement, by);
                    }
                    one.object = variables.filled(&one.object);
                    let naming = self.naming(within, &one.object);
                    self.unknown.extend(naming);
                    built.push(one);
                }
            }
        }
        built
    }

    /// Why the objects that a release takes values from are not known: what takes the release makes them, or
    /// calls them otherwise.
    fn naming(&self, within: &[usize], release: &Object) -> Vec<String> {
        if !takes_from_objects(release) {
            return Vec::new();
        }
        let parts = within.iter().filter_map(|part| self.parts.get(*part));
        let naming = parts.flat_map(|part| part.file.naming.iter().map(move |key| (part, key)));
        let told = naming.map(|(part, key)| {
            let (name, release) = (&part.name, &release.key);
            format!("{name}: its `{key}` may decide which values {release} takes")
        });
        told.collect()
    }

    /// What a `kustomization.yaml` makes of a manifest.
    fn transform(&mut self, part: usize, one: &mut Built<'_>) {
        let Some(Part { name, file, .. }) = self.parts.get(part) else {
            return;
        };
        if let Some(namespace) = &file.namespace {
            put_namespace(&mut one.object, namespace);
        }
        let by = |replacement: &ImageReplacement| Evidence {
            object: ObjectKey::cluster(GroupKind::core("File"), name),
            path: replacement.path.clone(),
            place: None,
            note: String::new(),
        };
        let replacements = file.replacements.iter();
        let replacements: Vec<(ImageReplacement, Evidence)> = replacements
            .map(|replacement| (replacement.clone(), by(replacement)))
            .collect();
        for (replacement, by) in &replacements {
            self.put(one, replacement, by);
        }
    }

    fn put(&mut self, one: &mut Built<'_>, replacement: &ImageReplacement, by: &Evidence) {
        for put in put_image(&mut one.object, replacement) {
            if !put.is_known {
                self.unknown.push(format!(
                    "whether {} of {} is put for {} of {}, which holds a variable, depends on the \
                     version of kustomize",
                    by.path, by.object, put.path, one.object.key
                ));
            }
            one.put.retain(|(path, _)| *path != put.path);
            one.put.push((put.path, by.clone()));
        }
    }

    /// What cannot be told of them, as needs of their Kustomization.
    pub(super) fn unknown(&self, release: &Object, is_empty: bool) -> Vec<UnknownNeed> {
        let none = is_empty.then(|| "there are no manifests in its folder".to_owned());
        let reasons: BTreeSet<String> = self.unknown.iter().cloned().chain(none).collect();
        let needs = reasons.into_iter().map(|reason| {
            let path = FieldPath::new("spec.path");
            UnknownNeed::new(release.evidence(path, String::new()), reason)
        });
        needs.collect()
    }
}

/// Puts an object into another namespace, unless it is of none.
pub(super) fn put_namespace(object: &mut Object, namespace: &str) {
    if let Some(own) = &mut object.key.namespace {
        namespace.clone_into(own);
    }
}

/// The file that tells kustomize what to make of a folder.
fn kustomization_in(folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let files = KUSTOMIZATION_FILES.iter().map(|name| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}

/// Patches in files that may set images.
fn patches(folder: &Utf8Path, file: &KustomizationFile) -> Vec<String> {
    let patches = file.patches.iter().filter_map(|patch| {
        let text = fs::read_to_string(folder.join(patch));
        match text {
            Ok(text) if !patch_may_set_images(&text, &read_yaml) => None,
            Ok(_) => Some(format!("its patch `{patch}` may set images")),
            Err(error) => Some(format!("its patch `{patch}` cannot be read: {error}")),
        }
    });
    patches.collect()
}
