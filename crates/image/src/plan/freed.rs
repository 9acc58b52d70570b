//! How much room deletions make, once the registry collects what nothing holds.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::{digest::Digest, manifest::Manifest, registry::Registry};

/// Room that deletions make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Bytes of manifests and blobs that nothing else holds.
    pub bytes: u64,
    /// Blobs whose size is not known, and not counted.
    pub unsized_blobs: usize,
}

impl Plan {
    /// The room that its deletions make. A blob is counted once, and only if no manifest that stays
    /// holds it, in whatever repository: registries store it once.
    pub fn freed(&self, registry: &Registry) -> Freed {
        let doomed: BTreeSet<_> = self
            .deletions
            .iter()
            .flat_map(|group| {
                let manifests = group.manifests.iter();
                manifests.map(|doomed| (&group.repository, &doomed.digest))
            })
            .collect();
        let mut held: BTreeSet<&Digest> = BTreeSet::new();
        let mut let_go: Vec<(&Digest, &Manifest)> = Vec::new();
        for (path, repository) in &registry.repositories {
            for (digest, reading) in &repository.manifests {
                let Some(manifest) = reading.present() else {
                    continue;
                };
                if doomed.contains(&(path, digest)) {
                    let_go.push((digest, manifest));
                } else {
                    held.insert(digest);
                    held.extend(manifest.blobs().map(|blob| &blob.digest));
                }
            }
        }
        let mut sizes: BTreeMap<&Digest, Option<u64>> = BTreeMap::new();
        for (digest, manifest) in let_go {
            sizes.insert(digest, Some(manifest.size));
            for blob in manifest.blobs() {
                let size = sizes.entry(&blob.digest).or_default();
                *size = size.or(blob.size);
            }
        }
        let mut freed = Freed::default();
        for (_, size) in sizes
            .into_iter()
            .filter(|(digest, _)| !held.contains(digest))
        {
            match size {
                Some(size) => freed.bytes = freed.bytes.saturating_add(size),
                None => freed.unsized_blobs += 1,
            }
        }
        freed
    }
}
