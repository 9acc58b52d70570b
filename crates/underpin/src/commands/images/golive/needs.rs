//! What a release needs, wherever it was read: what it says itself, its chart or manifests, the releases in
//! those, and what image policies write into it.

use std::{collections::BTreeSet, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_image::{
    HAVE_READ, Registry, ReleaseNeeds, Root, RootKind, RootSettings, UnknownNeed, object_roots,
    release_needs, replace_images, without_secrets,
};
use underpin_model::{FieldPath, Object, ObjectKey, Origin, World};
use underpin_refs::{is_helm_release, is_release, is_suspended, variables};

use super::{
    super::sources::{Read, root_settings},
    charts,
    checkouts::Checkouts,
    declared::Declared,
    doubts::doubts,
    kustomization::Manifests,
    policies::{add_written, markers},
    releases::{Occurrence, Release},
};
use crate::render::images::consent;

/// Kustomizations in Kustomizations are followed this deep.
const DEPTH_LIMIT: usize = 16;

/// Where releases are looked up.
#[derive(Clone, Copy)]
pub(super) struct Sources<'s> {
    pub(super) reads: &'s [Read],
    /// Folders and files that were named.
    pub(super) checkouts: &'s Checkouts,
    /// What is in them.
    pub(super) declared: &'s Declared<'s>,
    /// The registry, as far as it was read.
    pub(super) registry: &'s Registry,
    /// What an operator has said to mean nothing of this registry.
    pub(super) foreign: &'s BTreeSet<String>,
}

/// What a release needs.
pub(super) struct Needs {
    /// Everything that the registry is to be asked for: nothing that is to be shown, for Secrets may tell it.
    pub(super) asked: Vec<Root>,
    /// What of it can be shown.
    pub(super) roots: Vec<Root>,
    /// What is not known.
    pub(super) unknown: Vec<UnknownNeed>,
}

/// What a release needs, as it is found out.
struct Search<'s> {
    needs: Needs,
    sources: Sources<'s>,
    /// Files with manifests of the release.
    files: BTreeSet<Utf8PathBuf>,
    /// The releases that lead to the one that is looked at.
    within: Vec<ObjectKey>,
    /// Whether anything was said that names an image, or that may, whatever came of it.
    is_told: bool,
}

/// Everything that a release needs.
pub(super) fn of_release(release: &Release<'_>, sources: Sources<'_>) -> Needs {
    let mut search = Search {
        needs: Needs {
            asked: Vec::new(),
            roots: Vec::new(),
            unknown: Vec::new(),
        },
        sources,
        files: BTreeSet::new(),
        within: Vec::new(),
        is_told: false,
    };
    let mut occurrences = release.occurrences.iter();
    let is_declared = occurrences.any(|one| one.read.is_declared);
    for occurrence in &release.occurrences {
        search.occurrence(occurrence, is_declared);
        if occurrence.object.key.namespace.is_none() {
            search.add_unknown(occurrence.read, vec![of_no_namespace(&occurrence.object)]);
        }
    }
    if let Some(first) = release.occurrences.first()
        && !search.is_told
    {
        let evidence = first.object.evidence(FieldPath::new("spec"), String::new());
        let reason = "nothing that was read of it names an image";
        search.add_unknown(first.read, vec![UnknownNeed::new(evidence, reason)]);
    }
    let doubts = doubts(release, &search.files, sources);
    let mut needs = search.needs;
    needs.unknown.extend(doubts);
    needs
}

/// A release of which nobody says in which namespace it is: it may be another one.
fn of_no_namespace(release: &Object) -> UnknownNeed {
    let evidence = release.evidence(FieldPath::new("metadata.namespace"), String::new());
    let reason = "in which namespace it comes to be is said neither by its file nor by a kustomization that \
                  takes it: it may be another release of that name";
    let mut need = UnknownNeed::new(evidence, reason);
    need.help =
        vec!["write the namespace into its file, or name what takes it with --path".to_owned()];
    need
}

impl Sources<'_> {
    fn settings<'r>(&'r self, world: &'r World, source: &'r Arc<str>) -> RootSettings<'r> {
        root_settings(self.registry, world, source)
    }
}

impl Search<'_> {
    fn occurrence(&mut self, occurrence: &Occurrence<'_>, is_declared: bool) {
        let object = &occurrence.object;
        self.within.push(object.key.clone());
        if is_helm_release(&object.key.kind) {
            self.helm_release(occurrence, is_declared);
        } else {
            self.kustomization(occurrence, is_declared);
        }
        self.within.pop();
    }

    fn helm_release(&mut self, occurrence: &Occurrence<'_>, is_declared: bool) {
        let (sources, object) = (self.sources, &occurrence.object);
        let settings = sources.settings(&occurrence.world, &occurrence.read.name);
        let chart = charts::brought(object, &occurrence.world, sources);
        let mut needs = release_needs(object, settings, chart.values.as_ref());
        needs.unknown.extend(chart.unknown);
        artifact(occurrence, settings, &mut needs);
        replace_images(object, settings, &mut needs);
        // What is deployed by another release was built by it.
        if self.within.len() == 1 {
            needs.unknown.extend(otherwise(object, sources));
        }
        let markers = markers(occurrence, None, sources);
        add_written(occurrence, &markers, is_declared, sources, &mut needs);
        self.add(occurrence.read, needs);
    }

    fn kustomization(&mut self, occurrence: &Occurrence<'_>, is_declared: bool) {
        let (sources, object) = (self.sources, &occurrence.object);
        let settings = sources.settings(&occurrence.world, &occurrence.read.name);
        let mut needs = release_needs(object, settings, None);
        artifact(occurrence, settings, &mut needs);
        let mut manifests =
            match Manifests::of(object, |key| occurrence.world.get(key), sources.checkouts) {
                Ok(manifests) => manifests,
                Err(reason) => {
                    let evidence = object.evidence(FieldPath::new("spec.path"), String::new());
                    needs.unknown.push(UnknownNeed::new(evidence, reason));
                    // What it puts for images is all that is known of them.
                    replace_images(object, settings, &mut needs);
                    let markers = markers(occurrence, None, sources);
                    add_written(occurrence, &markers, is_declared, sources, &mut needs);
                    self.add(occurrence.read, needs);
                    return;
                }
            };
        let variables = variables(object, settings.sources);
        needs
            .unknown
            .extend(variables.unread.iter().map(|(path, reason)| {
                let evidence = object.evidence(path.clone(), String::new());
                UnknownNeed::new(evidence, reason.clone())
            }));
        let built = manifests.built(object, &variables, &needs.replacements, sources);
        needs.replacements.clear();
        needs
            .unknown
            .extend(manifests.unknown(object, built.is_empty()));
        let mut world = World::clone(&occurrence.world);
        for one in &built {
            world.insert(one.object.clone());
        }
        let world = Arc::new(world);
        for one in &built {
            let kind = &one.object.key.kind;
            if is_release(kind) {
                self.child(one.read, &one.object, &world, &mut needs);
                continue;
            }
            let settings = sources.settings(&world, &one.read.name);
            let (mut roots, unknown) = object_roots(&one.object, settings);
            roots.retain(|root| is_run(root.kind));
            one.note(&mut roots);
            needs.roots.extend(roots);
            needs.unknown.extend(unknown);
        }
        let markers = markers(occurrence, Some(&manifests), sources);
        add_written(occurrence, &markers, true, sources, &mut needs);
        self.files.extend(manifests.into_files());
        self.add(occurrence.read, needs);
    }

    /// A release among the manifests of another one. One that is suspended is not resumed with it, and one
    /// that leads to itself has been looked at.
    fn child(&mut self, read: &Read, object: &Object, world: &Arc<World>, of: &mut ReleaseNeeds) {
        if is_suspended(object) || self.within.contains(&object.key) {
            return;
        }
        if self.within.len() > DEPTH_LIMIT {
            let evidence = object.evidence(FieldPath::root(), String::new());
            let reason = "it is deployed by too many others, one in the other";
            of.unknown.push(UnknownNeed::new(evidence, reason));
            return;
        }
        let child = Occurrence {
            read,
            object: object.clone(),
            world: Arc::clone(world),
        };
        self.occurrence(&child, true);
    }

    /// Adds what one source says.
    fn add(&mut self, read: &Read, mut needs: ReleaseNeeds) {
        self.needs.asked.extend(needs.roots.iter().cloned());
        without_secrets(self.sources.registry, &mut needs);
        self.is_told |= !needs.roots.is_empty();
        self.needs.roots.extend(needs.roots);
        self.add_unknown(read, needs.unknown);
    }

    /// Adds what is not known, as far as an operator has not said that it means nothing of this registry.
    fn add_unknown(&mut self, read: &Read, unknown: Vec<UnknownNeed>) {
        for mut need in unknown {
            self.is_told = true;
            let text = read.consent(&need.to_string());
            if self.sources.foreign.contains(&text) {
                continue;
            }
            if need.help.is_empty() {
                need.help.push(HAVE_READ.to_owned());
            }
            need.help.push(consent(&text));
            self.needs.unknown.push(need);
        }
    }
}

/// Why a release may come to something else than it is declared as.
fn otherwise(release: &Object, sources: Sources<'_>) -> Vec<UnknownNeed> {
    let Origin::Declared { place, .. } = &release.origin else {
        return Vec::new();
    };
    let file = sources.checkouts.absolute(Utf8Path::new(&*place.file));
    let reasons = sources.declared.changes(&file, release);
    let needs = reasons.into_iter().map(|reason| {
        let evidence = release.evidence(FieldPath::new("spec"), String::new());
        UnknownNeed::new(evidence, reason)
    });
    needs.collect()
}

/// Whether a need is one of what runs, and no other text.
fn is_run(kind: RootKind) -> bool {
    !matches!(
        kind,
        RootKind::Policy | RootKind::PolicyStatus | RootKind::Text | RootKind::Secret
    )
}

/// Adds the artifact that a release takes its chart or manifests from.
fn artifact(occurrence: &Occurrence<'_>, settings: RootSettings<'_>, needs: &mut ReleaseNeeds) {
    let Some(key) = needs.artifact.take() else {
        return;
    };
    if let Some(artifact) = occurrence.world.get(&key) {
        let (roots, unknown) = object_roots(artifact, settings);
        needs.roots.extend(roots);
        needs.unknown.extend(unknown);
        return;
    }
    let spec = FieldPath::new("spec");
    let evidence = occurrence.object.evidence(spec, String::new());
    let reason = format!("what is in it comes from {key}, which was not read");
    needs.unknown.push(UnknownNeed::new(evidence, reason));
}
