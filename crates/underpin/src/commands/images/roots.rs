//! From what was read to who needs what.

use std::{collections::BTreeSet, fs, sync::Arc};

use camino::Utf8PathBuf;
use underpin_image::{
    NotRead, Pin, Registry, Root, RootKind, RootSettings, Source, Target, UnknownNeed, file_roots,
    object_roots, read_pins, text_file_roots, text_roots,
};
use underpin_model::{Evidence, FieldPath, GroupKind, Object, ObjectKey, Place, World};
use underpin_refs::{images_in_values, images_of_kustomization};
use underpin_source::{helm_release, yaml::Comment};

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

/// What is known while roots are gathered.
struct Gathering<'g> {
    reads: &'g [Read],
    registry: &'g Registry,
    foreign: &'g BTreeSet<String>,
    roots: Vec<Root>,
    told: BTreeSet<String>,
    sources: Vec<Source>,
}

/// All needs of what was read, in its order.
pub(super) fn gather(reads: &[Read], setting: &Setting, registry: &Registry) -> Gathered {
    let mut gathering = Gathering {
        reads,
        registry,
        foreign: &setting.foreign_needs,
        roots: Vec::new(),
        told: BTreeSet::new(),
        sources: Vec::new(),
    };
    for read in reads {
        gathering.read(read);
    }
    let mut pins = Vec::new();
    for file in &setting.pins {
        pins.extend(gathering.pins(file, &setting.registry));
    }
    Gathered {
        roots: gathering.roots,
        sources: gathering.sources,
        pins,
    }
}

impl Gathering<'_> {
    fn read(&mut self, read: &Read) {
        let mut doubts = read.doubts.clone();
        let mut needs: Vec<UnknownNeed> = Vec::new();
        let begin = self.roots.len();
        for world in &read.worlds {
            for object in world.objects() {
                needs.extend(self.object(object, world, read));
                self.helm_revision(object, world, read, &mut doubts);
            }
        }
        let empty = World::default();
        for object in &read.again {
            let world = read.worlds.first().unwrap_or(&empty);
            needs.extend(self.object(object, world, read));
        }
        for (file, values) in &read.values {
            let named = images_in_values(&FieldPath::root(), values);
            let (roots, more) = file_roots(file.as_str(), named, &read.name);
            self.add(roots);
            needs.extend(more);
        }
        for (file, value) in &read.kustomizations {
            let named = images_of_kustomization(value);
            let (roots, more) = file_roots(file.as_str(), named, &read.name);
            self.add(roots);
            needs.extend(more);
        }
        for file in &read.files {
            let (path, text) = (file.path.as_str(), &file.text);
            self.add(text_file_roots(path, text, self.registry, &read.name));
        }
        for comment in &read.comments {
            if marker::is_marker(comment) {
                self.marker(comment, read, &mut doubts);
            }
        }
        doubts.extend(needs.iter().map(Doubt::need));
        if let Some((from, to)) = &read.relabel {
            for root in &mut self.roots[begin..] {
                relabel(root, from, to);
            }
            for doubt in &mut doubts {
                doubt.relabel(from, to);
            }
        }
        let told = doubts
            .iter()
            .filter_map(|doubt| read.told(doubt, self.foreign));
        let mut unread: Vec<NotRead> = told.collect();
        unread.sort();
        unread.dedup();
        self.sources.push(Source {
            name: Arc::clone(&read.name),
            unread,
        });
    }

    /// What one object needs, by its fields and by any text in it.
    fn object(&mut self, object: &Object, world: &World, read: &Read) -> Vec<UnknownNeed> {
        let settings = self.settings(world, &read.name);
        let (roots, unknown) = object_roots(object, settings);
        let texts = text_roots(object, settings);
        self.add(roots);
        self.add(texts);
        unknown
    }

    fn settings<'s>(&'s self, world: &'s World, source: &'s Arc<str>) -> RootSettings<'s> {
        root_settings(self.registry, world, source)
    }

    /// Notes needs, each once: a field may be met again as a text.
    fn add(&mut self, roots: Vec<Root>) {
        for root in roots {
            let Root {
                source,
                evidence,
                target,
                ..
            } = &root;
            if self.told.insert(format!("{source} {evidence} {target:?}")) {
                self.roots.push(root);
            }
        }
    }

    /// The objects of a revision that Helm keeps to roll back to.
    fn helm_revision(
        &mut self,
        stored: &Object,
        world: &World,
        read: &Read,
        doubts: &mut Vec<Doubt>,
    ) {
        let mut unread = |what: String| doubts.push(Doubt::unread(what));
        let kind = &stored.key.kind;
        let is_store = kind.is("", "Secret") || kind.is("", "ConfigMap");
        let is_release =
            stored.label("owner") == Some(HELM_OWNER) && stored.label("name").is_some();
        if !is_store || !is_release {
            return;
        }
        let Some(data) = stored.text("/data/release") else {
            unread(format!("{} holds no release", stored.key));
            return;
        };
        let release = match helm_release::decode(data) {
            Ok(release) => release,
            Err(error) => {
                unread(format!("{}: {error}", stored.key));
                return;
            }
        };
        if let Some(problem) = release.diagnostics.first() {
            let place = &problem.place;
            unread(format!(
                "{}: not all of its manifests can be read: {place}",
                stored.key
            ));
        }
        let mut roots = Vec::new();
        for object in release.objects.iter().chain(&release.hooks) {
            let settings = self.settings(world, &read.name);
            let (found, unknown) = object_roots(object, settings);
            roots.extend(found);
            roots.extend(text_roots(object, settings));
            for need in unknown {
                unread(format!("{}: {need}", stored.key));
            }
        }
        let revision = format!("revision {} of {}", release.version, release.name);
        for root in &mut roots {
            root.kind = RootKind::HelmRevision;
            let note = format!(
                "{revision}, {} {}",
                root.evidence.object, root.evidence.path
            );
            root.evidence = stored.evidence(FieldPath::new("data.release"), note);
        }
        self.add(roots);
    }

    /// What a policy selects is written where a marker names it. What is not known of the policy, its own
    /// source says.
    fn marker(&mut self, comment: &Comment, read: &Read, doubts: &mut Vec<Doubt>) {
        let worlds = self.reads.iter().flat_map(|read| &read.worlds);
        match marker::marked(comment, worlds, self.registry, &read.name) {
            Ok((roots, _)) => self.add(roots),
            Err(reason) => doubts.push(Doubt::unknown(&comment.place, &reason)),
        }
    }

    /// A pins file. A line that cannot be read may keep anything.
    fn pins(&mut self, file: &Utf8PathBuf, registry: &RegistrySetting) -> Vec<Pin> {
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
        let roots = pins.iter().map(|pin| Root {
            kind: RootKind::Pin,
            source: Arc::clone(&name),
            evidence: Evidence {
                object: ObjectKey::cluster(GroupKind::core("Pin"), &pin.text),
                path: FieldPath::root(),
                place: Some(pin.place.clone()),
                note: String::new(),
            },
            target: Target::Pin(pin.clone()),
        });
        self.add(roots.collect());
        self.sources.push(Source { name, unread });
        pins
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
