//! Tags and manifests, one at a time.

use ::http::{HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use underpin_image::{
    Digest, MANIFEST_LIMIT, Manifest, ManifestKind, Reading, RepositoryPath, manifest_types,
};

use crate::{
    answers::{is_absent, unexpected},
    cache::ManifestCache,
    client::{Ask, Client, pull},
    http::Answer,
};

/// The header that names a manifest.
const DIGEST: &str = "docker-content-digest";

/// A manifest as the registry has it.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
    pub(crate) bytes: Bytes,
}

/// Where a manifest is, by its tag or digest.
pub(crate) fn manifest_path(repository: &RepositoryPath, reference: &str) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

/// Every type of manifest: without it, registries say of an index that it is not there.
pub(crate) fn accept() -> Option<HeaderValue> {
    let types: Vec<&str> = manifest_types().collect();
    HeaderValue::try_from(types.join(", ")).ok()
}

fn ask(method: Method, repository: &RepositoryPath, reference: &str) -> Ask {
    let mut ask = Ask::new(
        method,
        manifest_path(repository, reference),
        pull(repository),
    );
    ask.accept = accept();
    ask.limit = MANIFEST_LIMIT;
    ask
}

impl Client {
    /// What a tag points to, or whether a digest is there.
    pub(crate) async fn resolve(
        &self,
        repository: &RepositoryPath,
        reference: &str,
    ) -> Reading<Digest> {
        let answer = match self.ask(&ask(Method::HEAD, repository, reference)).await {
            Ok(answer) => answer,
            Err(error) => return Reading::Unread(error.to_string()),
        };
        let is_odd = matches!(answer.status.as_u16(), 400 | 404 | 405 | 501);
        let is_unnamed = answer.status == StatusCode::OK && !answer.headers.contains_key(DIGEST);
        if is_odd || is_unnamed {
            // An answer to HEAD has no body that could say whose it is.
            return match self.get(repository, reference).await {
                Reading::Present(raw) => Reading::Present(raw.digest),
                Reading::Absent => Reading::Absent,
                Reading::Unread(reason) => Reading::Unread(reason),
            };
        }
        if answer.status != StatusCode::OK {
            return Reading::Unread(unexpected(&answer));
        }
        match named(&answer) {
            Ok(Some(digest)) if is_of_reference(&digest, reference) => Reading::Present(digest),
            Ok(Some(digest)) => Reading::Unread(format!("it answers with the manifest {digest}")),
            Ok(None) => Reading::Unread("it does not say which manifest it is".to_owned()),
            Err(reason) => Reading::Unread(reason),
        }
    }

    /// A manifest, by its tag or digest. Its bytes are those of its digest.
    pub(crate) async fn get(&self, repository: &RepositoryPath, reference: &str) -> Reading<Raw> {
        let answer = match self.ask(&ask(Method::GET, repository, reference)).await {
            Ok(answer) => answer,
            Err(error) => return Reading::Unread(error.to_string()),
        };
        if is_absent(&answer) {
            return Reading::Absent;
        }
        if answer.status != StatusCode::OK {
            return Reading::Unread(unexpected(&answer));
        }
        match raw(reference, &answer) {
            Ok(raw) => Reading::Present(raw),
            Err(reason) => Reading::Unread(reason),
        }
    }

    /// A manifest by its digest, from the cache where it is there. `is_there` says that a tag has just
    /// been seen to point to it.
    pub(crate) async fn manifest(
        &self,
        cache: Option<&ManifestCache>,
        repository: &RepositoryPath,
        digest: &Digest,
        is_there: bool,
    ) -> Reading<Manifest> {
        let kept = cache.and_then(|cache| cache.get(digest));
        let kept = kept.and_then(|bytes| Manifest::read(digest, None, &bytes).ok());
        if let Some(manifest) = kept {
            if is_there {
                return Reading::Present(manifest);
            }
            // That it was there once does not say that it is.
            return match self.resolve(repository, digest.as_str()).await {
                Reading::Present(_) => Reading::Present(manifest),
                Reading::Absent => Reading::Absent,
                Reading::Unread(reason) => Reading::Unread(reason),
            };
        }
        match self.get(repository, digest.as_str()).await {
            Reading::Present(raw) => {
                if let Some(cache) = cache {
                    keep(cache, &raw);
                }
                Reading::Present(raw.manifest)
            }
            Reading::Absent => Reading::Absent,
            Reading::Unread(reason) => Reading::Unread(reason),
        }
    }

    /// Whether a blob is there.
    pub(crate) async fn blob(&self, repository: &RepositoryPath, digest: &Digest) -> Reading<()> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let ask = Ask::new(Method::HEAD, path, pull(repository));
        let answer = match self.ask(&ask).await {
            Ok(answer) => answer,
            Err(error) => return Reading::Unread(error.to_string()),
        };
        if answer.status == StatusCode::OK {
            return Reading::Present(());
        }
        if answer.status != StatusCode::NOT_FOUND {
            return Reading::Unread(unexpected(&answer));
        }
        // Who says so is told by an answer with a body; a blob that has come meanwhile is not read whole.
        let get = Ask {
            method: Method::GET,
            ..ask
        };
        match self.ask(&get).await {
            Ok(answer) if is_absent(&answer) => Reading::Absent,
            Ok(answer) => Reading::Unread(unexpected(&answer)),
            Err(error) => Reading::Unread(error.to_string()),
        }
    }
}

/// The digest that an answer names.
fn named(answer: &Answer) -> Result<Option<Digest>, String> {
    let Some(value) = answer.headers.get(DIGEST) else {
        return Ok(None);
    };
    let digest = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let odd = "the digest that it names is none";
    digest.map(Some).ok_or_else(|| odd.to_owned())
}

/// Whether a digest may be what was asked for: anything for a tag, itself for a digest.
fn is_of_reference(digest: &Digest, reference: &str) -> bool {
    match reference.parse::<Digest>() {
        Ok(asked) => asked == *digest,
        Err(_) => true,
    }
}

fn raw(reference: &str, answer: &Answer) -> Result<Raw, String> {
    let named = named(answer)?;
    if let Some(named) = named
        .as_ref()
        .filter(|named| !is_of_reference(named, reference))
    {
        return Err(format!("it answers with the manifest {named}"));
    }
    let asked = reference.parse::<Digest>().ok();
    let digest = asked.or(named).unwrap_or_else(|| Digest::of(&answer.body));
    let content_type = answer.header(header::CONTENT_TYPE.as_str());
    let manifest = Manifest::read(&digest, content_type, &answer.body);
    let manifest = manifest.map_err(|error| error.to_string())?;
    Ok(Raw {
        digest,
        manifest,
        bytes: answer.body.clone(),
    })
}

/// Keeps a manifest if its bytes alone say all of it.
fn keep(cache: &ManifestCache, raw: &Raw) {
    let again = Manifest::read(&raw.digest, None, &raw.bytes);
    let is_whole = again.is_ok_and(|again| again == raw.manifest);
    if is_whole && raw.manifest.kind != ManifestKind::Legacy {
        // A cache that cannot be written to costs a request the next time, and nothing else.
        drop(cache.put(&raw.digest, &raw.bytes));
    }
}
