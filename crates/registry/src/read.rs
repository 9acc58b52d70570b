//! A registry, read: what it holds, and what could not be read of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use tokio::task::JoinSet;
use underpin_image::{
    Deletion, Digest, Reading, Registry, Repository, RepositoryPath, Tag, UnreadPart,
};

use crate::{
    cache::ManifestCache,
    client::Client,
    gitea::{Packages, Rows},
};

/// How many requests are under way at once. More do not make a registry faster.
pub(crate) const CONCURRENCY: usize = 8;
/// Most manifests that are read, and most tags.
const MANIFESTS: usize = 2_000_000;
/// Most bytes of manifests that are read: what they say is kept in memory.
const BYTES: u64 = 1024 * 1024 * 1024;
/// How many repositories are listed before what there is of them is counted.
const AT_ONCE: usize = 64;

/// Which repositories are read.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All that the registry lists.
    All,
    /// Those that it lists which are one of these, or below one: `team` means `team/web`, and not
    /// `teams/web`.
    Prefixes(Vec<String>),
    /// These; one that is not there is left out.
    These(BTreeSet<RepositoryPath>),
}

/// What a registry is besides a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// It is asked.
    Detect,
    /// The API of registries alone.
    Distribution,
    /// Gitea or Forgejo.
    Gitea,
}

/// What is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Which repositories.
    pub scope: Scope,
    /// Digests to ask for besides what lists name: what roots need, and what earlier runs knew. What
    /// has no tag is in no list.
    pub known: BTreeMap<RepositoryPath, BTreeSet<Digest>>,
    /// What the registry is.
    pub api: Api,
    /// Whose packages are read, where it is a Gitea or Forgejo. Without any, only its images are.
    pub owners: BTreeSet<String>,
    /// What deleting takes away, as a probe has found it; of what is not known, the more is believed.
    pub deletion: Option<Deletion>,
    /// Whether the registry is asked what refers to each manifest, where it keeps such lists. What
    /// refers by a tag is found in any case.
    pub referrers: bool,
    /// Manifests that were read before.
    pub cache: Option<ManifestCache>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            scope: Scope::All,
            known: BTreeMap::new(),
            api: Api::Detect,
            owners: BTreeSet::new(),
            deletion: None,
            referrers: true,
            cache: None,
        }
    }
}

/// Reads a registry. Sends nothing but reads. Never fails: what could not be read is in the result, in
/// its place.
pub async fn read(client: &Client, options: &ReadOptions) -> Registry {
    let deletion = options.deletion.unwrap_or(Deletion::DigestsWithTags);
    let mut registry = Registry::new(client.host().clone(), deletion);
    let is_gitea = match options.api {
        Api::Distribution => Ok(false),
        Api::Gitea => Ok(true),
        Api::Detect => client.is_gitea().await,
    };
    let mut packages = Packages::default();
    match is_gitea {
        Ok(false) => {}
        Ok(true) => {
            registry.deletion = Deletion::TagsAlone;
            registry.folds_case = true;
            packages = client.packages(&options.owners).await;
        }
        Err(reason) => registry.unread.push(UnreadPart {
            what: "whether it is a Gitea".to_owned(),
            reason,
        }),
    }
    registry.packages = std::mem::take(&mut packages.others);
    registry.unread.append(&mut packages.unread);
    let rows = packages.images;
    let paths = repositories(client, options, &rows, &mut registry).await;
    read_tags(client, &paths, &rows, &mut registry).await;
    let mut reader = Reader {
        client,
        cache: options.cache.as_ref(),
        registry: &mut registry,
        asked: BTreeSet::new(),
        todo: BTreeSet::new(),
        bytes: 0,
    };
    reader.ask_for_what_is_known(options, &rows);
    reader.read_all().await;
    if options.referrers {
        reader.read_referrers().await;
    }
    note_pushes(&rows, &mut registry);
    registry.repositories.retain(|path, repository| {
        let is_listed = !matches!(options.scope, Scope::These(_)) && paths.contains(path);
        is_listed || holds_anything(repository)
    });
    registry.unread.sort();
    registry.unread.dedup();
    registry
}

/// Reads whether blobs are there, into a registry that was read before.
pub async fn read_blobs(
    client: &Client,
    registry: &mut Registry,
    blobs: &BTreeSet<(RepositoryPath, Digest)>,
) {
    let done = each(blobs.iter().cloned(), |(path, digest)| {
        let client = client.clone();
        async move {
            let reading = client.blob(&path, &digest).await;
            (path, digest, reading)
        }
    });
    for (path, digest, reading) in done.await {
        let repository = registry.repositories.entry(path).or_default();
        repository.blobs.insert(digest, reading);
    }
}

fn holds_anything(repository: &Repository) -> bool {
    let is_there = |reading: &Reading<_>| !matches!(reading, Reading::Absent);
    !repository.tags.is_empty() || repository.manifests.values().any(is_there)
}

async fn repositories(
    client: &Client,
    options: &ReadOptions,
    rows: &BTreeMap<RepositoryPath, Rows>,
    registry: &mut Registry,
) -> BTreeSet<RepositoryPath> {
    let mut paths = match &options.scope {
        Scope::These(paths) => return paths.clone(),
        // The rows of owners are all that they have.
        _ if !options.owners.is_empty() && registry.folds_case => rows.keys().cloned().collect(),
        _ => {
            let listed = client.repositories().await;
            registry.unread.extend(listed.unread);
            if listed.is_absent {
                registry.unread.push(UnreadPart {
                    what: "the repositories".to_owned(),
                    reason: "the registry keeps no list of them: name those to look at".to_owned(),
                });
            }
            listed.entries
        }
    };
    if let Scope::Prefixes(prefixes) = &options.scope {
        paths.retain(|path| prefixes.iter().any(|prefix| path.is_below(prefix)));
    }
    paths
}

/// Tags of all repositories, and what they point to.
async fn read_tags(
    client: &Client,
    paths: &BTreeSet<RepositoryPath>,
    rows: &BTreeMap<RepositoryPath, Rows>,
    registry: &mut Registry,
) {
    let mut tags: BTreeSet<(RepositoryPath, Tag)> = BTreeSet::new();
    let all: Vec<RepositoryPath> = paths.iter().cloned().collect();
    for some in all.chunks(AT_ONCE) {
        let listed = each(some.to_vec(), |path| {
            let client = client.clone();
            async move {
                let listed = client.tags(&path).await;
                (path, listed)
            }
        });
        for (path, listed) in listed.await {
            registry.unread.extend(listed.unread);
            tags.extend(listed.entries.into_iter().map(|tag| (path.clone(), tag)));
            for tag in rows.get(&path).into_iter().flat_map(|it| it.tags.keys()) {
                tags.insert((path.clone(), tag.clone()));
            }
            registry.repositories.entry(path).or_default();
        }
        if tags.len() > MANIFESTS {
            registry.unread.push(UnreadPart {
                what: "all tags".to_owned(),
                reason: format!("there are more than {MANIFESTS}"),
            });
            return;
        }
    }
    let resolved = each(tags, |(path, tag)| {
        let client = client.clone();
        async move {
            let reading = client.resolve(&path, tag.as_str()).await;
            (path, tag, reading)
        }
    });
    for (path, tag, reading) in resolved.await {
        let repository = registry.repositories.entry(path).or_default();
        repository.tags.insert(tag, reading);
    }
}

/// When manifests were pushed, as rows say it.
fn note_pushes(rows: &BTreeMap<RepositoryPath, Rows>, registry: &mut Registry) {
    for (path, rows) in rows {
        let Some(repository) = registry.repositories.get_mut(path) else {
            continue;
        };
        let tags = rows.tags.iter().filter_map(|(tag, made)| {
            let digest = repository.tags.get(tag)?.present()?;
            Some((digest, made))
        });
        let all: Vec<_> = tags
            .chain(&rows.digests)
            .filter_map(|(digest, made)| Some((digest.clone(), (*made)?)))
            .collect();
        for (digest, made) in all {
            let pushed = repository.pushed.entry(digest).or_insert(made);
            *pushed = made.max(*pushed);
        }
    }
}

/// Reads manifests, and what they name, until nothing new is named.
struct Reader<'r> {
    client: &'r Client,
    cache: Option<&'r ManifestCache>,
    registry: &'r mut Registry,
    asked: BTreeSet<(RepositoryPath, Digest)>,
    todo: BTreeSet<(RepositoryPath, Digest)>,
    bytes: u64,
}

impl Reader<'_> {
    fn ask(&mut self, path: &RepositoryPath, digest: &Digest) {
        if self.asked.len() > MANIFESTS || self.bytes > BYTES {
            return;
        }
        let one = (path.clone(), digest.clone());
        if self.asked.insert(one.clone()) {
            self.todo.insert(one);
        }
    }

    fn ask_for_what_is_known(
        &mut self,
        options: &ReadOptions,
        rows: &BTreeMap<RepositoryPath, Rows>,
    ) {
        let mut all: Vec<(RepositoryPath, Digest)> = Vec::new();
        for (path, repository) in &self.registry.repositories {
            let tagged = repository.tags.values().filter_map(Reading::present);
            let known = options.known.get(path).into_iter().flatten();
            let rows = rows
                .get(path)
                .into_iter()
                .flat_map(|rows| rows.digests.keys());
            let digests = tagged.chain(known).chain(rows);
            all.extend(digests.map(|digest| (path.clone(), digest.clone())));
        }
        for (path, digest) in all {
            self.ask(&path, &digest);
        }
    }

    async fn read_all(&mut self) {
        while !self.todo.is_empty() {
            let round = std::mem::take(&mut self.todo);
            let tagged = self.tagged(&round);
            let round: Vec<(RepositoryPath, Digest)> = round.into_iter().collect();
            for some in round.chunks(AT_ONCE) {
                self.read_some(some, &tagged).await;
                if self.asked.len() > MANIFESTS || self.bytes > BYTES {
                    self.todo.clear();
                    self.registry.unread.push(UnreadPart {
                        what: "all manifests".to_owned(),
                        reason: format!("they are more than {MANIFESTS}, or than {BYTES} bytes"),
                    });
                    return;
                }
            }
        }
    }

    async fn read_some(
        &mut self,
        some: &[(RepositoryPath, Digest)],
        tagged: &BTreeSet<(RepositoryPath, Digest)>,
    ) {
        let done = each(some.to_vec(), |(path, digest)| {
            let client = self.client.clone();
            let cache = self.cache.cloned();
            let is_there = tagged.contains(&(path.clone(), digest.clone()));
            async move {
                let cache = cache.as_ref();
                let reading = client.manifest(cache, &path, &digest, is_there).await;
                (path, digest, reading)
            }
        });
        for (path, digest, reading) in done.await {
            if let Reading::Present(manifest) = &reading {
                self.bytes += manifest.size;
                let children = manifest.children.iter().map(|child| &child.digest);
                for digest in children.chain(&manifest.subject) {
                    self.ask(&path, digest);
                }
            }
            let repository = self.registry.repositories.entry(path).or_default();
            repository.manifests.insert(digest, reading);
        }
    }

    /// Those of a round that a tag has been seen to point to.
    fn tagged(
        &self,
        round: &BTreeSet<(RepositoryPath, Digest)>,
    ) -> BTreeSet<(RepositoryPath, Digest)> {
        let repositories = self.registry.repositories.iter();
        let tagged = repositories.flat_map(|(path, repository)| {
            let tagged = repository.tags.values().filter_map(Reading::present);
            tagged.map(|digest| (path.clone(), digest.clone()))
        });
        tagged.filter(|one| round.contains(one)).collect()
    }

    /// What the registry lists as saying something of each manifest, and what is said of that.
    async fn read_referrers(&mut self) {
        let mut lists = ReferrerLists::default();
        loop {
            let round = self.not_asked_about(&lists);
            if round.is_empty() {
                break;
            }
            lists.asked.extend(round.iter().cloned());
            for some in round.chunks(AT_ONCE) {
                self.ask_who_refers(some, &mut lists).await;
            }
            self.read_all().await;
        }
        self.registry.unread.extend(lists.contradictions());
    }

    /// Manifests that are there and whose repositories may keep lists of what refers to them. Of a repository
    /// of which that is not known, one.
    fn not_asked_about(&self, lists: &ReferrerLists) -> Vec<(RepositoryPath, Digest)> {
        let repositories = self.registry.repositories.iter();
        let round = repositories.flat_map(|(path, repository)| {
            let there = repository.manifests.iter();
            let there = there.filter(|(_, reading)| reading.present().is_some());
            let one = there.map(|(digest, _)| (path.clone(), digest.clone()));
            let open = one.filter(|one| !lists.asked.contains(one));
            open.take(lists.most(path))
        });
        round.collect()
    }

    async fn ask_who_refers(
        &mut self,
        some: &[(RepositoryPath, Digest)],
        lists: &mut ReferrerLists,
    ) {
        let done = each(some.to_vec(), |(path, digest)| {
            let client = self.client.clone();
            async move {
                let listed = client.referrers(&path, &digest).await;
                (path, digest, listed)
            }
        });
        for (path, digest, listed) in done.await {
            self.registry.unread.extend(listed.unread);
            for digest in listed.entries {
                self.ask(&path, &digest);
            }
            if listed.is_absent {
                lists.denied.entry(path).or_default().insert(digest);
            } else {
                lists.kept.insert(path);
            }
        }
    }
}

/// Who keeps lists of what refers to manifests. One that does never says of a manifest that there is none;
/// behind one name there may be several registries, so that each repository is looked at for itself.
#[derive(Default)]
struct ReferrerLists {
    asked: BTreeSet<(RepositoryPath, Digest)>,
    /// Repositories that have such lists.
    kept: BTreeSet<RepositoryPath>,
    /// Manifests of which the registry said that there is no such list.
    denied: BTreeMap<RepositoryPath, BTreeSet<Digest>>,
}

impl ReferrerLists {
    /// How many manifests of a repository are asked about at most, as far as is known by now.
    fn most(&self, path: &RepositoryPath) -> usize {
        if self.kept.contains(path) {
            return usize::MAX;
        }
        match (self.denied.contains_key(path), self.kept.is_empty()) {
            // The first one tells whether there are any.
            (false, _) => 1,
            (true, true) => 0,
            // Where other repositories have them, one answer is not enough to believe that this one has none.
            (true, false) => usize::MAX,
        }
    }

    /// Lists that are said not to be there where others of the same repository are.
    fn contradictions(self) -> Vec<UnreadPart> {
        let both = self.denied.iter();
        let both = both.filter(|(path, _)| self.kept.contains(*path));
        let parts = both.flat_map(|(path, digests)| {
            digests.iter().map(move |digest| UnreadPart {
                what: format!("what refers to {path}@{digest}"),
                reason: "the registry says that it keeps no such list, and has those of other images of \
                         this repository"
                    .to_owned(),
            })
        });
        parts.collect()
    }
}

/// Does something with each of many, several at once. What comes out is in no order.
pub(crate) async fn each<I, T, F, W>(items: I, work: W) -> Vec<T>
where
    I: IntoIterator,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
    W: Fn(I::Item) -> F,
{
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    let mut finish = |result: Result<T, tokio::task::JoinError>| match result {
        Ok(result) => done.push(result),
        // Nothing here is ever stopped: it has panicked, and so does whoever waits for it.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    for item in items {
        if running.len() >= CONCURRENCY
            && let Some(result) = running.join_next().await
        {
            finish(result);
        }
        running.spawn(work(item));
    }
    while let Some(result) = running.join_next().await {
        finish(result);
    }
    done
}
