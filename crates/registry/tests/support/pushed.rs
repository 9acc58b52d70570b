//! Images as files, pushed by skopeo.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use underpin_image::Digest;
use underpin_testenv::skopeo;

use super::memory::{IMAGE, INDEX};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An OCI layout in a folder.
pub(crate) struct Layout {
    folder: TempDir,
    named: BTreeMap<String, Value>,
}

impl Layout {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
        let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
        fs::write(folder.path().join("oci-layout"), version).unwrap();
        Self {
            folder,
            named: BTreeMap::new(),
        }
    }

    fn blob(&self, bytes: &[u8], media_type: &str) -> Value {
        let digest = Digest::of(bytes);
        let path: PathBuf = self
            .folder
            .path()
            .join("blobs/sha256")
            .join(digest.encoded());
        fs::write(path, bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// An image with one tiny layer, on a platform, perhaps about another manifest.
    pub(crate) fn image(
        &mut self,
        name: &str,
        architecture: &str,
        about: Option<&Digest>,
    ) -> Digest {
        let mut layer = vec![0_u8; 1024];
        layer[..name.len()].copy_from_slice(name.as_bytes());
        let layer = self.blob(&layer, LAYER);
        let config = json!({"architecture": architecture, "os": "linux", "author": name,
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}});
        let config = self.blob(config.to_string().as_bytes(), CONFIG);
        let mut manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config,
            "layers": [layer]});
        if let Some(subject) = about {
            let size = fs::metadata(
                self.folder
                    .path()
                    .join("blobs/sha256")
                    .join(subject.encoded()),
            );
            manifest["subject"] =
                json!({"mediaType": IMAGE, "digest": subject, "size": size.unwrap().len()});
        }
        self.add(name, &manifest, IMAGE, Some(architecture))
    }

    /// An index of images that were made before.
    pub(crate) fn index(&mut self, name: &str, children: &[&str]) -> Digest {
        let children: Vec<Value> = children
            .iter()
            .map(|child| self.named[*child].clone())
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
        self.add(name, &index, INDEX, None)
    }

    fn add(
        &mut self,
        name: &str,
        document: &Value,
        media_type: &str,
        architecture: Option<&str>,
    ) -> Digest {
        let mut descriptor = self.blob(document.to_string().as_bytes(), media_type);
        let digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
        if let Some(architecture) = architecture {
            descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        }
        self.named.insert(name.to_owned(), descriptor);
        let entries: Vec<Value> = self
            .named
            .iter()
            .map(|(name, descriptor)| {
                let mut entry = descriptor.clone();
                entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
                entry
            })
            .collect();
        let index = json!({"schemaVersion": 2, "manifests": entries});
        fs::write(self.folder.path().join("index.json"), index.to_string()).unwrap();
        digest
    }

    /// Digests with their names.
    pub(crate) fn names(&self) -> BTreeMap<Digest, String> {
        let named = self.named.iter();
        let named = named.map(|(name, descriptor)| {
            (
                descriptor["digest"].as_str().unwrap().parse().unwrap(),
                name.clone(),
            )
        });
        named.collect()
    }

    /// Pushes an image, whole, to `HOST/REPOSITORY:TAG`.
    pub(crate) fn push(&self, name: &str, to: &str, credentials: Option<&str>) {
        let from = format!("oci:{}:{name}", self.folder.path().display());
        let to = format!("docker://{to}");
        let mut arguments = vec![
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
        ];
        if let Some(credentials) = credentials {
            arguments.extend(["--dest-creds", credentials]);
        }
        arguments.extend([&*from, &*to]);
        skopeo::run(arguments).unwrap();
    }
}

/// Whether an image can be pulled with every platform, as skopeo sees it.
pub(crate) fn is_pullable(reference: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let to = format!("dir:{}", folder.path().join("image").display());
    let from = format!("docker://{reference}");
    skopeo::run(["copy", "--all", "--src-tls-verify=false", &from, &to]).is_ok()
}
