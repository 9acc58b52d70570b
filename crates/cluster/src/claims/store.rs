//! Reading and writing claims in the cluster.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use underpin_model::{
    Claim, Depth, GroupKind, Lock, Object, ObjectKey, Origin, ResourceKind, UnknownParts, Unread,
    names,
};

use super::stored::{self, Encoded, HEAD_KEYS, LOCK_KEY, SHARD_KEY, Shard, StoredError};
use super::taken_down;
use crate::{Act, ApplyOptions, Cluster, ClusterError, ConflictKind, Precondition, Propagation};

/// Longest name of a claim: what is stored beside it adds ten characters to its name at most, and 253
/// is Kubernetes' limit.
const NAME_LIMIT: usize = 240;
/// Longest value of a label.
pub(super) const LABEL_LIMIT: usize = 63;
/// Annotation on every part of a claim with the claim's whole name; the label may be a short form.
pub(super) const NAME_ANNOTATION: &str = "underpin.dev/claim-name";
/// How often a claim is read again because a writer replaced its shards meanwhile.
const READ_LIMIT: usize = 4;
/// How often a swap is tried again because somebody touched the head without changing the claim.
const SWAP_LIMIT: usize = 4;

/// The claims of one cluster. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ClaimStore {
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
}

/// A claim's head as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) data: BTreeMap<String, String>,
    pub(crate) resource_version: String,
    uid: String,
}

impl Head {
    fn of(object: &Object) -> Self {
        Self {
            data: stored::data_of(object),
            resource_version: object.resource_version().unwrap_or_default().to_owned(),
            uid: object.uid().unwrap_or_default().to_owned(),
        }
    }
}

impl ClaimStore {
    /// The claims in a namespace of a cluster.
    pub fn new(cluster: Cluster, namespace: &str) -> Self {
        Self {
            cluster,
            namespace: namespace.to_owned(),
        }
    }

    /// The claims namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The same claims with another time limit for each request.
    #[must_use]
    pub fn with_timeout(&self, timeout: std::time::Duration) -> Self {
        Self {
            cluster: self.cluster.with_timeout(timeout),
            namespace: self.namespace.clone(),
        }
    }

    /// The name of a claim: `stack.environment`, of names that are already fit for Kubernetes; what
    /// is too long is cut and ends with a digest.
    pub fn name(stack: &str, environment: &str) -> String {
        stored::shorten(&format!("{stack}.{environment}"), NAME_LIMIT)
    }

    /// Every claim, sorted by stack and environment, and those that cannot be read.
    pub async fn load_all(&self) -> Result<(Vec<Claim>, Vec<Unread>), ClusterError> {
        let (claims, unread, _) = self.load_all_and_taken_down().await?;
        Ok((claims, unread))
    }

    /// The same, and what `down`s took, by uid and when.
    pub async fn load_all_and_taken_down(
        &self,
    ) -> Result<(Vec<Claim>, Vec<Unread>, BTreeMap<String, u64>), ClusterError> {
        let kind = config_map_kind();
        // Not by the claims' own label: who lost it is a claim still.
        let no_revisions = format!("!{}", names::REVISION_LABEL);
        let objects = self
            .cluster
            .list_selected(&kind, Some(&self.namespace), Depth::Full, &no_revisions)
            .await?;
        let (claims, unread) = stored::parse(&self.namespace, &objects);
        let taken = taken_down::parse_taken_down(&self.namespace, &objects);
        Ok((claims, unread, taken))
    }

    /// As [`Self::load_all`]; that the claims cannot be listed is an [`Unread`] too.
    pub(crate) async fn load_all_or_unread(&self) -> (Vec<Claim>, Vec<Unread>) {
        self.load_all().await.unwrap_or_else(|error| {
            let unread = Unread {
                kind: Some(GroupKind::core("ConfigMap")),
                group: String::new(),
                namespace: Some(self.namespace.clone()),
                reason: format!("the claims could not be read: {error}"),
            };
            (Vec::new(), vec![unread])
        })
    }

    /// One claim; `None` when there is none of that name.
    pub async fn load(&self, name: &str) -> Result<Option<Claim>, ClusterError> {
        for _ in 0..READ_LIMIT {
            let Some(head) = self.head(name).await? else {
                return Ok(None);
            };
            match self.complete(name, &head).await? {
                Ok(claim) => return Ok(Some(claim)),
                // A writer may have replaced the shards since the head was read.
                Err(StoredError::MissingShard { .. })
                    if self.head(name).await?.as_ref() != Some(&head) => {}
                Err(error) => return Err(self.stored_error("get", name, &error)),
            }
        }
        Err(self.decode_error("get", name, "it keeps changing while it is read".to_owned()))
    }

    /// The claim of a head; its shards are read.
    async fn complete(
        &self,
        name: &str,
        head: &Head,
    ) -> Result<Result<Claim, StoredError>, ClusterError> {
        let names = match stored::shard_names(name, &head.data) {
            Ok(names) => names,
            Err(error) => return Ok(Err(error)),
        };
        let mut shards = BTreeMap::new();
        for shard in names {
            let object = self
                .cluster
                .get(&config_map_kind(), &self.key(&shard))
                .await?;
            let content = object.and_then(|object| stored::data_of(&object).remove(SHARD_KEY));
            if let Some(content) = content {
                shards.insert(shard, content);
            }
        }
        Ok(
            stored::decode(name, &head.data, &shards).map(|claim| Claim {
                resource_version: head.resource_version.clone(),
                ..claim
            }),
        )
    }

    /// Writes a claim that is not there yet, and the namespace if need be. An `AlreadyExists`
    /// conflict means that somebody was faster.
    pub async fn create(&self, name: &str, claim: &Claim) -> Result<Claim, ClusterError> {
        let (claim, _) = self.create_head(name, claim).await?;
        Ok(claim)
    }

    pub(crate) async fn create_head(
        &self,
        name: &str,
        claim: &Claim,
    ) -> Result<(Claim, Head), ClusterError> {
        let encoded = self.encode(name, claim)?;
        self.write_shards_in_namespace(name, &encoded.shards)
            .await?;
        let outcome = self.create_config_map(name, name, &encoded.data).await;
        let object = match outcome {
            Ok(object) => object,
            Err(error) if error.is_already_exists() => {
                // Our own, if the answer to an earlier attempt was lost.
                let head = self.head(name).await?;
                return match head.filter(|head| head.data == encoded.data) {
                    Some(head) => Ok(at_head(claim, head)),
                    None => Err(error),
                };
            }
            Err(error) => return Err(error),
        };
        Ok(at_head(claim, Head::of(&object)))
    }

    /// Replaces a claim that still has the `resourceVersion` it was read with; returns it with the
    /// new one. A conflict means that somebody else wrote it. Only to be called under the lock.
    pub async fn save(&self, name: &str, claim: &Claim) -> Result<Claim, ClusterError> {
        let base = Head {
            data: BTreeMap::new(),
            resource_version: claim.resource_version.clone(),
            uid: String::new(),
        };
        let (claim, _) = self.swap(name, &base, claim).await?;
        Ok(claim)
    }

    /// Replaces the claim whose head was last seen as `base`. Succeeds too when the claim is
    /// already as wanted (an answer was lost), and when only metadata changed since.
    pub(crate) async fn swap(
        &self,
        name: &str,
        base: &Head,
        claim: &Claim,
    ) -> Result<(Claim, Head), ClusterError> {
        let encoded = self.encode(name, claim)?;
        self.write_shards(name, &encoded.shards).await?;
        let data: BTreeMap<&str, Option<&String>> = HEAD_KEYS
            .iter()
            .map(|key| (*key, encoded.data.get(*key)))
            .collect();
        let mut wanted = base.data.clone();
        wanted.retain(|key, _| !HEAD_KEYS.contains(&key.as_str()));
        wanted.extend(encoded.data.clone());
        let head = self.swap_data(name, base, &wanted, &json!(data)).await?;
        if !encoded.shards.is_empty() && claim.lock.is_some() {
            // The claim is written: garbage left behind harms nobody and is swept next time.
            let _ = self.sweep(name, &head, &[claim]).await;
        }
        Ok(at_head(claim, head))
    }

    /// Renews the lock of the claim whose head was last seen as `base`, writing nothing else.
    pub(crate) async fn swap_lock(
        &self,
        name: &str,
        base: &Head,
        lock: &Lock,
    ) -> Result<Head, ClusterError> {
        let text = json!(lock).to_string();
        let mut wanted = base.data.clone();
        wanted.insert(LOCK_KEY.to_owned(), text.clone());
        self.swap_data(name, base, &wanted, &json!({LOCK_KEY: text}))
            .await
    }

    /// Patches the head that was last seen as `base`, so that its data are `wanted`. A claim is large:
    /// the server is not asked to send back what it was just sent.
    async fn swap_data(
        &self,
        name: &str,
        base: &Head,
        wanted: &BTreeMap<String, String>,
        patch: &Value,
    ) -> Result<Head, ClusterError> {
        let mut resource_version = base.resource_version.clone();
        for _ in 0..SWAP_LIMIT {
            let patched = self.patch_head(name, &resource_version, patch, Depth::Metadata);
            let error = match patched.await {
                Ok(head) => {
                    let data = wanted.clone();
                    return Ok(Head { data, ..head });
                }
                Err(error) if error.is_conflict() => error,
                Err(error) => return Err(error),
            };
            match self.head(name).await? {
                Some(head) if head.data == *wanted => return Ok(head),
                Some(head) if head.uid == base.uid && head.data == base.data => {
                    resource_version = head.resource_version;
                }
                _ => return Err(error),
            }
        }
        Err(self.decode_error("patch", name, "its metadata keeps changing".to_owned()))
    }

    /// Sets or clears the lock of a claim that still has this `resourceVersion`, and nothing else.
    pub(crate) async fn patch_lock(
        &self,
        name: &str,
        resource_version: &str,
        lock: Option<&Lock>,
    ) -> Result<Head, ClusterError> {
        let text = lock.map(|lock| json!(lock).to_string());
        let patch = json!({LOCK_KEY: text});
        self.patch_head(name, resource_version, &patch, Depth::Full)
            .await
    }

    /// Patches a head of this version; `answer` is how much of it is read back.
    async fn patch_head(
        &self,
        name: &str,
        resource_version: &str,
        data: &Value,
        answer: Depth,
    ) -> Result<Head, ClusterError> {
        let act = || Box::new(Act::on_object("patch", &config_map_kind(), &self.key(name)));
        // Without a version the server would compare nothing.
        if resource_version.is_empty() {
            return Err(ClusterError::Conflict {
                act: act(),
                kind: ConflictKind::Precondition,
                message: "it has not been read".to_owned(),
            });
        }
        let patch = json!({
            "metadata": {"resourceVersion": resource_version},
            "data": data,
        });
        let (kind, key) = (config_map_kind(), self.key(name));
        let outcome = match answer {
            Depth::Full => self.cluster.merge_patch(&kind, &key, &patch).await,
            Depth::Metadata => self.cluster.merge_patch_unseen(&kind, &key, &patch).await,
        };
        match outcome {
            Ok(object) => Ok(Head::of(&object)),
            Err(ClusterError::NotFound { .. }) => Err(ClusterError::Conflict {
                act: act(),
                kind: ConflictKind::Precondition,
                message: "it was deleted".to_owned(),
            }),
            Err(error) => Err(error),
        }
    }

    /// Deletes a claim that still has the `resourceVersion` it was read with. That it is gone
    /// already is success. Shards go first, while the lock keeps others from writing shards of this
    /// name; a head never refers to one that is gone.
    pub async fn remove(&self, name: &str, claim: &Claim) -> Result<(), ClusterError> {
        let Some(mut head) = self.head(name).await? else {
            return Ok(());
        };
        let mut version = claim.resource_version.clone();
        let shards = stored::shard_names(name, &head.data)
            .map_err(|error| self.stored_error("delete", name, &error))?;
        if !shards.is_empty() {
            let mut bare = claim.clone();
            bare.entries.clear();
            version = self.save(name, &bare).await?.resource_version;
            let Some(emptied) = self.head(name).await? else {
                return Ok(());
            };
            head = emptied;
        }
        // What stays behind belongs to nobody and harms nobody.
        let _ = self.sweep(name, &head, &[]).await;
        self.cluster
            .delete(
                &config_map_kind(),
                &self.key(name),
                &head.uid,
                &version,
                Propagation::Background,
            )
            .await?;
        Ok(())
    }

    /// Deletes shards that the head does not refer to, and what revisions applied that none of
    /// these versions of the claim has in its history. Only to be called under the lock.
    pub(crate) async fn sweep(
        &self,
        name: &str,
        head: &Head,
        versions: &[&Claim],
    ) -> Result<(), ClusterError> {
        let mut kept: BTreeSet<String> = stored::shard_names(name, &head.data)
            .map_err(|error| self.stored_error("list", name, &error))?;
        let contents = versions.iter().flat_map(|claim| claim.contents());
        kept.extend(contents.map(str::to_owned));
        let kind = config_map_kind();
        let objects = self
            .cluster
            .list_metadata(&kind, Some(&self.namespace))
            .await?;
        for object in objects {
            let ours = object.annotation(NAME_ANNOTATION) == Some(name);
            if !ours || object.key.name == name || kept.contains(&object.key.name) {
                continue;
            }
            let (Some(uid), Some(version)) = (object.uid(), object.resource_version()) else {
                continue;
            };
            self.cluster
                .delete(&kind, &object.key, uid, version, Propagation::Background)
                .await?;
        }
        Ok(())
    }

    /// The head as it is now.
    pub(crate) async fn head(&self, name: &str) -> Result<Option<Head>, ClusterError> {
        let object = self
            .cluster
            .get(&config_map_kind(), &self.key(name))
            .await?;
        Ok(object.as_ref().map(Head::of))
    }

    /// The lock in a head.
    pub(crate) fn lock_of(&self, name: &str, head: &Head) -> Result<Option<Lock>, ClusterError> {
        stored::decode_lock(name, &head.data)
            .map_err(|error| self.stored_error("get", name, &error))
    }

    fn encode(&self, name: &str, claim: &Claim) -> Result<Encoded, ClusterError> {
        stored::encode(name, claim).map_err(|error| self.stored_error("patch", name, &error))
    }

    async fn write_shards(&self, name: &str, shards: &[Shard]) -> Result<(), ClusterError> {
        for shard in shards {
            let data = BTreeMap::from([(SHARD_KEY.to_owned(), shard.content.clone())]);
            match self.create_config_map(&shard.name, name, &data).await {
                Ok(_) => {}
                // Named by its content: what is there is what was to be written, unless damaged.
                Err(error) if error.is_already_exists() => {
                    let there = self
                        .cluster
                        .get(&config_map_kind(), &self.key(&shard.name))
                        .await?;
                    if there.is_none_or(|object| stored::data_of(&object) != data) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn write_shards_in_namespace(
        &self,
        name: &str,
        shards: &[Shard],
    ) -> Result<(), ClusterError> {
        if shards.is_empty() {
            return Ok(());
        }
        self.ensure_namespace().await?;
        self.write_shards(name, shards).await
    }

    /// Creates a ConfigMap of claim `claim`; the namespace too if it is missing.
    async fn create_config_map(
        &self,
        name: &str,
        claim: &str,
        data: &BTreeMap<String, String>,
    ) -> Result<Object, ClusterError> {
        let value = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {names::CLAIM_LABEL: stored::shorten(claim, LABEL_LIMIT)},
                "annotations": {NAME_ANNOTATION: claim},
            },
            "data": data,
        });
        self.create_object(&config_map_kind(), &self.key(name), value)
            .await
    }

    /// Creates an object that must not exist; the namespace too if it is missing.
    pub(super) async fn create_object(
        &self,
        kind: &ResourceKind,
        key: &ObjectKey,
        value: Value,
    ) -> Result<Object, ClusterError> {
        let object = Object {
            key: key.clone(),
            version: kind.version.clone(),
            value: value.into(),
            depth: Depth::Full,
            origin: Origin::Recorded("claims".to_owned()),
            unknown: UnknownParts::default(),
        };
        let options = self.create_only();
        let outcome = match self.cluster.apply(kind, &object, &options).await {
            Err(ClusterError::NotFound { .. }) => {
                self.ensure_namespace().await?;
                self.cluster.apply(kind, &object, &options).await
            }
            outcome => outcome,
        };
        outcome.map(|applied| applied.object)
    }

    /// Creates the namespace of the claims unless it is there.
    pub async fn ensure_namespace(&self) -> Result<(), ClusterError> {
        let object = Object {
            key: ObjectKey::of_namespace(&self.namespace),
            version: "v1".to_owned(),
            value: json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace},
            })
            .into(),
            depth: Depth::Full,
            origin: Origin::Recorded("claims".to_owned()),
            unknown: UnknownParts::default(),
        };
        let kind = ResourceKind::v1("", "Namespace", "namespaces", false);
        match self
            .cluster
            .apply(&kind, &object, &self.create_only())
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_already_exists() => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn create_only(&self) -> ApplyOptions {
        ApplyOptions {
            dry_run: false,
            force: false,
            precondition: Precondition::CreateOnly,
            timeout: self.cluster.timeout(),
        }
    }

    pub(super) fn key(&self, name: &str) -> ObjectKey {
        ObjectKey::namespaced(GroupKind::core("ConfigMap"), &self.namespace, name)
    }

    fn stored_error(&self, verb: &'static str, name: &str, error: &StoredError) -> ClusterError {
        self.decode_error(verb, name, error.to_string())
    }

    fn decode_error(&self, verb: &'static str, name: &str, reason: String) -> ClusterError {
        ClusterError::Decode {
            act: Box::new(Act::on_object(verb, &config_map_kind(), &self.key(name))),
            reason,
        }
    }
}

/// `claim` as it stands in `head`.
fn at_head(claim: &Claim, head: Head) -> (Claim, Head) {
    let claim = Claim {
        resource_version: head.resource_version.clone(),
        ..claim.clone()
    };
    (claim, head)
}

pub(super) fn config_map_kind() -> ResourceKind {
    ResourceKind::v1("", "ConfigMap", "configmaps", true)
}
