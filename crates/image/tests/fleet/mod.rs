//! Random fleets, and a naive oracle of what is needed in them: it goes round and round until
//! nothing changes, on the description that the registry was made from, and shares no code with the
//! plan.

use std::collections::BTreeSet;

use proptest::prelude::*;
use underpin_image::{
    Deletion, Digest, Glob, Host, ImagePolicy, ManifestKind, Order, Pin, PinTarget, Reading,
    Registry, Repository, RepositoryPath, Root, RootKind, Settings, Tag, Target,
};

use crate::support::{HOST, descriptor, digest, manifest, root};

/// The tags that fleets use; the last three are moved.
pub(crate) const TAGS: &[&str] = &[
    "0.1.0",
    "0.1.1",
    "0.1.2",
    "0.1.10",
    "1.0.0",
    "1.2.3-rc.1",
    "staging",
    "production",
    "latest",
];
const FIRST_MUTABLE: usize = 6;
/// The manifest that nobody asks for unless it is listed.
const UNASKED: usize = 9;

/// A manifest: what it holds and says something of are earlier ones.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) children: Vec<usize>,
    pub(crate) subject: Option<usize>,
    /// It says something of what nobody asked for.
    pub(crate) open: bool,
    pub(crate) unread: bool,
    /// Since when it has been there: the first run, or the day before the last.
    pub(crate) is_late: bool,
}

/// A repository.
#[derive(Clone, Debug)]
pub(crate) struct RepositorySpec {
    pub(crate) manifests: Vec<Spec>,
    /// What every tag points to, by its place in [`TAGS`].
    pub(crate) tags: Vec<Option<usize>>,
    /// Manifests that have a tag of the fallback for referrers, and which one that is about.
    pub(crate) fallbacks: Vec<(usize, usize)>,
}

/// A need.
#[derive(Clone, Debug)]
pub(crate) enum Need {
    Tag(usize, usize),
    Digest(usize, usize),
    Both(usize, usize, usize),
    Bare(usize),
    Configuration(usize),
    /// The last of the tags that begin so, by the alphabet.
    Policy(usize, usize),
    Pin(usize, usize),
    PinnedPattern(usize),
    Foreign(usize),
}

/// What policies and patterns select by.
const BEGINNINGS: &[&str] = &["0.", "1.", "s", "l", "x"];

/// A fleet: repositories and who needs what of them.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) repositories: Vec<RepositorySpec>,
    pub(crate) needs: Vec<Need>,
    /// Needs that come only after the second run.
    pub(crate) later: Vec<Need>,
    /// Needs that end then.
    pub(crate) ended: Vec<Need>,
    /// A tag that somebody sets then: repository, tag, manifest.
    pub(crate) promoted: Option<(usize, usize, usize)>,
    pub(crate) digests_only: bool,
}

prop_compose! {
    fn spec()(
        children in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        is_index in proptest::bool::weighted(0.3),
        subject in proptest::option::weighted(0.25, any::<prop::sample::Index>()),
        open in proptest::bool::weighted(0.03),
        unread in proptest::bool::weighted(0.01),
        is_late in proptest::bool::weighted(0.1),
    ) -> (Vec<prop::sample::Index>, Option<prop::sample::Index>, [bool; 3]) {
        (if is_index { children } else { Vec::new() }, subject, [open, unread, is_late])
    }
}

prop_compose! {
    fn repository()(
        specs in proptest::collection::vec(spec(), 1..10),
        tags in proptest::collection::vec(
            proptest::option::weighted(0.6, any::<prop::sample::Index>()), TAGS.len()),
        fallbacks in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..2),
    ) -> RepositorySpec {
        let count = specs.len();
        let manifests = specs.into_iter().enumerate().map(|(at, (children, subject, flags))| {
            let earlier = |index: prop::sample::Index| (at > 0).then(|| index.index(at.max(1)));
            let [open, unread, is_late] = flags;
            Spec {
                children: children.into_iter().filter_map(earlier).collect(),
                subject: subject.and_then(earlier),
                open, unread, is_late,
            }
        });
        // What says something of another by its tag is the later one: nothing can be a loop.
        let fallbacks = fallbacks.into_iter().filter_map(|(one, other)| {
            let (one, other) = (one.index(count), other.index(count));
            (one != other).then(|| (one.max(other), one.min(other)))
        });
        RepositorySpec {
            manifests: manifests.collect(),
            tags: tags.into_iter().map(|tag| tag.map(|index| index.index(count))).collect(),
            fallbacks: fallbacks.collect(),
        }
    }
}

fn need() -> impl Strategy<Value = Need> {
    let (repository, tag, manifest) = (0..3_usize, 0..TAGS.len(), 0..10_usize);
    prop_oneof![
        4 => (repository.clone(), tag.clone()).prop_map(|(r, t)| Need::Tag(r, t)),
        4 => (repository.clone(), manifest.clone()).prop_map(|(r, m)| Need::Digest(r, m)),
        1 => (repository.clone(), tag.clone(), manifest.clone())
            .prop_map(|(r, t, m)| Need::Both(r, t, m)),
        1 => manifest.clone().prop_map(Need::Bare),
        1 => manifest.prop_map(Need::Configuration),
        2 => (repository.clone(), 0..BEGINNINGS.len()).prop_map(|(r, b)| Need::Policy(r, b)),
        1 => (repository, tag.clone()).prop_map(|(r, t)| Need::Pin(r, t)),
        1 => (0..BEGINNINGS.len()).prop_map(Need::PinnedPattern),
        1 => tag.prop_map(Need::Foreign),
    ]
}

prop_compose! {
    pub(crate) fn fleets()(
        repositories in proptest::collection::vec(repository(), 1..3),
        needs in proptest::collection::vec(need(), 0..5),
        later in proptest::collection::vec(need(), 0..2),
        ended in proptest::collection::vec(need(), 0..2),
        promoted in proptest::option::weighted(0.3, (0..2_usize, 0..TAGS.len(), 0..10_usize)),
        digests_only in any::<bool>(),
    ) -> Fleet {
        Fleet { repositories, needs, later, ended, promoted, digests_only }
    }
}

/// When something is asked: the first two runs, or the last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Before,
    After,
}

pub(crate) fn path(repository: usize) -> RepositoryPath {
    RepositoryPath::new(&format!("team/r{repository}")).unwrap()
}

/// The same names in every repository, so that bare digests are found in several.
pub(crate) fn name(manifest: usize) -> String {
    format!("m{manifest}")
}

impl Fleet {
    pub(crate) fn needs(&self, stage: Stage) -> Vec<&Need> {
        let other = match stage {
            Stage::Before => &self.ended,
            Stage::After => &self.later,
        };
        self.needs.iter().chain(other).collect()
    }

    /// What a tag points to.
    pub(crate) fn points(&self, repository: usize, tag: usize, stage: Stage) -> Option<usize> {
        if let Some((of, promoted, to)) = self.promoted {
            let is_there = to
                < self.repositories[of.min(self.repositories.len() - 1)]
                    .manifests
                    .len();
            if stage == Stage::After && (of, promoted) == (repository, tag) && is_there {
                return Some(to);
            }
        }
        self.repositories[repository].tags[tag]
    }

    pub(crate) fn settings() -> Settings {
        let mut settings = Settings {
            minimum_kept: 0,
            maximum_share: 100,
            maximum_number: 10_000,
            ..Settings::default()
        };
        settings.consents.fewest_roots = Some(0);
        settings
    }

    pub(crate) fn registry(&self, stage: Stage) -> Registry {
        let deletion = if self.digests_only {
            Deletion::DigestsWithTags
        } else {
            Deletion::TagsAlone
        };
        let mut registry = Registry::new(Host::new(HOST).unwrap(), deletion);
        for (at, spec) in self.repositories.iter().enumerate() {
            let mut read = Repository::default();
            for (number, one) in spec.manifests.iter().enumerate() {
                if one.is_late && stage == Stage::Before {
                    continue;
                }
                let mut made = manifest(if one.children.is_empty() {
                    ManifestKind::Image
                } else {
                    ManifestKind::Index
                });
                let there = |other: &usize| {
                    let late = spec.manifests[*other].is_late;
                    descriptor(&if late && stage == Stage::Before {
                        format!("gone{other}")
                    } else {
                        name(*other)
                    })
                };
                made.children = one.children.iter().map(there).collect();
                made.subject = one.subject.map(|subject| there(&subject).digest);
                if one.open {
                    made.subject = Some(digest("unasked"));
                }
                made.config = Some(descriptor(&format!("c{number}")));
                let reading = if one.unread {
                    Reading::Unread("too large".to_owned())
                } else {
                    Reading::Present(made)
                };
                read.manifests.insert(digest(&name(number)), reading);
            }
            for number in 0..spec.manifests.len() {
                read.manifests
                    .insert(digest(&format!("gone{number}")), Reading::Absent);
            }
            // Whatever roots name was asked for, but the last.
            for number in 0..UNASKED {
                let asked = read.manifests.entry(digest(&name(number)));
                asked.or_insert(Reading::Absent);
            }
            for (tag, text) in TAGS.iter().enumerate() {
                if let Some(to) = self
                    .points(at, tag, stage)
                    .filter(|to| self.is_there(at, *to, stage))
                {
                    let reading = Reading::Present(digest(&name(to)));
                    read.tags.insert(Tag::new(text).unwrap(), reading);
                }
            }
            for (from, about) in self.fallbacks(at, stage) {
                let tag = format!("sha256-{}", digest(&name(about)).encoded());
                let reading = Reading::Present(digest(&name(from)));
                read.tags.insert(Tag::new(&tag).unwrap(), reading);
            }
            registry.repositories.insert(path(at), read);
        }
        registry
    }

    fn is_there(&self, repository: usize, manifest: usize, stage: Stage) -> bool {
        let spec = &self.repositories[repository].manifests[manifest];
        stage == Stage::After || !spec.is_late
    }

    /// One tag for each manifest that something is about.
    fn fallbacks(&self, repository: usize, stage: Stage) -> Vec<(usize, usize)> {
        let mut seen = BTreeSet::new();
        let all = self.repositories[repository].fallbacks.iter().copied();
        let there = all.filter(|(from, about)| {
            self.is_there(repository, *from, stage) && self.is_there(repository, *about, stage)
        });
        there.filter(|(_, about)| seen.insert(*about)).collect()
    }

    pub(crate) fn roots(&self, stage: Stage) -> Vec<Root> {
        let needs = self.needs(stage);
        needs.into_iter().map(Self::root).collect()
    }

    fn root(need: &Need) -> Root {
        let image = |text: String| Target::Image(text.parse().unwrap());
        let place = |repository: &usize| format!("{HOST}/{}", path(*repository));
        let pin = |repository: Glob, tag: Glob| {
            let text = format!("{repository}=={tag}");
            let place = crate::support::evidence("pins.txt").place.unwrap();
            Target::Pin(Pin {
                text,
                place,
                target: PinTarget::Tags { repository, tag },
            })
        };
        let target = match need {
            Need::Tag(r, t) => image(format!("{}:{}", place(r), TAGS[*t])),
            Need::Digest(r, m) => image(format!("{}@{}", place(r), digest(&name(*m)))),
            Need::Both(r, t, m) => {
                image(format!("{}:{}@{}", place(r), TAGS[*t], digest(&name(*m))))
            }
            Need::Bare(m) => Target::Digest(digest(&name(*m))),
            Need::Configuration(m) => Target::Digest(digest(&format!("c{m}"))),
            Need::Policy(r, b) => {
                let policy = ImagePolicy {
                    order: Order::Alphabetical {
                        order: "asc".to_owned(),
                    },
                    pattern: Some(format!("^{}", BEGINNINGS[*b].replace('.', "\\."))),
                    extract: None,
                    exclusions: None,
                };
                Target::Policy(place(r).parse().unwrap(), policy)
            }
            Need::Pin(r, t) => pin(Glob::new(path(*r).as_str()), Glob::new(TAGS[*t])),
            Need::PinnedPattern(b) => {
                pin(Glob::new("*"), Glob::new(format!("{}*", BEGINNINGS[*b])))
            }
            Need::Foreign(t) => image(format!("ghcr.io/team/r0:{}", TAGS[*t])),
        };
        root(RootKind::Pod, "production", "pod/shop/web", target)
    }

    /// Whether anything names anything of the registry.
    pub(crate) fn names_anything(&self, stage: Stage) -> bool {
        self.needs(stage).into_iter().any(|need| match need {
            Need::Bare(m) | Need::Configuration(m) => {
                (0..self.repositories.len()).any(|r| self.is_read(r, *m, stage))
            }
            Need::Foreign(_) => false,
            _ => true,
        })
    }

    fn is_read(&self, repository: usize, manifest: usize, stage: Stage) -> bool {
        let spec = self.repositories[repository].manifests.get(manifest);
        spec.is_some_and(|spec| !spec.unread) && self.is_there(repository, manifest, stage)
    }

    /// Whether one is about the other, by its field or by a tag.
    fn is_about(&self, repository: usize, one: usize, other: usize, stage: Stage) -> bool {
        let spec = &self.repositories[repository].manifests[one];
        let by_field = !spec.open && spec.subject == Some(other);
        let fallbacks = self.fallbacks(repository, stage);
        one != other && (by_field || fallbacks.contains(&(one, other)))
    }

    fn holds(&self, repository: usize, one: usize, other: usize) -> bool {
        self.repositories[repository].manifests[one]
            .children
            .contains(&other)
    }

    /// What is needed straight by tags and digests, of one repository.
    fn straight(&self, repository: usize, stage: Stage) -> BTreeSet<usize> {
        let mut needed = BTreeSet::new();
        let tagged = |tag: usize| self.points(repository, tag, stage);
        for need in self.needs(stage) {
            match need {
                Need::Tag(r, t) | Need::Pin(r, t) if *r == repository => needed.extend(tagged(*t)),
                Need::Digest(r, m) if *r == repository => {
                    needed.insert(*m);
                }
                Need::Both(r, t, m) if *r == repository => {
                    needed.insert(*m);
                    needed.extend(tagged(*t));
                }
                Need::Bare(m) | Need::Configuration(m) => {
                    needed.insert(*m);
                }
                Need::Policy(r, b) if *r == repository => {
                    let mut last: Option<usize> = None;
                    for (tag, text) in TAGS.iter().enumerate() {
                        let to = tagged(tag).filter(|to| self.is_there(repository, *to, stage));
                        let fits = text.starts_with(BEGINNINGS[*b]) && to.is_some();
                        if fits && last.is_none_or(|last| TAGS[last] < *text) {
                            last = Some(tag);
                        }
                    }
                    needed.extend(self.fallback_first(repository, *b, last, stage));
                }
                Need::PinnedPattern(b) => {
                    for (tag, text) in TAGS.iter().enumerate() {
                        if text.starts_with(BEGINNINGS[*b]) {
                            needed.extend(tagged(tag));
                        }
                    }
                    if BEGINNINGS[*b] == "s" {
                        let fallbacks = self.fallbacks(repository, stage);
                        needed.extend(fallbacks.into_iter().map(|(from, _)| from));
                    }
                }
                _ => {}
            }
        }
        needed
            .into_iter()
            .filter(|m| self.is_read(repository, *m, stage))
            .collect()
    }

    /// Tags of the fallback begin with an `s` too, and stand before `staging`.
    fn fallback_first(
        &self,
        repository: usize,
        beginning: usize,
        last: Option<usize>,
        stage: Stage,
    ) -> Option<usize> {
        if let Some(last) = last {
            return self.points(repository, last, stage);
        }
        if BEGINNINGS[beginning] != "s" {
            return None;
        }
        let fallbacks = self.fallbacks(repository, stage).into_iter();
        let last = fallbacks.max_by_key(|(_, about)| digest(&name(*about)).encoded().to_owned());
        last.map(|(from, _)| from)
    }

    fn has_tag(&self, repository: usize, manifest: usize, stage: Stage) -> bool {
        (0..TAGS.len()).any(|tag| self.points(repository, tag, stage) == Some(manifest))
            || self
                .fallbacks(repository, stage)
                .iter()
                .any(|(from, _)| *from == manifest)
    }

    /// Round and round, until nothing changes.
    fn closed(&self, repository: usize, mut set: BTreeSet<usize>, stage: Stage) -> BTreeSet<usize> {
        loop {
            let mut next = set.clone();
            for other in 0..self.repositories[repository].manifests.len() {
                if !self.is_read(repository, other, stage) {
                    continue;
                }
                let stays = set.iter().any(|one| {
                    self.holds(repository, *one, other)
                        || self.is_about(repository, *one, other, stage)
                        || self.is_about(repository, other, *one, stage)
                });
                if stays {
                    next.insert(other);
                }
            }
            if next == set {
                return set;
            }
            set = next;
        }
    }

    /// Everything that is needed in a repository.
    pub(crate) fn needed(&self, repository: usize, stage: Stage) -> BTreeSet<usize> {
        let all: BTreeSet<usize> = (0..self.repositories[repository].manifests.len())
            .filter(|m| self.is_read(repository, *m, stage))
            .collect();
        let specs = &self.repositories[repository].manifests;
        let mut unread = (0..specs.len()).filter(|m| self.is_there(repository, *m, stage));
        if unread.any(|m| specs[m].unread) {
            return all;
        }
        let is_listed = specs.get(UNASKED).is_some() && self.is_there(repository, UNASKED, stage);
        let asks = |need: &&Need| matches!(need, Need::Digest(r, UNASKED) | Need::Both(r, _, UNASKED) if *r == repository);
        if !is_listed && self.needs(stage).iter().any(asks) {
            return all;
        }
        let straight = self.straight(repository, stage);
        let mut set = straight;
        loop {
            let untagged = set
                .iter()
                .filter(|one| !self.has_tag(repository, **one, stage));
            let above = untagged.flat_map(|child| {
                let holds = |one: &&usize| self.holds(repository, **one, *child);
                all.iter().filter(holds).collect::<Vec<_>>()
            });
            let next: BTreeSet<usize> = set.iter().chain(above).copied().collect();
            if next == set {
                break;
            }
            set = next;
        }
        self.closed(repository, set, stage)
    }

    /// Everything that stays in a repository, but for the pace.
    pub(crate) fn kept(&self, repository: usize, stage: Stage, moved: &[usize]) -> BTreeSet<usize> {
        let mut set = self.needed(repository, stage);
        for (number, spec) in self.repositories[repository].manifests.iter().enumerate() {
            if !self.is_read(repository, number, stage) {
                continue;
            }
            let is_moving = (0..TAGS.len()).any(|tag| {
                (tag >= FIRST_MUTABLE || moved.contains(&tag))
                    && self.points(repository, tag, stage) == Some(number)
            });
            if spec.open || spec.is_late || self.digests_only && is_moving {
                set.insert(number);
            }
        }
        self.closed(repository, set, stage)
    }

    /// Tags that point elsewhere in the last run.
    pub(crate) fn moved(&self, repository: usize) -> Vec<usize> {
        let moved = (0..TAGS.len()).filter(|tag| {
            let before = self.points(repository, *tag, Stage::Before);
            let before = before.filter(|to| self.is_there(repository, *to, Stage::Before));
            let after = self.points(repository, *tag, Stage::After);
            before.is_some() && after.is_some() && before != after
        });
        moved.collect()
    }

    /// What the last run deletes, exactly.
    pub(crate) fn expected(&self, repository: usize) -> BTreeSet<Digest> {
        if !self.names_anything(Stage::After) || !self.names_anything(Stage::Before) {
            return BTreeSet::new();
        }
        let before = self.kept(repository, Stage::Before, &[]);
        let after = self.kept(repository, Stage::After, &self.moved(repository));
        let count = self.repositories[repository].manifests.len();
        let candidates: BTreeSet<usize> = (0..count)
            .filter(|m| self.is_read(repository, *m, Stage::After) && !after.contains(m))
            .collect();
        let has_waited = |m: &usize| {
            let is_promoted = (0..TAGS.len()).any(|tag| {
                self.points(repository, tag, Stage::After) == Some(*m)
                    && self.points(repository, tag, Stage::Before) != Some(*m)
            });
            let fallback = |stage| {
                let all = self.fallbacks(repository, stage).into_iter();
                all.filter(|(from, _)| from == m).collect::<BTreeSet<_>>()
            };
            let gained = fallback(Stage::After)
                .difference(&fallback(Stage::Before))
                .count();
            !before.contains(m)
                && self.is_there(repository, *m, Stage::Before)
                && !is_promoted
                && gained == 0
        };
        // What goes together waits together.
        let goes = candidates.iter().filter(|one| {
            let mut group = BTreeSet::from([**one]);
            loop {
                let around = candidates.iter().filter(|other| {
                    group.iter().any(|inside| {
                        self.holds(repository, *inside, **other)
                            || self.holds(repository, **other, *inside)
                            || self.is_about(repository, *inside, **other, Stage::After)
                            || self.is_about(repository, **other, *inside, Stage::After)
                    })
                });
                let next: BTreeSet<usize> = group.iter().chain(around).copied().collect();
                if next == group {
                    return group.iter().all(has_waited);
                }
                group = next;
            }
        });
        goes.map(|m| digest(&name(*m))).collect()
    }
}
