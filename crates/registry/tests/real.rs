//! Debian's `docker-registry`, with images that skopeo has pushed.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::{client, client_as, path, pushed::Layout, told};
use underpin_image::{Deletion, Digest, Reading, Repository};
use underpin_registry::{
    Capabilities, Credentials, Deletes, ManifestCache, ReadOptions, Scope, probe, read, read_blobs,
};
use underpin_testenv::registry::{DockerRegistry, Options};

/// The password `hunter2`, hashed with bcrypt.
const HTPASSWD: &str = "ci:$2b$05$PV0Uan3TRbrnrB2MOuaLSuxrIRWfMTyKDNYFoWPyOpsQYaMQJLsgW";

/// Two platforms and their index, a second tag, a signature by its tag.
fn images(host: &str) -> Layout {
    let mut layout = Layout::new();
    layout.image("web-amd64", "amd64", None);
    layout.image("web-arm64", "arm64", None);
    let index = layout.index("web", &["web-amd64", "web-arm64"]);
    layout.image("signature", "unknown", Some(&index));
    for tag in ["1.0.0", "staging", "latest"] {
        layout.push("web", &format!("{host}/team/web:{tag}"), None);
    }
    let tag = format!("sha256-{}.sig", index.encoded());
    layout.push("signature", &format!("{host}/team/web:{tag}"), None);
    layout.image("other", "amd64", None);
    layout.push("other", &format!("{host}/other:2.0.0"), None);
    layout
}

/// R4.2, R4.6: tags, indexes with their children, signatures by tag; what an index needs to be seen at all.
#[tokio::test(flavor = "multi_thread")]
async fn r4_6_a_real_registry_is_read_whole() {
    let registry = DockerRegistry::start(Options::default()).unwrap();
    let host = registry.host();
    let layout = images(&host);
    let folder = tempfile::tempdir().unwrap();
    let cache = ManifestCache::open(folder.path()).unwrap();
    let options = ReadOptions {
        cache: Some(cache),
        ..ReadOptions::default()
    };
    let client = client(&host);
    let mut first = read(&client, &options).await;
    let expect = "\
other
  2.0.0 -> other
  other: Image []
team/web
  1.0.0 -> web
  latest -> web
  sha256-<web>.sig -> signature
  staging -> web
  signature: Image [] web
  web-amd64: Image []
  web-arm64: Image []
  web: Index [web-amd64 web-arm64]";
    assert_eq!(told(&first, &layout.names()), expect);
    assert_eq!(first.deletion, Deletion::DigestsWithTags);
    let before = client.counts();
    assert_eq!((before.manifests, before.writes), (5, 0));

    // A second run gets no manifest that it knows.
    let second = read(&client, &options).await;
    assert_eq!(told(&second, &layout.names()), expect);
    let after = client.counts();
    assert_eq!((after.manifests - before.manifests, after.writes), (0, 0));

    // Blobs, as one that goes live needs them.
    let web = &first.repositories[&path("team/web")];
    let signature = web.manifests.values().filter_map(Reading::present);
    let layers = signature.flat_map(|manifest| manifest.layers.iter());
    let layer = layers.map(|layer| layer.digest.clone()).next().unwrap();
    let missing = Digest::of(b"nothing");
    let asked = [&layer, &missing].map(|digest| (path("team/web"), digest.clone()));
    read_blobs(&client, &mut first, &BTreeSet::from(asked)).await;
    let blobs = &first.repositories[&path("team/web")].blobs;
    assert_eq!(blobs[&layer], Reading::Present(()));
    assert_eq!(blobs[&missing], Reading::Absent);
}

/// R4.2: what has no tag is in no list, and is seen if somebody knows of it.
#[tokio::test(flavor = "multi_thread")]
async fn r4_2_what_has_no_tag_is_asked_for_by_name() {
    let registry = DockerRegistry::start(Options::default()).unwrap();
    let host = registry.host();
    let mut layout = Layout::new();
    let old = layout.image("old", "amd64", None);
    let new = layout.image("new", "amd64", None);
    for name in ["old", "new"] {
        layout.push(name, &format!("{host}/team/web:staging"), None);
    }
    let web = path("team/web");
    let gone = Digest::of(b"gone");
    let known = BTreeSet::from([old.clone(), gone.clone()]);
    let options = ReadOptions {
        scope: Scope::These(BTreeSet::from([web.clone(), path("team/missing")])),
        known: BTreeMap::from([(web.clone(), known)]),
        ..ReadOptions::default()
    };
    let found = read(&client(&host), &options).await;
    assert!(found.unread.is_empty(), "{:?}", found.unread);
    let paths: Vec<_> = found.repositories.keys().cloned().collect();
    assert_eq!(paths, std::slice::from_ref(&web));
    let Repository {
        tags, manifests, ..
    } = &found.repositories[&web];
    assert_eq!(
        tags.values().cloned().collect::<Vec<_>>(),
        [Reading::Present(new)]
    );
    assert!(manifests[&old].present().is_some());
    assert_eq!(manifests[&gone], Reading::Absent);
}

/// R4.3: who may not read has read nothing, and nothing is absent for that.
#[tokio::test(flavor = "multi_thread")]
async fn r4_3_a_registry_that_asks_who_somebody_is() {
    let registry = DockerRegistry::start(Options {
        htpasswd: Some(HTPASSWD),
        ..Options::default()
    })
    .unwrap();
    let host = registry.host();
    let mut layout = Layout::new();
    layout.image("web", "amd64", None);
    layout.push("web", &format!("{host}/web:1.0.0"), Some("ci:hunter2"));
    let options = ReadOptions::default();
    let known = client_as(&host, Some(Credentials::password("ci", "hunter2")));
    let expect = "web\n  1.0.0 -> web\n  web: Image []";
    assert_eq!(told(&read(&known, &options).await, &layout.names()), expect);
    for (credentials, reason) in [
        (
            None,
            "it asks for a user and a password, and none are known: log in to it",
        ),
        (
            Some(Credentials::password("ci", "hunter3")),
            "it does not take these credentials (status 401)",
        ),
    ] {
        let found = read(&client_as(&host, credentials), &options).await;
        let expect = format!("unread page 1 of the repositories: {reason}");
        assert_eq!(told(&found, &layout.names()), expect);
    }
}

/// R4.2: deleting a tag would take its siblings along here, and that is found out on nothing.
#[tokio::test(flavor = "multi_thread")]
async fn r4_2_what_deleting_does_is_found_out_on_nothing() {
    for is_delete_enabled in [true, false] {
        let registry = DockerRegistry::start(Options {
            is_delete_enabled,
            ..Options::default()
        })
        .unwrap();
        let host = registry.host();
        let mut layout = Layout::new();
        layout.image("web", "amd64", None);
        layout.push("web", &format!("{host}/web:1.0.0"), None);
        let client = client(&host);
        let found = probe(&client, &path("web"), b"nonce").await;
        let deletes = if is_delete_enabled {
            Deletes::Enabled
        } else {
            Deletes::Disabled
        };
        let expect = Capabilities {
            deletes_tags: Some(false),
            deletes,
        };
        assert_eq!(found, expect);
        assert_eq!(found.deletion(), Deletion::DigestsWithTags);
        let found = read(&client, &ReadOptions::default()).await;
        let expect = "web\n  1.0.0 -> web\n  web: Image []";
        assert_eq!(told(&found, &layout.names()), expect);
    }
}
