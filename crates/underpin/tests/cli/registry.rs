//! A stand-in for a registry: lists, tags and manifests, over HTTP, with answers that go wrong where a test
//! wants it. It deletes a manifest with its tags and no tag alone. Not the real thing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use underpin_image::Digest;

use crate::harness::fixtures;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What it holds.
#[derive(Default)]
struct Content {
    /// What tags point to, by repository.
    tags: BTreeMap<String, BTreeMap<String, Digest>>,
    manifests: BTreeMap<Digest, (String, Vec<u8>)>,
    blobs: BTreeSet<Digest>,
    /// Beginnings of paths that are refused.
    refused: Vec<String>,
    /// Files that it serves besides, by path.
    files: BTreeMap<String, String>,
    /// How often manifests were read.
    manifests_read: usize,
}

/// A registry that is served until the test ends.
pub(crate) struct Registry {
    pub(crate) host: String,
    content: Arc<Mutex<Content>>,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let content = Arc::new(Mutex::new(Content::default()));
        let served = Arc::clone(&content);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let content = Arc::clone(&served);
                thread::spawn(move || serve(stream, &content));
            }
        });
        Self { host, content }
    }

    /// Copies a folder of the fixtures to another place, with the name of this registry filled in.
    pub(crate) fn fixture(&self, name: &str, to: &Path) {
        self.copy(&fixtures().join(name), to);
    }

    fn copy(&self, from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder of fixtures") {
            let path = entry.expect("an entry").path();
            let target = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                self.copy(&path, &target);
            } else {
                let text = fs::read_to_string(path).expect("a fixture");
                fs::write(target, text.replace("REGISTRY", &self.host)).expect("a file");
            }
        }
    }

    /// Pushes an image that is another one for each name.
    pub(crate) fn push(&self, repository: &str, name: &str, tags: &[&str]) -> Digest {
        let config = Digest::of(format!("configuration of {name}").as_bytes());
        let layer = layer_of(name);
        {
            let mut content = self.content.lock().expect("no test panicked");
            content.blobs.extend([config.clone(), layer.clone()]);
        }
        self.put(
            repository,
            tags,
            IMAGE,
            &json!({
                "schemaVersion": 2, "mediaType": IMAGE,
                "config": {"digest": config, "size": 1000},
                "layers": [{"digest": layer, "size": 5_000_000}],
            }),
        )
    }

    /// Pushes an index of images that are there.
    pub(crate) fn push_index(
        &self,
        repository: &str,
        tags: &[&str],
        children: &[Digest],
    ) -> Digest {
        let children = children
            .iter()
            .map(|child| json!({"digest": child, "size": 300}));
        let children: Vec<Value> = children.collect();
        self.put(
            repository,
            tags,
            INDEX,
            &json!({
                "schemaVersion": 2, "mediaType": INDEX, "manifests": children,
            }),
        )
    }

    fn put(&self, repository: &str, tags: &[&str], kind: &'static str, document: &Value) -> Digest {
        let bytes = document.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let mut content = self.content.lock().expect("no test panicked");
        let kept = (kind.to_owned(), bytes);
        content.manifests.insert(digest.clone(), kept);
        let of = content.tags.entry(repository.to_owned()).or_default();
        for tag in tags {
            of.insert((*tag).to_owned(), digest.clone());
        }
        digest
    }

    /// Takes a tag away.
    pub(crate) fn untag(&self, repository: &str, tag: &str) {
        let mut content = self.content.lock().expect("no test panicked");
        let tags = content.tags.get_mut(repository).expect("it was pushed");
        tags.remove(tag).expect("it was pushed");
    }

    /// Takes a manifest or blob away, and leaves whatever names it.
    pub(crate) fn lose(&self, digest: &Digest) {
        let mut content = self.content.lock().expect("no test panicked");
        let is_manifest = content.manifests.remove(digest).is_some();
        let is_blob = content.blobs.remove(digest);
        assert!(is_manifest || is_blob, "it was pushed");
    }

    /// Serves a file.
    pub(crate) fn serve(&self, path: &str, text: &str) {
        let mut content = self.content.lock().expect("no test panicked");
        content.files.insert(path.to_owned(), text.to_owned());
    }

    /// From now on, what begins so is refused.
    pub(crate) fn refuse(&self, path: &str) {
        self.content
            .lock()
            .expect("no test panicked")
            .refused
            .push(path.to_owned());
    }

    /// What tags point to.
    pub(crate) fn tags(&self, repository: &str) -> BTreeMap<String, Digest> {
        let content = self.content.lock().expect("no test panicked");
        content.tags.get(repository).cloned().unwrap_or_default()
    }

    /// All manifests, byte for byte.
    pub(crate) fn manifests(&self) -> BTreeMap<Digest, Vec<u8>> {
        let content = self.content.lock().expect("no test panicked");
        let manifests = content.manifests.iter();
        manifests
            .map(|(digest, (_, bytes))| (digest.clone(), bytes.clone()))
            .collect()
    }

    /// How often manifests were read.
    pub(crate) fn manifests_read(&self) -> usize {
        let content = self.content.lock().expect("no test panicked");
        content.manifests_read
    }
}

/// The layer of an image that was pushed under a name.
pub(crate) fn layer_of(name: &str) -> Digest {
    Digest::of(format!("layer of {name}").as_bytes())
}

/// Answers the requests of one connection.
fn serve(mut stream: TcpStream, content: &Mutex<Content>) {
    let Ok(read) = stream.try_clone() else { return };
    let mut read = BufReader::new(read);
    while let Some((first, head)) = head(&mut read) {
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if read.read_exact(&mut body).is_err() {
            return;
        }
        let mut words = first.split(' ');
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let (status, headers, body) = {
            let mut content = content.lock().expect("no test panicked");
            let path = path.split('?').next().unwrap_or_default();
            let is_read = method == "GET" && path.contains("/manifests/");
            content.manifests_read += usize::from(is_read);
            match method {
                "DELETE" => delete(path, &mut content),
                "PUT" => put(path, header(&head, "content-type"), body, &mut content),
                _ => answer(path, &content),
            }
        };
        let length = body.len();
        let mut answer = format!(
            "HTTP/1.1 {status} -\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
             {headers}Content-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        if method != "HEAD" {
            answer.extend(body);
        }
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// The first line of a request and its headers.
fn head(read: &mut BufReader<TcpStream>) -> Option<(String, Vec<String>)> {
    let mut lines = read.lines().map_while(Result::ok);
    let first = lines.next()?;
    Some((first, lines.take_while(|line| !line.is_empty()).collect()))
}

fn header<'h>(head: &'h [String], name: &str) -> Option<&'h str> {
    let mut fields = head.iter().filter_map(|line| line.split_once(": "));
    let found = fields.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

/// Deletes a manifest with all its tags.
fn delete(path: &str, content: &mut Content) -> (u16, String, Vec<u8>) {
    let Some((repository, reference)) = of_manifest(path) else {
        return (404, String::new(), Vec::new());
    };
    let Ok(digest) = reference.parse::<Digest>() else {
        return error(405, "UNSUPPORTED");
    };
    if content.manifests.remove(&digest).is_none() {
        return error(404, "MANIFEST_UNKNOWN");
    }
    if let Some(tags) = content.tags.get_mut(repository) {
        tags.retain(|_, one| *one != digest);
    }
    (202, String::new(), Vec::new())
}

/// Takes a manifest, if what it names is there.
fn put(
    path: &str,
    kind: Option<&str>,
    bytes: Vec<u8>,
    content: &mut Content,
) -> (u16, String, Vec<u8>) {
    let (Some((repository, reference)), Some(kind)) = (of_manifest(path), kind) else {
        return error(400, "MANIFEST_INVALID");
    };
    let is_there =
        |digest: &Digest| content.blobs.contains(digest) || content.manifests.contains_key(digest);
    if !named(&bytes).iter().all(is_there) {
        return error(400, "MANIFEST_BLOB_UNKNOWN");
    }
    let digest = Digest::of(&bytes);
    let kept = (kind.to_owned(), bytes);
    content.manifests.insert(digest.clone(), kept);
    if reference.parse::<Digest>().is_err() {
        let tags = content.tags.entry(repository.to_owned()).or_default();
        tags.insert(reference.to_owned(), digest.clone());
    }
    let headers = format!("Docker-Content-Digest: {digest}\r\n");
    (201, headers, Vec::new())
}

fn of_manifest(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/v2/")?.split_once("/manifests/")
}

/// What a manifest is made of.
fn named(bytes: &[u8]) -> Vec<Digest> {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let lists = ["layers", "manifests"].map(|list| document[list].as_array().cloned());
    let parts = lists.into_iter().flatten().flatten();
    let parts = parts.chain([document["config"].clone()]);
    let digests = parts.filter_map(|part| part["digest"].as_str()?.parse().ok());
    digests.collect()
}

fn answer(path: &str, content: &Content) -> (u16, String, Vec<u8>) {
    if content
        .refused
        .iter()
        .any(|refused| path.starts_with(refused))
    {
        return error(403, "DENIED");
    }
    if let Some(text) = content.files.get(path) {
        return (200, String::new(), text.clone().into_bytes());
    }
    let Some(path) = path.strip_prefix("/v2/") else {
        return (404, String::new(), Vec::new());
    };
    if path == "_catalog" {
        let names: Vec<&String> = content.tags.keys().collect();
        return json_body(&json!({ "repositories": names }));
    }
    if let Some(repository) = path.strip_suffix("/tags/list") {
        return match content.tags.get(repository) {
            Some(tags) => json_body(&json!({ "tags": tags.keys().collect::<Vec<_>>() })),
            None => error(404, "NAME_UNKNOWN"),
        };
    }
    if let Some((_, digest)) = path.split_once("/blobs/") {
        let digest = digest.parse().expect("a digest");
        return if content.blobs.contains(&digest) {
            (200, String::new(), b"blob".to_vec())
        } else {
            error(404, "BLOB_UNKNOWN")
        };
    }
    let Some((repository, reference)) = path.split_once("/manifests/") else {
        return (404, String::new(), Vec::new());
    };
    let tagged = content
        .tags
        .get(repository)
        .and_then(|tags| tags.get(reference));
    let digest = tagged.cloned().or_else(|| reference.parse().ok());
    let found = digest.and_then(|digest| Some((content.manifests.get(&digest)?, digest)));
    match found {
        Some(((kind, bytes), digest)) => {
            let headers = format!("Content-Type: {kind}\r\nDocker-Content-Digest: {digest}\r\n");
            (200, headers, bytes.clone())
        }
        None => error(404, "MANIFEST_UNKNOWN"),
    }
}

fn json_body(value: &Value) -> (u16, String, Vec<u8>) {
    let headers = "Content-Type: application/json\r\n".to_owned();
    (200, headers, value.to_string().into_bytes())
}

fn error(status: u16, code: &str) -> (u16, String, Vec<u8>) {
    let (_, headers, body) = json_body(&json!({ "errors": [{ "code": code }] }));
    (status, headers, body)
}
