//! Images, pushed to a registry by its API as builders do.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};
use underpin_image::Digest;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Pushes an image with a layer of its own, under tags.
pub(crate) fn image(host: &str, repository: &str, name: &str, tags: &[&str]) -> Digest {
    let layer = blob(host, repository, format!("layer of {name}").as_bytes());
    let config = json!({"architecture": "amd64", "os": "linux", "author": name});
    let config = blob(host, repository, config.to_string().as_bytes());
    let document = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": described("application/vnd.oci.image.config.v1+json", &config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    manifest(host, repository, IMAGE, &document, tags)
}

/// Pushes an index of images that are there, under tags.
pub(crate) fn index(host: &str, repository: &str, tags: &[&str], children: &[Digest]) -> Digest {
    let children = children.iter().map(|child| {
        let path = format!("/v2/{repository}/manifests/{child}");
        let there = request(host, "GET", &path, &[("Accept", IMAGE)], &[]);
        json!({"mediaType": IMAGE, "digest": child, "size": there.body.len()})
    });
    let children: Vec<Value> = children.collect();
    let document = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    manifest(host, repository, INDEX, &document, tags)
}

/// Deletes a manifest with all its tags.
pub(crate) fn delete(host: &str, repository: &str, digest: &Digest) {
    let path = format!("/v2/{repository}/manifests/{digest}");
    assert_eq!(
        request(host, "DELETE", &path, &[], &[]).status,
        202,
        "{path}"
    );
}

/// All tags of a repository.
pub(crate) fn tags(host: &str, repository: &str) -> Vec<String> {
    let told = request(
        host,
        "GET",
        &format!("/v2/{repository}/tags/list"),
        &[],
        &[],
    );
    let listed: Value = serde_json::from_slice(&told.body).unwrap();
    let tags = listed["tags"].as_array().unwrap().iter();
    tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

fn described(media_type: &str, (digest, size): &(Digest, usize)) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

fn manifest(host: &str, repository: &str, kind: &str, document: &Value, tags: &[&str]) -> Digest {
    let bytes = document.to_string().into_bytes();
    let digest = Digest::of(&bytes);
    let own = digest.to_string();
    for reference in tags.iter().copied().chain([own.as_str()]) {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let told = request(host, "PUT", &path, &[("Content-Type", kind)], &bytes);
        assert_eq!(told.status, 201, "{path}");
    }
    digest
}

fn blob(host: &str, repository: &str, bytes: &[u8]) -> (Digest, usize) {
    let begun = request(
        host,
        "POST",
        &format!("/v2/{repository}/blobs/uploads/"),
        &[],
        &[],
    );
    assert_eq!(begun.status, 202);
    let location = begun.header("location");
    let location = location
        .split_once(host)
        .map_or(&*location, |(_, path)| path)
        .to_owned();
    let digest = Digest::of(bytes);
    let sign = if location.contains('?') { '&' } else { '?' };
    let path = format!("{location}{sign}digest={digest}");
    let kind = [("Content-Type", "application/octet-stream")];
    let told = request(host, "PUT", &path, &kind, bytes);
    assert_eq!(told.status, 201, "{path}");
    (digest, bytes.len())
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .next()
            .map(|(_, value)| value.trim().to_owned())
            .unwrap()
    }
}

/// One request on a connection of its own; HTTP/1.0, so that no answer comes in pieces.
fn request(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(host).unwrap();
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {host}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).unwrap();
    let end = told
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(told[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: told[end + 4..].to_vec(),
    }
}
