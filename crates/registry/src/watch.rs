//! The tags of a repository while manifests are deleted from it.

use std::collections::{BTreeMap, BTreeSet};

use underpin_image::{Digest, FrozenManifest, Reading, RepositoryPath, Tag};

use crate::{client::Client, read::each};

/// What the tags of a repository point to, looked at again and again.
pub(crate) struct Watch {
    client: Client,
    repository: RepositoryPath,
    /// Where tags pointed when the watch began.
    pub(crate) before: BTreeMap<Tag, Digest>,
    /// Where they pointed when they were last looked at.
    pub(crate) tags: BTreeMap<Tag, Reading<Digest>>,
    /// What manifests name that have come since: children, and what they say something of.
    names: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Watch {
    /// Looks at all tags. Fails where one cannot be read.
    pub(crate) async fn begin(
        client: &Client,
        repository: &RepositoryPath,
    ) -> Result<Self, String> {
        let mut watch = Self::since(client, repository, BTreeMap::new());
        watch.tags = watch.all().await?;
        watch.before = pointing(&watch.tags);
        Ok(watch)
    }

    /// A watch that began earlier, when tags pointed to these.
    pub(crate) fn since(
        client: &Client,
        repository: &RepositoryPath,
        before: BTreeMap<Tag, Digest>,
    ) -> Self {
        Self {
            client: client.clone(),
            repository: repository.clone(),
            before,
            tags: BTreeMap::new(),
            names: BTreeMap::new(),
        }
    }

    /// Looks at all tags, without remembering it.
    pub(crate) async fn all(&self) -> Result<BTreeMap<Tag, Reading<Digest>>, String> {
        let listed = self.listed().await?;
        self.resolved(listed).await
    }

    /// Looks at tags that have come, and at those that `which` names, and at what new ones point to.
    pub(crate) async fn look(
        &mut self,
        which: &(dyn Fn(&Tag) -> bool + Sync),
    ) -> Result<(), String> {
        let listed = self.listed().await?;
        let known = &self.tags;
        let asked = listed.iter().chain(known.keys());
        let asked = asked.filter(|tag| !known.contains_key(*tag) || which(tag));
        let asked: BTreeSet<Tag> = asked.cloned().collect();
        self.tags.extend(self.resolved(asked).await?);
        let seen: BTreeSet<&Digest> = self.before.values().chain(self.names.keys()).collect();
        let now = self.tags.values().filter_map(Reading::present);
        let new: BTreeSet<Digest> = now
            .filter(|digest| !seen.contains(digest))
            .cloned()
            .collect();
        for digest in new {
            let names = self.named_by(&digest).await?;
            self.names.insert(digest, names);
        }
        Ok(())
    }

    /// What a manifest names: nothing, if it has gone again.
    pub(crate) async fn named_by(&self, digest: &Digest) -> Result<BTreeSet<Digest>, String> {
        match self.client.get(&self.repository, digest.as_str()).await {
            Reading::Present(raw) => {
                let children = raw.manifest.children.into_iter().map(|child| child.digest);
                Ok(children.chain(raw.manifest.subject).collect())
            }
            Reading::Absent => Ok(BTreeSet::new()),
            Reading::Unread(reason) => {
                Err(format!("manifest {digest} could not be read: {reason}"))
            }
        }
    }

    /// Whether a manifest may go, as far as the last look tells.
    pub(crate) fn may_go(&self, manifest: &FrozenManifest) -> Result<(), String> {
        manifest.may_go(&self.tags)?;
        let naming = self
            .names
            .iter()
            .find(|(_, names)| names.contains(&manifest.digest));
        match naming {
            Some((digest, _)) => Err(format!("{digest}, which was pushed meanwhile, names it")),
            None => Ok(()),
        }
    }

    /// Tags of a manifest, as the last look tells.
    pub(crate) fn tags_of(&self, digest: &Digest) -> Vec<Tag> {
        let tags = self.tags.iter();
        let tags = tags.filter(|(_, reading)| reading.present() == Some(digest));
        tags.map(|(tag, _)| tag.clone()).collect()
    }

    async fn listed(&self) -> Result<BTreeSet<Tag>, String> {
        let listed = self.client.tags(&self.repository).await;
        match listed.unread.first() {
            Some(part) => Err(format!("could not read {}: {}", part.what, part.reason)),
            None => Ok(listed.entries),
        }
    }

    async fn resolved(
        &self,
        tags: BTreeSet<Tag>,
    ) -> Result<BTreeMap<Tag, Reading<Digest>>, String> {
        let done = each(tags, |tag| {
            let (client, repository) = (self.client.clone(), self.repository.clone());
            async move {
                let reading = client.resolve(&repository, tag.as_str()).await;
                (tag, reading)
            }
        });
        let done: BTreeMap<Tag, Reading<Digest>> = done.await.into_iter().collect();
        for (tag, reading) in &done {
            if let Reading::Unread(reason) = reading {
                return Err(format!("what tag {tag} points to is not known: {reason}"));
            }
        }
        Ok(done)
    }
}

/// Tags that point to something.
pub(crate) fn pointing(tags: &BTreeMap<Tag, Reading<Digest>>) -> BTreeMap<Tag, Digest> {
    let pointing = tags.iter();
    let pointing = pointing.filter_map(|(tag, at)| Some((tag.clone(), at.present()?.clone())));
    pointing.collect()
}
