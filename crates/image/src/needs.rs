//! What roots mean in a registry: which manifests and tags are needed, and by whom.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use underpin_model::wording::count;

use crate::{
    digest::Digest,
    glob::Glob,
    graph::{Graph, Node},
    pin::{Pin, PinTarget},
    policy::Selection,
    reference::{Host, Location, Reference, RepositoryPath, Tag, is_host},
    registry::{Reading, Registry, Repository},
    root::{Root, Target},
};

/// A root, by its place among all.
pub type RootNumber = usize;

/// Needs in a registry.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// What is needed straight, by repository.
    pub(crate) repositories: BTreeMap<RepositoryPath, RepositoryNeeds>,
    /// Roots that name something of this registry that is not there.
    pub(crate) missing: Vec<Missing>,
    /// Roots that cannot be read, and may name something of this registry.
    pub(crate) unreadable: Vec<RootNumber>,
    /// How many different things roots name in this registry.
    pub(crate) named: usize,
}

/// What is needed straight in one repository.
#[derive(Debug, Default)]
pub(crate) struct RepositoryNeeds {
    /// Manifests, each with who needs it and by what.
    pub(crate) nodes: BTreeMap<Node, BTreeSet<(RootNumber, By)>>,
    /// Why everything has to stay, by the roots that say so.
    pub(crate) whole: BTreeMap<RootNumber, String>,
}

impl RepositoryNeeds {
    /// Why everything has to stay, in one reason: as many roots as may say so, every manifest has
    /// one of them.
    pub(crate) fn whole_reason(&self) -> Option<String> {
        let (_, first) = self.whole.first_key_value()?;
        let more = self.whole.len() - 1;
        Some(match more {
            0 => first.clone(),
            _ => format!("{first}; and {} more", count(more, "more root")),
        })
    }
}

/// By what a manifest is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// A tag that points to it.
    Tag(Tag),
    /// Its digest.
    Digest,
    /// The digest of its configuration, which some runtimes tell instead of its own.
    Configuration,
}

/// What a root names and is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The root.
    pub root: RootNumber,
    /// What is not there.
    pub what: String,
    /// The repository, if that is there.
    pub repository: Option<RepositoryPath>,
    /// The tag that is not there.
    pub tag: Option<Tag>,
}

/// Where digests are, and by what they are meant there.
type Everywhere<'a> = BTreeMap<&'a Digest, Vec<(&'a RepositoryPath, Node, By)>>;

/// Looks roots up in a registry.
pub(crate) struct Resolver<'a> {
    registry: &'a Registry,
    graphs: &'a BTreeMap<&'a RepositoryPath, Graph<'a>>,
    /// Texts that somebody has said to mean nothing of this registry.
    foreign: &'a BTreeSet<String>,
    /// Where every digest is, and the digests of configurations.
    everywhere: OnceCell<Everywhere<'a>>,
    /// The tags that each pattern means: many objects have the same texts.
    tags: RefCell<BTreeMap<(Glob, Glob), FoundTags<'a>>>,
}

/// A tag of a repository.
type FoundTag<'a> = (&'a RepositoryPath, &'a Repository, &'a Tag);
type FoundTags<'a> = Rc<[FoundTag<'a>]>;

impl<'a> Resolver<'a> {
    pub(crate) fn new(
        registry: &'a Registry,
        graphs: &'a BTreeMap<&'a RepositoryPath, Graph<'a>>,
        foreign: &'a BTreeSet<String>,
    ) -> Self {
        Self {
            registry,
            graphs,
            foreign,
            everywhere: OnceCell::new(),
            tags: RefCell::default(),
        }
    }

    /// What all roots need.
    pub(crate) fn needs(&self, roots: &[Root]) -> Needs {
        let mut needs = Needs::default();
        let mut named: BTreeSet<String> = BTreeSet::new();
        for (number, root) in roots.iter().enumerate() {
            match &root.target {
                Target::Image(reference) => {
                    if self.image(&mut needs, number, reference) {
                        named.insert(reference.to_string());
                    }
                }
                Target::Digest(digest) => {
                    if self.bare(&mut needs, number, digest) {
                        named.insert(digest.to_string());
                    }
                }
                Target::Policy(location, policy) => {
                    if self.registry.is_named(&location.host) {
                        let what = format!("{location} {policy:?}");
                        named.insert(what);
                        let select =
                            |repository: &Repository| policy.select(repository.tags.keys());
                        self.selected(&mut needs, number, location, &select);
                    }
                }
                Target::Pattern {
                    host,
                    repository,
                    tag,
                } => {
                    let is_ours = host
                        .as_ref()
                        .is_none_or(|host| self.registry.is_named(host));
                    if is_ours && self.pattern(&mut needs, number, repository, tag) {
                        named.insert(format!("{repository}:{tag}"));
                    }
                }
                Target::Pin(pin) => {
                    named.insert(pin.text.clone());
                    self.pin(&mut needs, number, pin);
                }
                Target::Unreadable { text, .. } => {
                    if !self.foreign.contains(text) && self.may_be_ours(text) {
                        needs.unreadable.push(number);
                    }
                }
            }
        }
        needs.named = named.len();
        // What may be no image at all is not missed.
        needs.missing.retain(|missing| {
            let root = roots.get(missing.root);
            root.is_none_or(|root| root.kind.is_certain())
        });
        needs
    }

    /// Whether the image is one of this registry; what it needs is noted.
    fn image(&self, needs: &mut Needs, number: RootNumber, reference: &Reference) -> bool {
        let Location { host, repository } = &reference.location;
        if !self.registry.is_named(host) {
            return false;
        }
        let Some(read) = self.registry.repositories.get(repository) else {
            needs.missing.push(Missing {
                root: number,
                what: format!("repository {}", reference.location),
                repository: None,
                tag: reference.tag.clone(),
            });
            return true;
        };
        if let Some(digest) = &reference.digest {
            self.digest(needs, number, repository, read, digest);
        }
        // A tag beside a digest is not pulled, but whoever wrote it will look for it.
        let tag = reference.tag.clone().or_else(|| reference.pulled_tag());
        if let Some(tag) = tag {
            self.tag(needs, number, repository, read, &tag);
        }
        true
    }

    fn digest(
        &self,
        needs: &mut Needs,
        number: RootNumber,
        repository: &RepositoryPath,
        read: &Repository,
        digest: &Digest,
    ) {
        if let Some(node) = self.node(repository, digest) {
            needs.need(repository, node, number, By::Digest);
            return;
        }
        match read.manifests.get(digest) {
            Some(Reading::Absent) => needs.missing.push(Missing {
                root: number,
                what: format!("manifest {}@{digest}", self.registry.location(repository)),
                repository: Some(repository.clone()),
                tag: None,
            }),
            // It may hold anything of its repository.
            None => needs.whole(repository, number, || {
                format!("root {number} needs {digest}, which was not asked for")
            }),
            // The whole repository stays then.
            Some(Reading::Present(_) | Reading::Unread(_)) => {}
        }
    }

    fn tag(
        &self,
        needs: &mut Needs,
        number: RootNumber,
        repository: &RepositoryPath,
        read: &Repository,
        tag: &Tag,
    ) {
        let listed = self.registry.listed_tag(read, tag);
        let reading = listed.and_then(|listed| read.tags.get(listed));
        match reading {
            Some(Reading::Present(digest)) => {
                if let Some(node) = self.node(repository, digest) {
                    let by = By::Tag(listed.unwrap_or(tag).clone());
                    needs.need(repository, node, number, by);
                }
            }
            // The whole repository stays then.
            Some(Reading::Unread(_)) => {}
            Some(Reading::Absent) | None => needs.missing.push(Missing {
                root: number,
                what: format!("tag {}:{tag}", self.registry.location(repository)),
                repository: Some(repository.clone()),
                tag: Some(tag.clone()),
            }),
        }
    }

    /// A digest without a repository is needed wherever it is.
    fn bare(&self, needs: &mut Needs, number: RootNumber, digest: &Digest) -> bool {
        let places = self.everywhere().get(digest).map_or(&[][..], Vec::as_slice);
        for (repository, node, by) in places {
            needs.need(repository, *node, number, by.clone());
        }
        !places.is_empty()
    }

    fn everywhere(&self) -> &Everywhere<'a> {
        self.everywhere.get_or_init(|| {
            let mut all = Everywhere::new();
            for (repository, graph) in self.graphs {
                for node in 0..graph.len() {
                    let at = all.entry(graph.digest(node)).or_default();
                    at.push((*repository, node, By::Digest));
                    if let Some(config) = &graph.manifest(node).config {
                        let at = all.entry(&config.digest).or_default();
                        at.push((*repository, node, By::Configuration));
                    }
                }
            }
            all
        })
    }

    fn selected(
        &self,
        needs: &mut Needs,
        number: RootNumber,
        location: &Location,
        select: &dyn Fn(&Repository) -> Selection,
    ) {
        let repository = &location.repository;
        let missing = |what: String| Missing {
            root: number,
            what,
            repository: None,
            tag: None,
        };
        let Some(read) = self.registry.repositories.get(repository) else {
            let what = format!("repository {location}");
            needs.missing.push(missing(what));
            return;
        };
        match select(read) {
            Selection::Selected(tags) => {
                for tag in &tags {
                    self.tag(needs, number, repository, read, tag);
                }
            }
            Selection::Nothing => {
                let what = format!("a tag of {location} that the policy selects");
                needs.missing.push(Missing {
                    repository: Some(repository.clone()),
                    ..missing(what)
                });
            }
            Selection::Unknown { reason, .. } => {
                needs.whole(repository, number, || {
                    format!("what an image policy selects is not known: {reason}")
                });
            }
        }
    }

    fn pin(&self, needs: &mut Needs, number: RootNumber, pin: &Pin) {
        let is_there = match &pin.target {
            PinTarget::Tags { repository, tag } => self.pinned_tags(needs, number, repository, tag),
            PinTarget::Digest { repository, digest } => {
                let mut is_there = false;
                for (path, read) in self.matching(repository) {
                    match (self.node(path, digest), read.manifests.get(digest)) {
                        (Some(node), _) => needs.need(path, node, number, By::Digest),
                        (None, Some(Reading::Absent)) => continue,
                        (None, None) => needs.whole(path, number, || {
                            format!("root {number} pins {digest}, which was not asked for")
                        }),
                        // The whole repository stays then.
                        (None, Some(_)) => {}
                    }
                    is_there = true;
                }
                is_there
            }
            PinTarget::Package {
                kind,
                name,
                version,
            } => self.registry.packages.iter().any(|package| {
                package.kind == *kind
                    && name.matches(&package.name)
                    && version.matches(&package.version)
            }),
        };
        if !is_there {
            needs.missing.push(Missing {
                root: number,
                what: format!("what the pin {} keeps", pin.text),
                repository: None,
                tag: None,
            });
        }
    }

    /// Whether there is anything that a pattern means.
    fn pattern(
        &self,
        needs: &mut Needs,
        number: RootNumber,
        repository: &Glob,
        tag: &Glob,
    ) -> bool {
        if tag.as_str() != "*" {
            return self.pinned_tags(needs, number, repository, tag);
        }
        let mut is_there = false;
        for (path, _) in self.matching(repository) {
            needs.whole(path, number, || {
                format!("root {number} names {repository}, and no more of it is known")
            });
            is_there = true;
        }
        is_there
    }

    /// Whether there is any tag that a pin keeps.
    fn pinned_tags(
        &self,
        needs: &mut Needs,
        number: RootNumber,
        repository: &Glob,
        tag: &Glob,
    ) -> bool {
        let found = self.tags(repository, tag);
        for (path, read, listed) in &*found {
            self.tag(needs, number, path, read, listed);
        }
        !found.is_empty()
    }

    /// The tags that a pattern means, looked for once.
    fn tags(&self, repository: &Glob, tag: &Glob) -> FoundTags<'a> {
        let key = (repository.clone(), tag.clone());
        if let Some(found) = self.tags.borrow().get(&key) {
            return Rc::clone(found);
        }
        let found = self.matching(repository).flat_map(|(path, read)| {
            let listed = read.tags.keys().map(move |listed| (path, read, listed));
            listed.filter(|(_, _, listed)| self.registry.tag_matches(tag, listed))
        });
        let found: FoundTags<'a> = found.collect();
        self.tags.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// The repositories that a pattern means: one that is there, or all that match.
    fn matching(
        &self,
        pattern: &Glob,
    ) -> impl Iterator<Item = (&'a RepositoryPath, &'a Repository)> {
        let all = &self.registry.repositories;
        let path = pattern.literal().map(RepositoryPath::new);
        let (one, pattern) = match path {
            Some(path) => (path.ok().and_then(|path| all.get_key_value(&path)), None),
            None => (None, Some(pattern.clone())),
        };
        let matching = pattern.into_iter().flat_map(move |pattern| {
            all.iter()
                .filter(move |(path, _)| pattern.matches(path.as_str()))
        });
        one.into_iter().chain(matching)
    }

    fn node(&self, repository: &RepositoryPath, digest: &Digest) -> Option<Node> {
        self.graphs.get(repository)?.node(digest)
    }

    /// Whether a text that is no reference may stand for something of this registry. It does not
    /// where it begins with the host of another one.
    fn may_be_ours(&self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        let first = lower.split_once('/').map(|(first, _)| first);
        let host = first.filter(|first| is_host(first)).map(Host::new);
        if let Some(Ok(host)) = host {
            return self.registry.is_named(&host);
        }
        let is_open = text.contains(['$', '{', '}', '<', '>', '%']);
        let mut hosts = self.registry.hosts();
        let mut repositories = self.registry.repositories.keys();
        is_open
            || hosts.any(|host| lower.contains(host.as_str()))
            || repositories.any(|path| lower.contains(path.last_part()))
    }
}

impl Needs {
    /// Everything of a repository has to stay.
    fn whole(
        &mut self,
        repository: &RepositoryPath,
        root: RootNumber,
        reason: impl FnOnce() -> String,
    ) {
        let of = match self.repositories.get_mut(repository) {
            Some(of) => of,
            None => self.repositories.entry(repository.clone()).or_default(),
        };
        of.whole.entry(root).or_insert_with(reason);
    }

    fn need(&mut self, repository: &RepositoryPath, node: Node, root: RootNumber, by: By) {
        let of = match self.repositories.get_mut(repository) {
            Some(of) => of,
            None => self.repositories.entry(repository.clone()).or_default(),
        };
        of.nodes.entry(node).or_default().insert((root, by));
    }
}
