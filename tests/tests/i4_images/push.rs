//! Images, pushed to a registry by its API as builders do.

use anyhow::Result;
use serde_json::json;
use tokio::runtime::Builder;
use underpin_image::Digest;
use underpin_testenv::{
    Kubeconfig,
    api::{self, Client},
    push::{self, IMAGE},
};

/// Pushes an image with a layer of its own, under tags.
pub(crate) fn image(host: &str, repository: &str, name: &str, tags: &[&str]) -> Digest {
    let layer = json!(format!("layer of {name}"));
    let config = json!({"architecture": "amd64", "os": "linux", "author": name});
    let document = push::image(&config, &layer);
    asked(host, async |client| {
        for part in [&layer, &config] {
            push::blob(&client, repository, part).await?;
        }
        manifest(&client, repository, &document, tags).await
    })
}

/// Pushes an index of images that are there, under tags.
pub(crate) fn index(host: &str, repository: &str, tags: &[&str], children: &[Digest]) -> Digest {
    asked(host, async |client| {
        let mut described = Vec::new();
        for child in children {
            let path = format!("/v2/{repository}/manifests/{child}");
            let size = api::read(&client, "GET", &path, IMAGE).await?.len();
            described.push(json!({"mediaType": IMAGE, "digest": child, "size": size}));
        }
        manifest(&client, repository, &push::index(&described), tags).await
    })
}

/// Deletes a manifest with all its tags.
pub(crate) fn delete(host: &str, repository: &str, digest: &Digest) {
    let path = format!("/v2/{repository}/manifests/{digest}");
    asked(host, async |client| {
        api::demand(&client, "DELETE", &path, None).await
    });
}

/// All tags of a repository.
pub(crate) fn tags(host: &str, repository: &str) -> Vec<String> {
    let path = format!("/v2/{repository}/tags/list");
    let listed = asked(host, async |client| {
        api::demand(&client, "GET", &path, None).await
    });
    let tags = listed["tags"].as_array().unwrap().iter();
    tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

async fn manifest(
    client: &Client,
    repository: &str,
    document: &serde_json::Value,
    tags: &[&str],
) -> Result<Digest> {
    let digest = push::digest(document);
    for reference in tags.iter().copied().chain([digest.as_str()]) {
        push::manifest(client, repository, reference, document).await?;
    }
    Ok(digest.parse()?)
}

/// What comes of requests to a registry.
fn asked<T>(host: &str, ask: impl AsyncFnOnce(Client) -> Result<T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(async {
        let client = Kubeconfig::plain(&format!("http://{host}"));
        ask(api::client(&client).await?).await
    });
    answer.unwrap()
}
