//! Helm releases as Helm 3 stores them: a Secret of type `helm.sh/release.v1` whose `release`
//! entry is base64 of gzip of JSON, on top of the base64 that every Secret's data has.
//!
//! Source: Helm `pkg/storage/driver/util.go`, `pkg/release/release.go`.

use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use serde::Deserialize;
use underpin_model::{Object, Origin};

use crate::{Diagnostic, manifests::objects_of_text};

/// Largest release, unpacked. A stored release is below 1 MiB, and text packs about tenfold.
pub const MAX_RELEASE_BYTES: u64 = 64 << 20;

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// A decoded release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Release name.
    pub name: String,
    /// Namespace of the release, in which objects without a namespace of their own live.
    pub namespace: String,
    /// Revision, counted from 1.
    pub version: u64,
    /// State, such as `deployed`, `superseded`, `uninstalled`, `failed`.
    pub status: String,
    /// Chart name and version, `name-1.2.3`; empty if the release does not say.
    pub chart: String,
    /// What the release consists of, as rendered; namespaces are left as the manifest has them.
    pub objects: Vec<Object>,
    /// What hooks create; an uninstall leaves these behind.
    pub hooks: Vec<Object>,
    /// What of the manifest could not be understood: the objects are then incomplete.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a payload is not a readable release.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not base64.
    #[error("the Helm release is not valid base64")]
    Base64,
    /// Broken compression.
    #[error("the Helm release cannot be unpacked: {0}")]
    Gzip(std::io::Error),
    /// More than any release holds.
    #[error("the Helm release is larger than {MAX_RELEASE_BYTES} bytes unpacked")]
    TooLarge,
    /// Not the JSON of a release. The place only: the text may hold secrets.
    #[error("the Helm release is not the JSON of a release (line {line}, column {column})")]
    Json {
        /// Line in the unpacked text.
        line: usize,
        /// Column in the unpacked text.
        column: usize,
    },
}

#[derive(Deserialize)]
struct Stored {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    info: Info,
    #[serde(default)]
    chart: Option<Chart>,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    hooks: Option<Vec<Hook>>,
}

#[derive(Default, Deserialize)]
struct Info {
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
struct Chart {
    #[serde(default)]
    metadata: Option<ChartMetadata>,
}

#[derive(Deserialize)]
struct ChartMetadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct Hook {
    #[serde(default)]
    manifest: String,
}

/// Decodes the `release` entry of a release Secret as the API shows it, or of a release ConfigMap
/// (which lacks the outer base64). Releases from before Helm packed them are read too.
pub fn decode(data_base64: &str) -> Result<Release, DecodeError> {
    let text = unpack(data_base64)?;
    let stored: Stored = serde_json::from_slice(&text).map_err(|error| DecodeError::Json {
        line: error.line(),
        column: error.column(),
    })?;
    let label = format!(
        "Helm release {}/{} revision {}",
        stored.namespace, stored.name, stored.version
    );
    let origin = Origin::Recorded(label.clone());
    let (objects, mut diagnostics) = objects_of_text(&label, &stored.manifest, &origin);
    let mut hooks = Vec::new();
    for hook in stored.hooks.into_iter().flatten() {
        let (objects, problems) = objects_of_text(&label, &hook.manifest, &origin);
        hooks.extend(objects);
        diagnostics.extend(problems);
    }
    let chart = stored.chart.and_then(|chart| chart.metadata);
    Ok(Release {
        name: stored.name,
        namespace: stored.namespace,
        version: stored.version,
        status: stored.info.status,
        chart: chart.map_or_else(String::new, |chart| {
            format!("{}-{}", chart.name, chart.version)
        }),
        objects,
        hooks,
        diagnostics,
    })
}

fn unpack(data: &str) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = decode_base64(data.as_bytes())?;
    let is_final = |bytes: &[u8]| bytes.starts_with(&GZIP_MAGIC) || bytes.starts_with(b"{");
    if !is_final(&bytes) {
        bytes = decode_base64(&bytes)?;
    }
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes.as_slice())
        .take(MAX_RELEASE_BYTES + 1)
        .read_to_end(&mut unpacked)
        .map_err(DecodeError::Gzip)?;
    if unpacked.len() as u64 > MAX_RELEASE_BYTES {
        return Err(DecodeError::TooLarge);
    }
    Ok(unpacked)
}

fn decode_base64(data: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let compact: Vec<u8> = data
        .iter()
        .copied()
        .filter(|b| !b.is_ascii_whitespace())
        .collect();
    STANDARD.decode(compact).map_err(|_| DecodeError::Base64)
}
