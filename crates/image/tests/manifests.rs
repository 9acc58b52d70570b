//! Manifests as registries send them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what is wrong here fails them"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_image::{
    Digest, MANIFEST_LIMIT, Manifest, ManifestError, ManifestKind, Tag, manifest_types,
    subject_of_tag,
};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn read_as(document: &Value, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    let bytes = document.to_string().into_bytes();
    Manifest::read(&Digest::of(&bytes), content_type, &bytes)
}

fn descriptor(name: &str) -> Value {
    json!({"mediaType": "x", "size": 7, "digest": Digest::of(name.as_bytes())})
}

#[test]
fn an_image_with_its_configuration_layers_and_subject() {
    let document = json!({
        "schemaVersion": 2, "mediaType": OCI_IMAGE, "artifactType": "application/spdx+json",
        "config": descriptor("config"), "layers": [descriptor("one"), descriptor("two")],
        "subject": descriptor("subject"),
    });
    let manifest = read_as(&document, Some(OCI_IMAGE)).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Image);
    assert_eq!(manifest.media_type, OCI_IMAGE);
    assert_eq!(manifest.size, document.to_string().len() as u64);
    assert_eq!(manifest.subject, Some(Digest::of(b"subject")));
    let blobs: Vec<Digest> = manifest.blobs().map(|blob| blob.digest.clone()).collect();
    assert_eq!(blobs, [&b"config"[..], b"one", b"two"].map(Digest::of));
    assert_eq!(manifest.layers[0].size, Some(7));
}

#[test]
fn an_index_with_its_platforms() {
    let mut arm = descriptor("arm");
    arm["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    let mut amd = descriptor("amd");
    amd["platform"] = json!({"os": "linux", "architecture": "amd64"});
    for media_type in [OCI_INDEX, DOCKER_LIST] {
        let document = json!({
            "schemaVersion": 2, "mediaType": media_type,
            "manifests": [arm, amd, descriptor("attestation")],
        });
        let manifest = read_as(&document, None).unwrap();
        assert_eq!(manifest.kind, ManifestKind::Index);
        let platforms: Vec<Option<&str>> = manifest
            .children
            .iter()
            .map(|child| child.platform.as_deref())
            .collect();
        assert_eq!(
            platforms,
            [Some("linux/arm64/v8"), Some("linux/amd64"), None]
        );
    }
}

#[test]
fn what_it_is_follows_from_itself_then_the_registry_then_its_parts() {
    let index = json!({"schemaVersion": 2, "manifests": []});
    let image = json!({"schemaVersion": 2, "layers": [], "config": descriptor("c")});
    let kind = |document: &Value, content_type| {
        let manifest = read_as(document, content_type).unwrap();
        (manifest.kind, manifest.media_type)
    };
    let is_index = (ManifestKind::Index, OCI_INDEX.to_owned());
    assert_eq!(kind(&index, None), is_index);
    assert_eq!(kind(&index, Some("application/json")), is_index);
    let of_registry = format!("{DOCKER_IMAGE}; charset=utf-8");
    let is_image = (ManifestKind::Image, DOCKER_IMAGE.to_owned());
    assert_eq!(kind(&image, Some(&of_registry)), is_image);
    assert_eq!(
        kind(&image, None),
        (ManifestKind::Image, OCI_IMAGE.to_owned())
    );
    let artifact = json!({
        "mediaType": "application/vnd.oci.artifact.manifest.v1+json",
        "blobs": [descriptor("b")], "subject": descriptor("s"),
    });
    let artifact = read_as(&artifact, None).unwrap();
    assert_eq!(
        (artifact.layers.len(), artifact.subject),
        (1, Some(Digest::of(b"s")))
    );
}

#[test]
fn manifests_of_schema_1_are_known_and_not_trusted() {
    let document = json!({
        "schemaVersion": 1, "name": "team/web",
        "fsLayers": [{"blobSum": Digest::of(b"layer")}],
    });
    // Their digest is that of a part of their bytes.
    let bytes = document.to_string().into_bytes();
    let manifest = Manifest::read(&Digest::of(b"other"), None, &bytes).unwrap();
    assert_eq!(manifest.kind, ManifestKind::Legacy);
    assert_eq!(manifest.layers[0].digest, Digest::of(b"layer"));
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let image = |parts: Value| {
        let mut document = json!({"schemaVersion": 2, "mediaType": OCI_IMAGE, "layers": []});
        document
            .as_object_mut()
            .unwrap()
            .extend(parts.as_object().unwrap().clone());
        document
    };
    for (document, content_type, why) in [
        (json!([]), None, "the manifest is no JSON object"),
        (
            json!({}),
            None,
            "the manifest is of the type ``, which is not known",
        ),
        (
            json!({"mediaType": "text/plain"}),
            None,
            "the manifest is of the type `text/plain`, which is not known",
        ),
        (
            json!({"manifests": [], "layers": []}),
            None,
            "the manifest holds both `manifests` and `layers`: what it is depends on the reader",
        ),
        (
            json!({"mediaType": OCI_IMAGE, "manifests": []}),
            None,
            "the manifest holds both `manifests` and `layers`: what it is depends on the reader",
        ),
        (
            json!({"layers": []}),
            Some(OCI_INDEX),
            "the manifest holds both `manifests` and `layers`: what it is depends on the reader",
        ),
        (
            image(json!({"config": {}})),
            None,
            "`config` in the manifest has no `digest`",
        ),
        (
            image(json!({"config": "x"})),
            None,
            "`config` in the manifest has no `digest`",
        ),
        (
            image(json!({"layers": {}})),
            None,
            "`layers` in the manifest is no list",
        ),
        (
            image(json!({"layers": [descriptor("a"), {"digest": "sha256:1"}]})),
            None,
            "`layers[1]` in the manifest has no `digest` that is one: the digest has 1 digits after `sha256:` instead of 64",
        ),
        (
            image(json!({"subject": {"digest": "sha1:00"}})),
            None,
            "`subject` in the manifest has no `digest` that is one: the digest is of `sha1`, and only sha256 and sha512 are known",
        ),
        (
            json!({"schemaVersion": 1, "fsLayers": [{}]}),
            None,
            "`fsLayers[0]` in the manifest has no `blobSum`",
        ),
    ] {
        let error = read_as(&document, content_type).unwrap_err();
        assert_eq!(error.to_string(), why, "{document}");
    }
}

#[test]
fn hostile_registries_are_found_out() {
    let bytes = json!({"layers": []}).to_string().into_bytes();
    let other = Manifest::read(&Digest::of(b"asked"), None, &bytes).unwrap_err();
    assert_eq!(other, ManifestError::WrongDigest(Digest::of(&bytes)));
    let large = vec![b' '; MANIFEST_LIMIT + 1];
    let error = Manifest::read(&Digest::of(&large), None, &large).unwrap_err();
    assert_eq!(error, ManifestError::TooLarge(MANIFEST_LIMIT + 1));
    let deep = "[".repeat(100_000).into_bytes();
    let error = Manifest::read(&Digest::of(&deep), None, &deep).unwrap_err();
    assert_eq!(error, ManifestError::Json);
}

#[test]
fn digests_of_both_algorithms_are_checked() {
    let long = format!("sha512:{}", "0".repeat(128))
        .parse::<Digest>()
        .unwrap();
    assert!(!long.is_of(b"") && Digest::of(b"a").is_of(b"a") && !Digest::of(b"a").is_of(b"b"));
    let empty = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    assert!(empty.parse::<Digest>().unwrap().is_of(b""));
}

#[test]
fn tags_that_say_something_of_a_digest() {
    let digest = Digest::of(b"image");
    for (text, is_one) in [
        (format!("sha256-{}", digest.encoded()), true),
        (format!("sha256-{}.sig", digest.encoded()), true),
        (format!("sha256-{}.att.old", digest.encoded()), true),
        (format!("sha256-{}", &digest.encoded()[1..]), false),
        (format!("sha1-{}", digest.encoded()), false),
        ("staging".to_owned(), false),
    ] {
        let subject = subject_of_tag(&Tag::new(&text).unwrap());
        assert_eq!(subject, is_one.then(|| digest.clone()), "{text}");
    }
    assert_eq!(manifest_types().count(), 7);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::read(&Digest::of(&bytes), None, &bytes);
    }
}
