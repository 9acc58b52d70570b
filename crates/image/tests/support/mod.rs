//! Registries, roots and runs from a script; see `plans.rs` for its words.
#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests: what is wrong fails them"
)]

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use underpin_image::{
    Deletion, Descriptor, Digest, Host, ImagePolicy, Manifest, ManifestKind, NotRead, Order,
    Package, Pin, PinSettings, Plan, PlanInput, Reading, Registry, Repository, RepositoryPath,
    Root, RootKind, RunRecord, Settings, Source, Tag, Target, UnknownNeed, UnreadPart, plan,
    read_pins,
};
use underpin_model::{Evidence, FieldPath, GroupKind, ObjectKey, Place};

pub(crate) const HOST: &str = "registry.example.com";

/// The digest of what a script calls `name`.
pub(crate) fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// Bytes of a manifest that does not matter otherwise.
pub(crate) fn manifest(kind: ManifestKind) -> Manifest {
    Manifest {
        kind,
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: 100,
        children: Vec::new(),
        config: None,
        layers: Vec::new(),
        subject: None,
    }
}

pub(crate) fn descriptor(name: &str) -> Descriptor {
    Descriptor {
        digest: digest(name),
        size: Some(1000),
        platform: None,
    }
}

/// The evidence of an object `kind/namespace/name`, or of a line.
pub(crate) fn evidence(object: &str) -> Evidence {
    let parts: Vec<&str> = object.splitn(3, '/').collect();
    let (object, place) = if let [kind, namespace, name] = parts[..] {
        let key = ObjectKey::namespaced(GroupKind::core(kind), namespace, name);
        (key, None)
    } else {
        let place = Place {
            file: object.into(),
            line: 1,
            column: 1,
        };
        let key = ObjectKey::cluster(GroupKind::core("Line"), object);
        (key, Some(place))
    };
    Evidence {
        object,
        path: FieldPath::new("spec.image"),
        place,
        note: String::new(),
    }
}

pub(crate) fn root(kind: RootKind, source: &str, object: &str, target: Target) -> Root {
    Root {
        kind,
        source: source.into(),
        evidence: evidence(object),
        target,
    }
}

/// The pins that the running cleaner reads.
pub(crate) enum Running {
    /// Those that are declared.
    Declared,
    /// These.
    Pins(Vec<Pin>),
    /// They could not be read.
    Unread,
    /// There is no cleaner.
    NoCleaner,
}

/// A world that a script describes.
pub(crate) struct Scene {
    pub(crate) registry: Registry,
    pub(crate) sources: Vec<Source>,
    pub(crate) roots: Vec<Root>,
    pub(crate) records: Vec<RunRecord>,
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
    pub(crate) plan: Option<Plan>,
    pub(crate) names: BTreeMap<Digest, String>,
    pub(crate) running: Running,
    pub(crate) unknown: Vec<UnknownNeed>,
    repository: Option<RepositoryPath>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let host = Host::new(HOST).unwrap();
        Self {
            registry: Registry::new(host, Deletion::TagsAlone),
            sources: vec![Source {
                name: "production".into(),
                unread: Vec::new(),
            }],
            roots: Vec::new(),
            records: Vec::new(),
            settings: Settings {
                minimum_kept: 0,
                maximum_share: 100,
                ..Settings::default()
            },
            now: Timestamp::UNIX_EPOCH,
            plan: None,
            names: BTreeMap::new(),
            running: Running::Declared,
            unknown: Vec::new(),
            repository: None,
        }
    }

    pub(crate) fn input(&self) -> PlanInput<'_> {
        PlanInput {
            registry: &self.registry,
            sources: &self.sources,
            roots: &self.roots,
            records: &self.records,
            settings: &self.settings,
            now: self.now,
        }
    }

    pub(crate) fn run(&mut self) -> Plan {
        let made = plan(&self.input());
        assert_eq!(made, plan(&self.input()), "the same twice");
        self.records.push(made.record.clone());
        self.plan = Some(made.clone());
        made
    }

    /// The repository that is described.
    pub(crate) fn path(&self) -> RepositoryPath {
        self.repository.clone().expect("a repository first")
    }

    pub(crate) fn current(&mut self) -> &mut Repository {
        let path = self.path();
        self.registry.repositories.entry(path).or_default()
    }

    /// `{name}` is the digest of that name, `{name:hex}` its hash.
    pub(crate) fn filled(text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').expect("a closing brace");
            filled.push_str(before);
            match name.strip_suffix(":hex") {
                Some(name) => filled.push_str(digest(name).encoded()),
                None => filled.push_str(digest(name).as_str()),
            }
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    pub(crate) fn day(text: &str) -> Timestamp {
        let text = if text.contains('T') {
            text.to_owned()
        } else {
            format!("{text}T00:00:00Z")
        };
        text.parse().expect("a day")
    }

    /// Carries out one line that describes something.
    pub(crate) fn describe(&mut self, line: &str) {
        let filled = Self::filled(line);
        let words: Vec<&str> = filled.split_whitespace().collect();
        match words[..] {
            ["deletes", "digests"] => self.registry.deletion = Deletion::DigestsWithTags,
            ["folds", "case"] => self.registry.folds_case = true,
            ["alias", host] => self.registry.aliases.push(Host::new(host).unwrap()),
            ["set", key, value] => self.set(key, value),
            ["repository", path] => {
                self.repository = Some(RepositoryPath::new(path).unwrap());
                self.current();
            }
            ["image" | "index" | "legacy", name, ref rest @ ..] => self.add(words[0], name, rest),
            ["tag", tag, "->", name] => {
                let tag = Tag::new(tag).unwrap();
                self.current()
                    .tags
                    .insert(tag, Reading::Present(digest(name)));
            }
            ["tag", tag, "unread", ..] => {
                let tag = Tag::new(tag).unwrap();
                let reading = Reading::Unread("the registry answered 500".to_owned());
                self.current().tags.insert(tag, reading);
            }
            ["untag", tag] => {
                self.current().tags.remove(&Tag::new(tag).unwrap());
            }
            ["unread", name] => {
                let reading = Reading::Unread("it has 9000000 bytes".to_owned());
                self.current().manifests.insert(digest(name), reading);
            }
            ["absent", name] => {
                self.current()
                    .manifests
                    .insert(digest(name), Reading::Absent);
            }
            ["gone", name] => {
                self.current().manifests.remove(&digest(name));
            }
            ["blob", name] => {
                self.current()
                    .blobs
                    .insert(digest(name), Reading::Present(()));
            }
            ["blob", name, "absent"] => {
                self.current().blobs.insert(digest(name), Reading::Absent);
            }
            ["pushed", name, day] => {
                self.current().pushed.insert(digest(name), Self::day(day));
            }
            ["package", kind, name, version] => {
                self.registry.packages.insert(Package {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    version: version.to_owned(),
                });
            }
            ["page", ..] => self.registry.unread.push(UnreadPart {
                what: filled["page ".len()..].to_owned(),
                reason: "the registry answered 500".to_owned(),
            }),
            ["source", name, ref unread @ ..] => {
                let unread = (!unread.is_empty()).then(|| unread.join(" "));
                self.sources.retain(|source| *source.name != *name);
                self.sources.push(Source {
                    name: name.into(),
                    unread: unread.into_iter().map(NotRead::from).collect(),
                });
            }
            ["no", "source", name] => self.sources.retain(|source| *source.name != *name),
            ["no", "roots"] => self.roots.clear(),
            ["no", "pages"] => self.registry.unread.clear(),
            ["root", kind, object, ref rest @ ..] => self.root(kind, object, rest),
            ["pin", ..] => {
                for pin in Self::pins(&filled["pin ".len()..]) {
                    let target = Target::Pin(pin);
                    self.roots
                        .push(root(RootKind::Pin, "pins.txt", "pins.txt", target));
                }
            }
            ["running", "declared"] => self.running = Running::Declared,
            ["running", "nothing"] => self.running = Running::Pins(Vec::new()),
            ["running", "unread"] => self.running = Running::Unread,
            ["running", "none"] => self.running = Running::NoCleaner,
            ["running", pin] => self.running = Running::Pins(Self::pins(pin)),
            ["unknown", object, ref reason @ ..] => {
                let need = UnknownNeed::new(evidence(object), reason.join(" "));
                self.unknown.push(need);
            }
            ["known"] => self.unknown.clear(),
            ["no", "root", object] => self
                .roots
                .retain(|root| root.evidence.object != evidence(object).object),
            _ => panic!("what is `{line}`?"),
        }
    }

    fn add(&mut self, kind: &str, name: &str, rest: &[&str]) {
        let mut made = manifest(match kind {
            "index" => ManifestKind::Index,
            "legacy" => ManifestKind::Legacy,
            _ => ManifestKind::Image,
        });
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let value = words.next().expect("a value");
            match *word {
                "holds" => made.children = value.split(',').map(descriptor).collect(),
                "of" => made.subject = Some(digest(value)),
                "config" => made.config = Some(descriptor(value)),
                "layers" => made.layers = value.split(',').map(descriptor).collect(),
                "tags" => {
                    for tag in value.split(',') {
                        let tag = Tag::new(tag).unwrap();
                        let points = Reading::Present(digest(name));
                        self.current().tags.insert(tag, points);
                    }
                }
                _ => panic!("what is `{word}`?"),
            }
        }
        self.names.insert(digest(name), name.to_owned());
        self.current()
            .manifests
            .insert(digest(name), Reading::Present(made));
    }

    fn root(&mut self, kind: &str, object: &str, rest: &[&str]) {
        let kind = match kind {
            "pod" => RootKind::Pod,
            "workload" => RootKind::Workload,
            "rollback" => RootKind::Rollback,
            "suspended" => RootKind::SuspendedHelmRelease,
            "helm" => RootKind::HelmRevision,
            "declared" => RootKind::Declared,
            "policy" => RootKind::Policy,
            _ => panic!("what is a root `{kind}`?"),
        };
        let source: Arc<str> = "production".into();
        let made = match rest {
            ["selects", location, order, pattern @ ..] => {
                let policy = ImagePolicy {
                    order: match order.split_once('=').unwrap() {
                        ("semver", range) => Order::Semver {
                            range: range.to_owned(),
                        },
                        ("numerical", order) => Order::Numerical {
                            order: order.to_owned(),
                        },
                        (_, order) => Order::Alphabetical {
                            order: order.to_owned(),
                        },
                    },
                    pattern: pattern.first().map(|one| (*one).to_owned()),
                    extract: pattern.get(1).map(|one| (*one).to_owned()),
                    exclusions: None,
                };
                let target = Target::Policy(location.parse().unwrap(), policy);
                root(kind, &source, object, target)
            }
            [word @ ("matches" | "names"), repository, tag] => {
                let target = Target::Pattern {
                    host: (*word == "names").then(|| Host::new(HOST).unwrap()),
                    repository: underpin_image::Glob::new(*repository),
                    tag: underpin_image::Glob::new(*tag),
                };
                root(kind, &source, object, target)
            }
            [text] => match text.parse() {
                Ok(digest) => root(kind, &source, object, Target::Digest(digest)),
                Err(_) => Root::image(kind, source, evidence(object), text),
            },
            _ => panic!("what is needed by {object}?"),
        };
        self.roots.push(made);
    }

    fn pins(text: &str) -> Vec<Pin> {
        let host = Host::new(HOST).unwrap();
        let settings = PinSettings {
            host: &host,
            aliases: &[],
            owner: Some("kotkan"),
        };
        let (pins, errors) = read_pins("pins.txt", text, &settings);
        assert_eq!(errors, Vec::new());
        pins
    }

    fn set(&mut self, key: &str, value: &str) {
        let settings = &mut self.settings;
        let number = || value.parse().expect("a number");
        match key {
            "minimum-kept" => settings.minimum_kept = number(),
            "maximum-share" => settings.maximum_share = number(),
            "maximum-number" => settings.maximum_number = number(),
            "immutable" => settings
                .immutable_tags
                .push(underpin_image::Glob::new(value)),
            "mutable" => settings.mutable_tags.push(underpin_image::Glob::new(value)),
            "fewest-roots" => settings.consents.fewest_roots = Some(number()),
            "source-gone" => {
                settings.consents.sources_gone.insert(value.to_owned());
            }
            "foreign" => {
                settings.consents.foreign_texts.insert(value.to_owned());
            }
            _ => panic!("what is `{key}`?"),
        }
    }

    /// What a digest is called.
    pub(crate) fn name(&self, digest: &Digest) -> String {
        let name = self.names.get(digest);
        name.cloned().unwrap_or_else(|| digest.to_string())
    }

    /// A text with names instead of digests.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (digest, name) in &self.names {
            text = text.replace(digest.as_str(), &format!("{{{name}}}"));
        }
        text
    }
}
