//! What deleting does in a registry: asked, by deletions of what is not there.
//!
//! Registries do not tell what they can, and their names do not either. A tag and a digest are deleted
//! that do not exist, and that nobody can have pushed; from how that is refused it follows what is
//! possible. Whether a tag goes alone need not be tried on a real one: a manifest goes with all its tags
//! or not at all, whatever is deleted first.

use std::{collections::BTreeMap, fs, io, path::Path};

use ::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use underpin_image::{Deletion, Digest, Host, Reading, RepositoryPath};

use crate::{
    answers::{NAME_UNKNOWN, codes, is_absent, unexpected},
    client::{Ask, Client, write},
    manifests::manifest_path,
};

/// The file of a state folder in which it stands what probes have found.
const FILE: &str = "capabilities.json";

/// Whether anything can be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deletes {
    /// Manifests can be deleted.
    Enabled,
    /// The registry is configured to delete nothing.
    Disabled,
    /// Whoever asked may not.
    Forbidden,
    /// It could not be told, and why.
    Unknown(String),
}

/// What deleting does in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Whether a tag can be deleted alone; absent where that could not be told.
    pub deletes_tags: Option<bool>,
    /// Whether manifests can be deleted.
    pub deletes: Deletes,
}

impl Capabilities {
    /// What deleting takes away: of what is not known, the more.
    pub fn deletion(&self) -> Deletion {
        match self.deletes_tags {
            Some(true) => Deletion::TagsAlone,
            _ => Deletion::DigestsWithTags,
        }
    }

    /// What an earlier probe has found for a registry.
    pub fn remembered(state: &Path, host: &Host) -> io::Result<Option<Self>> {
        Ok(all(state)?.remove(host))
    }

    /// Remembers it for plans, which only read.
    pub fn remember(&self, state: &Path, host: &Host) -> io::Result<()> {
        let mut known = all(state)?;
        known.insert(host.clone(), self.clone());
        let text = serde_json::to_vec_pretty(&known)?;
        underpin_files::replace(&state.join(FILE), &text)
    }
}

fn all(state: &Path) -> io::Result<BTreeMap<Host, Capabilities>> {
    match fs::read(state.join(FILE)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Finds out what deleting does in a registry, on a repository of it. `nonce` makes names that nobody
/// has; that they do not exist is looked at first.
///
/// Sends DELETE requests: not for plans.
pub async fn probe(client: &Client, repository: &RepositoryPath, nonce: &[u8]) -> Capabilities {
    let digest = Digest::of(&[b"underpin probe ", nonce].concat());
    let tag = format!("underpin-probe-{}", &digest.encoded()[..32]);
    let unknown = |reason: String| Capabilities {
        deletes_tags: None,
        deletes: Deletes::Unknown(reason),
    };
    for reference in [&*tag, digest.as_str()] {
        match client.resolve(repository, reference).await {
            Reading::Absent => {}
            Reading::Present(_) => return unknown(format!("there is something named {reference}")),
            Reading::Unread(reason) => return unknown(reason),
        }
    }
    let deletes_tags = match refusal(client, repository, &tag).await {
        Ok(Refusal::NotThere) => Some(true),
        Ok(Refusal::NotSo) => Some(false),
        Ok(Refusal::Forbidden) | Err(_) => None,
    };
    let deletes = match refusal(client, repository, digest.as_str()).await {
        Ok(Refusal::NotThere) => Deletes::Enabled,
        Ok(Refusal::NotSo) => Deletes::Disabled,
        Ok(Refusal::Forbidden) => Deletes::Forbidden,
        Err(reason) => Deletes::Unknown(reason),
    };
    Capabilities {
        deletes_tags,
        deletes,
    }
}

/// How the deletion of what is not there is refused.
enum Refusal {
    /// It would have been deleted.
    NotThere,
    /// Nothing is deleted in this way.
    NotSo,
    /// Not by whoever asks.
    Forbidden,
}

async fn refusal(
    client: &Client,
    repository: &RepositoryPath,
    reference: &str,
) -> Result<Refusal, String> {
    let path = manifest_path(repository, reference);
    let ask = Ask::new(Method::DELETE, path, write(repository));
    let answer = client.ask(&ask).await.map_err(|error| error.to_string())?;
    match answer.status {
        StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(Refusal::NotThere),
        // Where there is no repository, nobody has looked whether a tag could go.
        _ if codes(&answer).iter().any(|code| code == NAME_UNKNOWN) => Err(unexpected(&answer)),
        _ if is_absent(&answer) => Ok(Refusal::NotThere),
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED => Ok(Refusal::NotSo),
        StatusCode::FORBIDDEN => Ok(Refusal::Forbidden),
        _ => Err(unexpected(&answer)),
    }
}
