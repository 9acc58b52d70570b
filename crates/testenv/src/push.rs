//! Images, pushed to a registry by its API as builders do.

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::{self, Client};

/// The media type of images.
pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of indexes.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const BLOB: &str = "application/octet-stream";

/// The digest of what is pushed, written out.
pub fn digest(content: &Value) -> String {
    let hash = Sha256::digest(content.to_string().as_bytes());
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// How a document names a part of it.
pub fn described(media_type: &str, content: &Value) -> Value {
    let (digest, size) = (digest(content), content.to_string().len());
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

/// The manifest of an image of one layer.
pub fn image(config: &Value, layer: &Value) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": described(CONFIG, config), "layers": [described(LAYER, layer)],
    })
}

/// An index of what it describes.
pub fn index(described: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": described})
}

/// Pushes a part of an image.
pub async fn blob(client: &Client, repository: &str, content: &Value) -> Result<()> {
    let begun = api::location(client, &format!("/v2/{repository}/blobs/uploads/")).await?;
    let sign = if begun.contains('?') { '&' } else { '?' };
    let path = format!("{begun}{sign}digest={}", digest(content));
    api::demand(client, "PUT", &path, Some((BLOB, content))).await?;
    Ok(())
}

/// Pushes a manifest under a tag, or its digest.
pub async fn manifest(
    client: &Client,
    repository: &str,
    reference: &str,
    document: &Value,
) -> Result<()> {
    let media_type = document["mediaType"].as_str().unwrap_or(IMAGE);
    let path = format!("/v2/{repository}/manifests/{reference}");
    api::demand(client, "PUT", &path, Some((media_type, document))).await?;
    Ok(())
}
