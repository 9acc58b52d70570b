//! Manifests: what their bytes say of other manifests and of blobs.

use serde_json::Value;

use crate::digest::{Digest, DigestError};

/// Registries take no greater manifests than this.
pub const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// Media types of lists of manifests.
const INDEX_TYPES: &[&str] = &[
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
/// Media types of single manifests.
const IMAGE_TYPES: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.artifact.manifest.v1+json",
];
/// Media types of manifests of before 2016, whose digest is not that of their bytes.
const LEGACY_TYPES: &[&str] = &[
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// Every media type of manifests, as a request accepts them.
pub fn manifest_types() -> impl Iterator<Item = &'static str> {
    let all = [INDEX_TYPES, IMAGE_TYPES, LEGACY_TYPES];
    all.into_iter().flatten().copied()
}

/// What a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// A list of manifests, such as one for each platform.
    Index,
    /// An image or artifact: configuration and layers.
    Image,
    /// One of schema 1. It cannot be put back for certain: what names it is not the hash of its
    /// bytes.
    Legacy,
}

/// What one document says of another manifest or blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its digest.
    pub digest: Digest,
    /// How many bytes it has, if that is said.
    pub size: Option<u64>,
    /// `linux/arm64/v8`, of children of an index that say so.
    pub platform: Option<String>,
}

/// A manifest, as far as it concerns what is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: ManifestKind,
    /// Its media type: what it is put back under.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// Children of an index.
    pub children: Vec<Descriptor>,
    /// The configuration of an image.
    pub config: Option<Descriptor>,
    /// The layers of an image, or the blobs of an artifact.
    pub layers: Vec<Descriptor>,
    /// What it says something of: a signature's image.
    pub subject: Option<Digest>,
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than registries take.
    #[error("the manifest has {0} bytes, and at most {MANIFEST_LIMIT} are read")]
    TooLarge(usize),
    /// The registry answered with other bytes than those asked for.
    #[error("the registry answered with bytes of the digest {0}")]
    WrongDigest(Digest),
    /// Not JSON, or no object.
    #[error("the manifest is no JSON object")]
    Json,
    /// It can be read as an index and as an image.
    #[error("the manifest holds both `manifests` and `layers`: what it is depends on the reader")]
    Ambiguous,
    /// A kind that is not known.
    #[error("the manifest is of the type `{0}`, which is not known")]
    UnknownType(String),
    /// A part that is not as it must be.
    #[error("`{path}` in the manifest {problem}")]
    Part {
        /// Which.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl Manifest {
    /// Reads the manifest of a digest. `content_type` is what the registry called it.
    pub fn read(
        digest: &Digest,
        content_type: Option<&str>,
        bytes: &[u8],
    ) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_LIMIT {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let document: Value = serde_json::from_slice(bytes).map_err(|_| ManifestError::Json)?;
        if !document.is_object() {
            return Err(ManifestError::Json);
        }
        let (kind, media_type) = kind(&document, content_type)?;
        if kind != ManifestKind::Legacy && !digest.is_of(bytes) {
            return Err(ManifestError::WrongDigest(Digest::of(bytes)));
        }
        let mut manifest = Self {
            kind,
            media_type,
            size: bytes.len() as u64,
            children: Vec::new(),
            config: None,
            layers: Vec::new(),
            subject: None,
        };
        match kind {
            ManifestKind::Index => manifest.children = descriptors(&document, "manifests")?,
            ManifestKind::Image => {
                manifest.config = one_descriptor(&document, "config")?;
                manifest.layers = descriptors(&document, "layers")?;
                manifest.layers.extend(descriptors(&document, "blobs")?);
            }
            ManifestKind::Legacy => manifest.layers = legacy_layers(&document)?,
        }
        let subject = one_descriptor(&document, "subject")?;
        manifest.subject = subject.map(|descriptor| descriptor.digest);
        Ok(manifest)
    }

    /// The blobs that it is made of.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }
}

/// What it is: as it says itself, else as the registry says, else by what it holds.
fn kind(
    document: &Value,
    content_type: Option<&str>,
) -> Result<(ManifestKind, String), ManifestError> {
    let has = |key: &str| document.get(key).is_some_and(Value::is_array);
    let (is_index, is_image) = (has("manifests"), has("layers"));
    if is_index && is_image {
        return Err(ManifestError::Ambiguous);
    }
    if document.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        let media_type = content_type.filter(|named| LEGACY_TYPES.contains(named));
        let media_type = media_type.unwrap_or(LEGACY_TYPES[1]);
        return Ok((ManifestKind::Legacy, media_type.to_owned()));
    }
    let content_type = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
    let named = document.get("mediaType").and_then(Value::as_str);
    let named = named.or(content_type.filter(|text| manifest_types().any(|known| known == *text)));
    let kind = match named {
        Some(named) if INDEX_TYPES.contains(&named) => Some(ManifestKind::Index),
        Some(named) if IMAGE_TYPES.contains(&named) => Some(ManifestKind::Image),
        Some(named) => return Err(ManifestError::UnknownType(crate::excerpt(named))),
        None if is_index => Some(ManifestKind::Index),
        None if is_image => Some(ManifestKind::Image),
        None => None,
    };
    let kind = kind.ok_or_else(|| {
        ManifestError::UnknownType(crate::excerpt(content_type.unwrap_or_default()))
    })?;
    // Who reads it by its type and who reads it by its content must read the same.
    if (kind == ManifestKind::Index && is_image) || (kind == ManifestKind::Image && is_index) {
        return Err(ManifestError::Ambiguous);
    }
    let default = if kind == ManifestKind::Index {
        INDEX_TYPES[0]
    } else {
        IMAGE_TYPES[0]
    };
    Ok((kind, named.unwrap_or(default).to_owned()))
}

fn part(path: &str, problem: impl Into<String>) -> ManifestError {
    ManifestError::Part {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

fn one_descriptor(document: &Value, key: &str) -> Result<Option<Descriptor>, ManifestError> {
    match document.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => descriptor(value, key).map(Some),
    }
}

fn descriptors(document: &Value, key: &str) -> Result<Vec<Descriptor>, ManifestError> {
    let items = match document.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(value) => value.as_array().ok_or_else(|| part(key, "is no list"))?,
    };
    let read = items
        .iter()
        .enumerate()
        .map(|(at, item)| descriptor(item, &format!("{key}[{at}]")));
    read.collect()
}

fn descriptor(value: &Value, path: &str) -> Result<Descriptor, ManifestError> {
    let platform = value.get("platform").and_then(platform);
    Ok(Descriptor {
        digest: digest_at(value, "digest", path)?,
        size: value.get("size").and_then(Value::as_u64),
        platform,
    })
}

fn digest_at(value: &Value, key: &str, path: &str) -> Result<Digest, ManifestError> {
    let text = value.get(key).and_then(Value::as_str);
    let text = text.ok_or_else(|| part(path, format!("has no `{key}`")))?;
    text.parse()
        .map_err(|error: DigestError| part(path, format!("has no `{key}` that is one: {error}")))
}

/// `linux/arm64/v8`.
fn platform(value: &Value) -> Option<String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let parts = [text("os")?, text("architecture")?];
    let variant = text("variant").filter(|variant| !variant.is_empty());
    let parts: Vec<&str> = parts.into_iter().chain(variant).collect();
    Some(parts.join("/"))
}

fn legacy_layers(document: &Value) -> Result<Vec<Descriptor>, ManifestError> {
    let layers = document.get("fsLayers").and_then(Value::as_array);
    let layers = layers.into_iter().flatten().enumerate();
    let read = layers.map(|(at, layer)| {
        let path = format!("fsLayers[{at}]");
        Ok(Descriptor {
            digest: digest_at(layer, "blobSum", &path)?,
            size: None,
            platform: None,
        })
    });
    read.collect()
}
