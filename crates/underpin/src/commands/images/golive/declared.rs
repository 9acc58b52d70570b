//! The declared files, by what is in them and by what takes them: looked through once for all releases.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_image::{Registry, SourcePolicies};
use underpin_model::{Object, ObjectKey, Origin, Place};
use underpin_refs::{is_helm_release, is_release, target_namespace, unknown_of_kustomization};

use super::{
    super::sources::{Read, read_yaml},
    checkouts::Checkouts,
    kustomization::Manifests,
    policies::policies,
};

/// Where objects are said to be that name no namespace.
const NO_NAMESPACE: &str = "default";

/// The declared files.
pub(super) struct Declared<'r> {
    /// Their objects, by file.
    files: BTreeMap<Utf8PathBuf, Vec<(&'r Read, &'r Object)>>,
    /// What each `kustomization.yaml` takes, itself the outermost.
    kustomizations: Vec<Manifests>,
    /// What each Kustomization of Flux may take, wherever that was read.
    deployments: Vec<(&'r Object, Manifests)>,
    /// The image policies of every source, clusters included.
    pub(super) policies: Vec<SourcePolicies>,
}

/// The namespaces that a declared release may come to be in, each with what takes it there.
pub(super) type Namespaces<'d> = BTreeMap<String, Vec<&'d Manifests>>;

impl<'r> Declared<'r> {
    /// `registry` is known by its names alone.
    pub(super) fn of(reads: &'r [Read], checkouts: &Checkouts, registry: &Registry) -> Self {
        let mut files: BTreeMap<Utf8PathBuf, Vec<(&Read, &Object)>> = BTreeMap::new();
        let now = || reads.iter().filter(|read| !read.is_revision());
        let declared = || now().filter(|read| read.is_declared);
        for (read, object) in declared().flat_map(|read| read.objects().map(move |one| (read, one)))
        {
            if let Origin::Declared { place, .. } = &object.origin {
                let file = checkouts.absolute(Utf8Path::new(&*place.file));
                files.entry(file).or_default().push((read, object));
            }
        }
        let kustomizations = declared().flat_map(|read| &read.kustomizations);
        let kustomizations = kustomizations
            .map(|(path, _)| Manifests::of_file(&checkouts.absolute(path), checkouts));
        let mut deployments = Vec::new();
        for read in now() {
            let objects = read.objects();
            let all =
                objects.filter(|one| is_release(&one.key.kind) && !is_helm_release(&one.key.kind));
            for object in all {
                let find = |key: &ObjectKey| {
                    let own = read.worlds.iter();
                    let mut all = own.chain(now().flat_map(|read| &read.worlds));
                    all.find_map(|world| world.get(key))
                };
                let all = Manifests::may_be_of(object, find, checkouts).into_iter();
                deployments.extend(all.map(|manifests| (object, manifests)));
            }
        }
        Self {
            files,
            kustomizations: kustomizations.collect(),
            deployments,
            policies: policies(reads, registry),
        }
    }

    /// The objects of a file.
    pub(super) fn in_file(&self, file: &Utf8Path) -> &[(&'r Read, &'r Object)] {
        self.files.get(file).map_or(&[], Vec::as_slice)
    }

    /// The object in whose document a place of a source is.
    pub(super) fn document_at(
        &self,
        read: &Read,
        at: &Place,
        checkouts: &Checkouts,
    ) -> Option<&'r Object> {
        let file = checkouts.absolute(Utf8Path::new(&*at.file));
        let line = |object: &Object| match &object.origin {
            Origin::Declared { place, .. } if place.line <= at.line => Some(place.line),
            _ => None,
        };
        let own = self.in_file(&file).iter();
        let own = own.filter(|(of, _)| of.name == read.name);
        let before = own.filter_map(|(_, object)| Some((line(object)?, *object)));
        before
            .max_by_key(|(line, _)| *line)
            .map(|(_, object)| object)
    }

    /// Why a release that is declared in a file may not be what comes of it, by everything that takes the file.
    pub(super) fn changes(&self, file: &Utf8Path, release: &Object) -> BTreeSet<String> {
        let mut reasons = BTreeSet::new();
        for manifests in &self.kustomizations {
            reasons.extend(manifests.changes(file, release));
        }
        for (by, manifests) in &self.deployments {
            if manifests.holds_file(file) && by.key != release.key {
                let unknown = unknown_of_kustomization(by, &read_yaml).into_iter();
                reasons.extend(unknown.map(|(path, why)| format!("{} {path}: {why}", by.key)));
            }
        }
        reasons
    }

    /// The namespaces in which a declared release may come to be, where its own file does not say or something
    /// that takes the file says otherwise.
    pub(super) fn namespaces(&self, file: &Utf8Path) -> Namespaces<'_> {
        let mut found = Namespaces::new();
        let mut add = |namespace: &str, by| {
            let all: &mut Vec<&Manifests> = found.entry(namespace.to_owned()).or_default();
            all.push(by);
        };
        for (by, manifests) in &self.deployments {
            match target_namespace(by) {
                Some(target) if manifests.holds_file(file) => add(target, manifests),
                Some(_) => {}
                None => manifests
                    .namespaces(file)
                    .into_iter()
                    .for_each(|one| add(one, manifests)),
            }
        }
        for manifests in &self.kustomizations {
            manifests
                .namespaces(file)
                .into_iter()
                .for_each(|one| add(one, manifests));
        }
        found
    }
}

/// Whether an object says of itself in which namespace it is. Where it does not, it is read as one of
/// `default`, which is anybody's guess.
pub(super) fn names_namespace(object: &Object) -> bool {
    object.key.namespace.as_deref() != Some(NO_NAMESPACE)
        || object.text("/metadata/namespace").is_some()
}
