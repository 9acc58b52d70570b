//! What a revision applied, redacted by whoever hands it in, in a ConfigMap beside the claim.
//!
//! The ConfigMap is named by its content, so that revisions that applied the same share one, and is
//! written before the history refers to it. One that no history refers to is swept by the next run.

use std::io::{Read as _, Write as _};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use underpin_model::{Object, names};

use super::{
    ClaimStore,
    store::{LABEL_LIMIT, NAME_ANNOTATION, config_map_kind},
    stored::{digest, shorten},
};
use crate::ClusterError;

/// Version of the stored form.
const FORMAT: &str = "underpin.dev/revision/v1";
/// The one key of the ConfigMap's binary data.
const KEY: &str = "revision";
/// Bytes of compressed content that one ConfigMap holds; the API server's limit is 1 MiB. Every read
/// of a world transfers them, so it is kept well below.
const COMPRESSED_LIMIT: usize = 512 * 1024;
/// Bytes that stored content may expand to: whoever can write the ConfigMap must not fill the memory.
const EXPANDED_LIMIT: usize = 64 << 20;
/// Hexadecimal digits of the content's digest in the name.
const NAME_DIGITS: usize = 8;

/// What one revision applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRevision {
    /// Which key the fingerprints in it are made with; those of different keys cannot be compared.
    pub fingerprint_key: Option<String>,
    /// The objects, redacted, sorted.
    pub objects: Vec<Value>,
}

/// Why the content of a revision cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// It does not fit.
    #[error("{how} it has {size} bytes, and {limit} fit")]
    TooLarge {
        /// Whether the size is that of the compressed form.
        how: &'static str,
        /// Its size.
        size: usize,
        /// What fits.
        limit: usize,
    },
    /// The ConfigMap is not there.
    #[error("ConfigMap {0} is not there any more")]
    Missing(String),
    /// It is not what was written.
    #[error("ConfigMap {name} is damaged: {reason}")]
    Damaged {
        /// The ConfigMap.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server, or the way to it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

#[derive(Deserialize)]
struct Document {
    format: String,
    #[serde(flatten)]
    revision: StoredRevision,
}

/// A [`Document`] to be written; the fields are sorted, for the text names the ConfigMap.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'r> {
    fingerprint_key: &'r Option<String>,
    format: &'static str,
    objects: &'r [Value],
}

impl ClaimStore {
    /// Writes the content of a revision beside claim `name`; returns the ConfigMap's name, for the
    /// history.
    pub async fn store_revision(
        &self,
        name: &str,
        revision: &StoredRevision,
    ) -> Result<String, RevisionError> {
        let text = serde_json::to_string(&Written {
            fingerprint_key: &revision.fingerprint_key,
            format: FORMAT,
            objects: &revision.objects,
        })
        .map_err(|error| damaged(name, &error.to_string()))?;
        let stored = format!("{name}.r{}", &digest(&text)[..NAME_DIGITS]);
        let data = STANDARD.encode(compress(&stored, &text)?);
        let value = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": stored,
                "namespace": self.namespace,
                "labels": {names::REVISION_LABEL: shorten(name, LABEL_LIMIT)},
                "annotations": {NAME_ANNOTATION: name},
            },
            "binaryData": {KEY: data},
        });
        match self
            .create_object(&config_map_kind(), &self.key(&stored), value)
            .await
        {
            Ok(_) => Ok(stored),
            // Named by its content: of an earlier revision, or of a run that was cut.
            Err(error) if error.is_already_exists() => match self.load_revision(&stored).await? {
                there if there == *revision => Ok(stored),
                _ => Err(damaged(&stored, "something else is stored under its name")),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// What the ConfigMap of that name holds.
    pub async fn load_revision(&self, stored: &str) -> Result<StoredRevision, RevisionError> {
        let object = self
            .cluster
            .get(&config_map_kind(), &self.key(stored))
            .await?
            .ok_or_else(|| RevisionError::Missing(stored.to_owned()))?;
        decode(stored, &object)
    }
}

fn compress(name: &str, text: &str) -> Result<Vec<u8>, RevisionError> {
    fits("expanded", text.len(), EXPANDED_LIMIT)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .map_err(|error| damaged(name, &error.to_string()))?;
    fits("compressed", compressed.len(), COMPRESSED_LIMIT)?;
    Ok(compressed)
}

fn fits(how: &'static str, size: usize, limit: usize) -> Result<(), RevisionError> {
    if size > limit {
        return Err(RevisionError::TooLarge { how, size, limit });
    }
    Ok(())
}

fn decode(name: &str, object: &Object) -> Result<StoredRevision, RevisionError> {
    let damaged = |reason: &str| damaged(name, reason);
    let encoded = object
        .at("/binaryData")
        .and_then(|data| data.get(KEY)?.as_str())
        .ok_or_else(|| damaged("it holds no revision"))?;
    let compressed = STANDARD
        .decode(encoded)
        .map_err(|_| damaged("it is not base64"))?;
    let mut text = String::new();
    GzDecoder::new(compressed.as_slice())
        .take(EXPANDED_LIMIT as u64)
        .read_to_string(&mut text)
        .map_err(|error| damaged(&error.to_string()))?;
    let document: Document =
        serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
    if document.format == FORMAT {
        Ok(document.revision)
    } else {
        Err(damaged(&format!(
            "it is stored as `{}`, and this version of Underpin reads `{FORMAT}`",
            document.format
        )))
    }
}

fn damaged(name: &str, reason: &str) -> RevisionError {
    RevisionError::Damaged {
        name: name.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that does not compress well: hexadecimal digits of a counter's digests.
    fn noise(bytes: usize) -> String {
        let mut text = String::new();
        for number in 0.. {
            if text.len() >= bytes {
                break;
            }
            text.push_str(&digest(&format!("{number}")));
        }
        text
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(compress("r", &noise(COMPRESSED_LIMIT)).is_ok());
        let error = compress("r", &noise(3 * COMPRESSED_LIMIT)).unwrap_err();
        assert!(
            error.to_string().starts_with("compressed it has"),
            "{error}"
        );
        let error = compress("r", &" ".repeat(EXPANDED_LIMIT + 1)).unwrap_err();
        assert!(error.to_string().starts_with("expanded it has"), "{error}");
    }

    #[track_caller]
    fn check(binary: &Value, expect: &str) {
        let object = Object::from_value(
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "x", "namespace": "underpin-system"},
                "binaryData": binary,
            }),
            underpin_model::Depth::Full,
            underpin_model::Origin::Live,
        )
        .unwrap();
        let error = decode("x", &object).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn what_is_damaged_is_told() {
        let zipped = |text: &str| json!({KEY: STANDARD.encode(compress("x", text).unwrap())});
        check(&json!({}), "holds no revision");
        check(&json!({KEY: "%"}), "not base64");
        check(&json!({KEY: STANDARD.encode("plain")}), "damaged");
        check(&zipped("{}"), "damaged");
        check(
            &zipped(r#"{"format": "underpin.dev/revision/v9", "objects": []}"#),
            "reads `underpin.dev/revision/v1`",
        );
        let half = compress("x", &noise(4096)).unwrap();
        check(
            &json!({KEY: STANDARD.encode(&half[..half.len() / 2])}),
            "damaged",
        );
    }
}
