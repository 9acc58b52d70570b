//! Stand-ins for registries that are no package here, in memory.
//!
//! Not the real thing. The Gitea is built from its published API description and its rows: each tag is a
//! row of its own with its digest, and so is each manifest that was pushed by its digest; a push of a
//! tag replaces its row; a row is deleted alone by the package API, all rows of a manifest by the
//! registry API. A registry that deletes tags keeps a row for each manifest besides.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::json;
use underpin_image::Digest;

use super::server::{Asked, Server, Told};

/// Which registry is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Deletes by digest alone, keeps no lists of referrers.
    Classic,
    /// Deletes tags alone, keeps lists of referrers.
    Modern,
    /// The stand-in for Gitea and Forgejo.
    Gitea,
}

/// A row: what a version is.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) digest: Digest,
    pub(crate) made: String,
}

/// A registry.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) flavor: Flavor,
    pub(crate) page: usize,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<String, BTreeMap<String, Row>>,
    pub(crate) bytes: BTreeMap<Digest, (String, Vec<u8>)>,
    pub(crate) others: Vec<(u64, String, String, String)>,
    next: u64,
}

const API: (&str, &str) = ("docker-distribution-api-version", "registry/2.0");

impl State {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Memory {
    pub(crate) fn new(flavor: Flavor) -> Arc<Self> {
        Self::with_pages(flavor, 50)
    }

    pub(crate) fn with_pages(flavor: Flavor, page: usize) -> Arc<Self> {
        Arc::new(Self {
            flavor,
            page,
            state: Mutex::default(),
        })
    }

    pub(crate) async fn serve(self: &Arc<Self>) -> Server {
        let memory = Arc::clone(self);
        Server::start(move |asked| memory.answer(asked)).await
    }

    /// Pushes a manifest under tags, or by its digest alone.
    pub(crate) fn push(&self, repository: &str, tags: &[&str], manifest: &Image) {
        let media_type = manifest.media_type.clone();
        let references: Vec<&str> = if tags.is_empty() {
            vec![manifest.digest.as_str()]
        } else {
            tags.to_vec()
        };
        for reference in references {
            self.put(
                repository,
                reference,
                media_type.clone(),
                manifest.bytes.clone(),
            );
        }
    }

    pub(crate) fn push_package(&self, kind: &str, name: &str, version: &str) {
        let mut state = self.state.lock().unwrap();
        let row = (
            state.id(),
            kind.to_owned(),
            name.to_owned(),
            version.to_owned(),
        );
        state.others.push(row);
    }

    fn put(&self, repository: &str, reference: &str, media_type: String, bytes: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        let digest = Digest::of(&bytes);
        state.bytes.insert(digest.clone(), (media_type, bytes));
        let reference = match self.flavor {
            Flavor::Gitea => reference.to_lowercase(),
            _ => reference.to_owned(),
        };
        let mut names = vec![reference.clone()];
        if self.flavor != Flavor::Gitea {
            names.push(digest.to_string());
        }
        for name in names {
            let id = state.id();
            let row = Row {
                id,
                digest: digest.clone(),
                made: format!("2026-01-01T00:00:{:02}Z", id % 60),
            };
            state
                .rows
                .entry(repository.to_owned())
                .or_default()
                .insert(name, row);
        }
    }

    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let rows = state.rows.get(repository);
        let names = rows.iter().flat_map(|rows| rows.keys());
        names.filter(|name| !name.contains(':')).cloned().collect()
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Told {
        let told = self.routed(asked);
        if asked.path.starts_with("/v2/") && told.status != 404 {
            return told.with(API.0, API.1);
        }
        told
    }

    fn routed(&self, asked: &Asked) -> Told {
        if let Some(path) = asked.path.strip_prefix("/api/v1/") {
            return match self.flavor {
                Flavor::Gitea => self.gitea(asked, path),
                _ => Told::new(404, "404 page not found\n").with("content-type", "text/plain"),
            };
        }
        let path = asked.path.strip_prefix("/v2/").unwrap_or("");
        if path == "_catalog" {
            let state = self.state.lock().unwrap();
            let names: Vec<String> = state.rows.keys().cloned().collect();
            return self.listed(asked, "repositories", &names);
        }
        if let Some(repository) = path.strip_suffix("/tags/list") {
            let names = self.tags(repository);
            if names.is_empty() && !self.state.lock().unwrap().rows.contains_key(repository) {
                return Told::error(404, "NAME_UNKNOWN");
            }
            return self.listed(asked, "tags", &names);
        }
        if let Some((repository, digest)) = path.split_once("/referrers/") {
            return self.referrers(repository, digest);
        }
        if let Some((repository, reference)) = path.split_once("/manifests/") {
            return self.manifest(asked, repository, reference);
        }
        Told::error(404, "NOT_FOUND_AT_ALL")
    }

    fn listed(&self, asked: &Asked, key: &str, names: &[String]) -> Told {
        let after = asked.parameter("last").unwrap_or("").to_owned();
        let rest: Vec<&String> = names.iter().filter(|name| **name > after).collect();
        let page: Vec<&String> = rest.iter().take(self.page).copied().collect();
        let body = match (page.is_empty(), self.flavor) {
            (true, Flavor::Classic) => json!({ key: null }),
            _ => json!({ key: page }),
        };
        let told = Told::new(200, body.to_string());
        // Gitea says of every page that holds anything that there is another one.
        let more = rest.len() > page.len() || self.flavor == Flavor::Gitea;
        match page.last() {
            Some(last) if more => {
                let link = format!("<{}?n={}&last={last}>; rel=\"next\"", asked.path, self.page);
                told.with("link", link)
            }
            _ => told,
        }
    }

    fn referrers(&self, repository: &str, digest: &str) -> Told {
        if self.flavor != Flavor::Modern {
            return Told::new(404, "404 page not found\n").with("content-type", "text/plain");
        }
        let state = self.state.lock().unwrap();
        let rows = state.rows.get(repository).into_iter().flatten();
        let says = |row: &Row| {
            let document: serde_json::Value =
                serde_json::from_slice(&state.bytes[&row.digest].1).unwrap();
            document["subject"]["digest"] == digest
        };
        let found = rows.filter(|(name, row)| name.contains(':') && says(row));
        let found: Vec<_> = found.map(|(name, _)| json!({ "digest": name })).collect();
        Told::new(
            200,
            json!({ "schemaVersion": 2, "manifests": found }).to_string(),
        )
    }

    fn manifest(&self, asked: &Asked, repository: &str, reference: &str) -> Told {
        let reference = match self.flavor {
            Flavor::Gitea => reference.to_lowercase(),
            _ => reference.to_owned(),
        };
        let digest: Option<Digest> = reference.parse().ok();
        let mut state = self.state.lock().unwrap();
        let rows = state.rows.entry(repository.to_owned()).or_default();
        let row = match &digest {
            Some(digest) => rows.values().find(|row| row.digest == *digest),
            None => rows.get(&reference),
        };
        let found = row.map(|row| row.digest.clone());
        match (&*asked.method, found, digest) {
            ("PUT", _, digest) => {
                drop(state);
                let pushed = Digest::of(&asked.body);
                if digest.is_some_and(|digest| digest != pushed) {
                    return Told::error(400, "DIGEST_INVALID");
                }
                if let Some(missing) = self.missing_child(repository, &asked.body) {
                    return Told::error(400, "MANIFEST_BLOB_UNKNOWN").with("x-missing", missing);
                }
                let media_type = asked.header("content-type").to_owned();
                self.put(repository, &reference, media_type, asked.body.to_vec());
                Told::new(201, "").with("docker-content-digest", pushed.to_string())
            }
            ("DELETE", _, None) if self.flavor == Flavor::Classic => {
                Told::error(400, "DIGEST_INVALID")
            }
            (_, None, _) => Told::error(404, "MANIFEST_UNKNOWN"),
            ("DELETE", Some(_), None) => {
                rows.remove(&reference);
                Told::new(202, "")
            }
            ("DELETE", Some(found), Some(_)) => {
                rows.retain(|_, row| row.digest != found);
                Told::new(202, "")
            }
            (method, Some(found), _) => {
                let (media_type, bytes) = state.bytes[&found].clone();
                if media_type.contains("index") && !asked.header("accept").contains(&media_type) {
                    return Told::error(404, "MANIFEST_UNKNOWN");
                }
                let body = if method == "HEAD" { Vec::new() } else { bytes };
                let told = Told::new(200, body).with("content-type", media_type);
                told.with("docker-content-digest", found.to_string())
            }
        }
    }

    fn missing_child(&self, repository: &str, bytes: &[u8]) -> Option<String> {
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let state = self.state.lock().unwrap();
        let rows = &state.rows[repository];
        let children = document["manifests"].as_array()?.iter();
        let mut children = children.map(|child| child["digest"].as_str().unwrap().to_owned());
        children.find(|child| !rows.values().any(|row| row.digest.as_str() == child))
    }

    fn gitea(&self, asked: &Asked, path: &str) -> Told {
        if path == "version" {
            return Told::new(200, r#"{"version":"1.25.2"}"#);
        }
        let decoded = path.replace("%2F", "/").replace("%3A", ":");
        let rest = decoded.strip_prefix("packages/").unwrap();
        if asked.method == "DELETE" {
            let (owner, rest) = rest.split_once("/container/").unwrap();
            let (name, version) = rest.rsplit_once('/').unwrap();
            assert!(!version.is_empty(), "a whole package would be deleted");
            let mut state = self.state.lock().unwrap();
            let rows = state.rows.get_mut(&format!("{owner}/{name}"));
            let removed = rows.and_then(|rows| rows.remove(version));
            return Told::new(if removed.is_some() { 204 } else { 404 }, "");
        }
        let state = self.state.lock().unwrap();
        let mut all: Vec<serde_json::Value> = Vec::new();
        for (path, rows) in &state.rows {
            let Some(name) = path.strip_prefix(&format!("{rest}/")) else {
                continue;
            };
            all.extend(rows.iter().map(|(version, row)| {
                json!({"id": row.id, "type": "container", "name": name, "version": version,
                       "created_at": row.made})
            }));
        }
        all.extend(state.others.iter().map(|(id, kind, name, version)| {
            json!({"id": id, "type": kind, "name": name, "version": version,
                   "created_at": "2026-01-01T00:00:00Z"})
        }));
        let number: usize = asked.parameter("page").unwrap().parse().unwrap();
        let limit: usize = asked.parameter("limit").unwrap().parse().unwrap();
        let page = all.iter().skip((number - 1) * limit.min(self.page));
        let page: Vec<_> = page.take(limit.min(self.page)).collect();
        Told::new(200, json!(page).to_string()).with("x-total-count", all.len().to_string())
    }
}

/// A manifest to push.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Image {
    fn of(media_type: &str, document: &serde_json::Value) -> Self {
        let bytes = document.to_string().into_bytes();
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    /// An image of which nothing matters but that it is another one.
    pub(crate) fn named(name: &str) -> Self {
        Self::about(name, None)
    }

    /// One that says something of another.
    pub(crate) fn about(name: &str, subject: Option<&Image>) -> Self {
        let config = json!({"digest": Digest::of(name.as_bytes()), "size": 1});
        let mut document = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config,
                                  "layers": []});
        if let Some(subject) = subject {
            document["subject"] = json!({"digest": subject.digest, "size": subject.bytes.len()});
        }
        Self::of(IMAGE, &document)
    }

    pub(crate) fn index(children: &[&Image]) -> Self {
        let children: Vec<_> = children
            .iter()
            .map(|child| {
                json!({"mediaType": child.media_type, "digest": child.digest,
                       "size": child.bytes.len()})
            })
            .collect();
        Self::of(
            INDEX,
            &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}),
        )
    }
}
