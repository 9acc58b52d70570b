//! From what was read to who needs what.

use std::{collections::BTreeSet, fs, mem, sync::Arc};

use camino::Utf8PathBuf;
use underpin_image::{
    Collector, NotRead, Pin, Registry, Root, RootKind, RootSettings, Source, Target, UnknownNeed,
    file_roots, read_pins,
};
use underpin_model::{Evidence, FieldPath, GroupKind, Object, ObjectKey, Place, World};
use underpin_refs::{images_in_values, images_of_kustomization};
use underpin_source::helm_release;

use super::{
    marker,
    setting::{RegistrySetting, Setting},
    sources::{Doubt, Read, root_settings},
};

/// What Helm's own objects are labelled with.
const HELM_OWNER: &str = "helm";

/// Every need, and where needs were looked for.
pub(super) struct Gathered {
    pub(super) roots: Vec<Root>,
    pub(super) sources: Vec<Source>,
    pub(super) pins: Vec<Pin>,
}

/// The needs of one source, without the objects that have them.
pub(super) struct Collected {
    pub(super) read: Read,
    needs: Collector,
}

impl Collected {
    /// Collects what a source needs, and lets go of what says so. `registry` is known by its names alone.
    pub(super) fn of(read: Read, registry: &Registry) -> Self {
        let mut collecting = Collecting {
            registry,
            needs: Collector::default(),
            doubts: Vec::new(),
        };
        collecting.read(&read);
        let Collecting { needs, doubts, .. } = collecting;
        let mut read = read;
        read.doubts.extend(doubts);
        read.keep_policies();
        Self { read, needs }
    }
}

/// Needs of all sources and pins, in their order, before it is known what the registry has.
pub(super) struct Fleet {
    needs: Vec<Collector>,
    sources: Vec<Source>,
    pins: Vec<Pin>,
}

impl Fleet {
    /// What markers and pins need is added: what a policy selects is written wherever a marker names it.
    pub(super) fn of(all: &mut [Collected], setting: &Setting, registry: &Registry) -> Self {
        let mut fleet = Self {
            needs: Vec::new(),
            sources: Vec::new(),
            pins: Vec::new(),
        };
        for at in 0..all.len() {
            let mut needs = mem::take(&mut all[at].needs);
            let mut doubts = mem::take(&mut all[at].read.doubts);
            let read = &all[at].read;
            for comment in &read.comments {
                let worlds = all.iter().flat_map(|one| &one.read.worlds);
                // What is not known of the policy, its own source says.
                match marker::marked(comment, worlds, registry, &read.name) {
                    Ok((roots, _)) => needs.add(roots),
                    Err(reason) => doubts.push(Doubt::unknown(&comment.place, &reason)),
                }
            }
            if let Some((from, to)) = &read.relabel {
                needs.relabel(|root| relabel(root, from, to));
                for doubt in &mut doubts {
                    doubt.relabel(from, to);
                }
            }
            needs.close();
            fleet.needs.push(needs);
            let told = doubts.iter();
            let told = told.filter_map(|doubt| read.told(doubt, &setting.foreign_needs));
            let unread: BTreeSet<NotRead> = told.collect();
            fleet.sources.push(Source {
                name: Arc::clone(&read.name),
                unread: unread.into_iter().collect(),
            });
        }
        for file in &setting.pins {
            fleet.pins(file, &setting.registry);
        }
        fleet
    }

    /// What is needed whatever the registry has.
    pub(super) fn certain(&self) -> impl Iterator<Item = &Root> {
        self.needs.iter().flat_map(Collector::certain)
    }

    /// All needs, now that it is known what the registry has.
    pub(super) fn gathered(self, registry: &Registry) -> Gathered {
        let needs = self.needs.into_iter();
        Gathered {
            roots: needs.flat_map(|one| one.needs(registry)).collect(),
            sources: self.sources,
            pins: self.pins,
        }
    }

    /// A pins file. A line that cannot be read may keep anything.
    fn pins(&mut self, file: &Utf8PathBuf, registry: &RegistrySetting) {
        let name: Arc<str> = format!("pins {file}").into();
        let settings = registry.pin_settings();
        let (pins, unread) = match fs::read_to_string(file) {
            Ok(text) => {
                let (pins, errors) = read_pins(file.as_str(), &text, &settings);
                let errors = errors
                    .iter()
                    .map(|error| format!("{error}: {}", error.help));
                (pins, errors.map(NotRead::from).collect())
            }
            Err(error) => (Vec::new(), vec![NotRead::from(error.to_string())]),
        };
        let mut needs = Collector::default();
        needs.add(pins.iter().map(|pin| Root {
            kind: RootKind::Pin,
            source: Arc::clone(&name),
            evidence: Evidence {
                object: ObjectKey::cluster(GroupKind::core("Pin"), &pin.text),
                path: FieldPath::root(),
                place: Some(pin.place.clone()),
                note: String::new(),
            },
            target: Target::Pin(pin.clone()),
        }));
        needs.close();
        self.needs.push(needs);
        self.sources.push(Source { name, unread });
        self.pins.extend(pins);
    }
}

/// What is known while the needs of a source are collected.
struct Collecting<'c> {
    registry: &'c Registry,
    needs: Collector,
    doubts: Vec<Doubt>,
}

impl Collecting<'_> {
    fn read(&mut self, read: &Read) {
        for world in &read.worlds {
            for object in world.objects() {
                self.object(object, world, read);
                self.helm_revision(object, world, read);
            }
        }
        let empty = World::default();
        for object in &read.again {
            let world = read.worlds.first().unwrap_or(&empty);
            self.object(object, world, read);
        }
        for (file, values) in &read.values {
            let named = images_in_values(&FieldPath::root(), values);
            let (roots, unknown) = file_roots(file.as_str(), named, &read.name);
            self.needs.add(roots);
            self.unknown(&unknown);
        }
        for (file, value) in &read.kustomizations {
            let named = images_of_kustomization(value);
            let (roots, unknown) = file_roots(file.as_str(), named, &read.name);
            self.needs.add(roots);
            self.unknown(&unknown);
        }
        for file in &read.files {
            let (path, text) = (file.path.as_str(), &file.text);
            self.needs.file(path, text, self.registry, &read.name);
        }
    }

    fn unknown(&mut self, needs: &[UnknownNeed]) {
        self.doubts.extend(needs.iter().map(Doubt::need));
    }

    /// What one object needs, by its fields and by any text in it.
    fn object(&mut self, object: &Object, world: &World, read: &Read) {
        let settings = self.settings(world, &read.name);
        let unknown = self.needs.object(object, settings);
        self.unknown(&unknown);
    }

    fn settings<'s>(&self, world: &'s World, source: &'s Arc<str>) -> RootSettings<'s>
    where
        Self: 's,
    {
        root_settings(self.registry, world, source)
    }

    /// The objects of a revision that Helm keeps to roll back to.
    fn helm_revision(&mut self, stored: &Object, world: &World, read: &Read) {
        let kind = &stored.key.kind;
        let is_store = kind.is("", "Secret") || kind.is("", "ConfigMap");
        let is_release =
            stored.label("owner") == Some(HELM_OWNER) && stored.label("name").is_some();
        if !is_store || !is_release {
            return;
        }
        let key = &stored.key;
        let release = match stored.text("/data/release").map(helm_release::decode) {
            Some(Ok(release)) => release,
            Some(Err(error)) => return self.unread(format!("{key}: {error}")),
            None => return self.unread(format!("{key} holds no release")),
        };
        if let Some(problem) = release.diagnostics.first() {
            let place = &problem.place;
            self.unread(format!(
                "{key}: not all of its manifests can be read: {place}"
            ));
        }
        let revision = format!("revision {} of {}", release.version, release.name);
        let evidence = |of: String| {
            stored.evidence(FieldPath::new("data.release"), format!("{revision}, {of}"))
        };
        let settings = self.settings(world, &read.name);
        let objects = release.objects.iter().chain(&release.hooks);
        for need in self.needs.revision(objects, settings, &evidence) {
            self.unread(format!("{key}: {need}"));
        }
    }

    fn unread(&mut self, what: String) {
        self.doubts.push(Doubt::unread(what));
    }
}

/// Files of a revision are called as git calls them.
fn relabel(root: &mut Root, from: &str, to: &str) {
    if let Some(place) = &root.evidence.place {
        root.evidence.place = Some(Place {
            file: place.file.replace(from, to).into(),
            ..place.clone()
        });
    }
    let object = &mut root.evidence.object;
    object.name = object.name.replace(from, to);
}
