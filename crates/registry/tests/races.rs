//! CI pushes and promotes while a plan is carried out, on a real registry.
//!
//! 30 races; `UNDERPIN_RACES=1000` for a soak.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: what is wrong here fails them, and races are run in real time"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use support::{
    Unmoved, client, frozen,
    memory::{IMAGE, INDEX},
    path,
    pushed::Layout,
    reap_options,
};
use tokio::net::TcpStream;
use underpin_image::{Digest, Reading, Registry};
use underpin_registry::{Client, ReadOptions, Scope, State, read, reap};
use underpin_testenv::registry::{DockerRegistry, Options};

const RACES: usize = 30;
/// Tags that make the registry look longer, so that more can happen meanwhile.
const FILLERS: usize = 150;

/// What one who is not Underpin does.
async fn put(host: &str, tag: &str, media_type: &str, bytes: Vec<u8>) -> StatusCode {
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::put(format!("/v2/web/manifests/{tag}"))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, media_type)
        .body(Full::new(Bytes::from(bytes)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    drop(response.into_body().collect().await);
    status
}

/// The bytes of a manifest, as the registry has them.
async fn get(host: &str, reference: &str) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(host).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("/v2/web/manifests/{reference}"))
        .header(header::HOST, host)
        .header(header::ACCEPT, format!("{IMAGE}, {INDEX}"))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let is_there = response.status() == StatusCode::OK;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    is_there.then(|| body.to_vec())
}

/// Whether a tag is there with all that it holds.
async fn is_whole(host: &str, tag: &str) -> bool {
    let Some(bytes) = get(host, tag).await else {
        return false;
    };
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    for child in document["manifests"].as_array().into_iter().flatten() {
        if get(host, child["digest"].as_str().unwrap()).await.is_none() {
            return false;
        }
    }
    true
}

async fn web(client: &Client) -> Registry {
    let options = ReadOptions {
        scope: Scope::These(BTreeSet::from([path("web")])),
        ..ReadOptions::default()
    };
    read(client, &options).await
}

/// R4.2, R4.3: of what is promoted, pushed again or newly pushed while something is deleted, nothing that the
/// registry has taken is lost: it is still there, or was put back in the same run.
#[tokio::test(flavor = "multi_thread")]
async fn r4_3_nothing_that_is_promoted_meanwhile_is_lost() {
    let races = std::env::var("UNDERPIN_RACES").ok();
    let races: usize = races.map_or(RACES, |text| text.parse().unwrap());
    let registry = DockerRegistry::start(Options::default()).unwrap();
    let host = registry.host();
    let mut layout = Layout::new();
    layout.image("current", "amd64", None);
    layout.image("fresh", "amd64", None);
    layout.image("old-amd64", "amd64", None);
    layout.image("old-arm64", "arm64", None);
    layout.index("old", &["old-amd64", "old-arm64"]);
    for (name, tag) in [("old", "1.0.0"), ("fresh", "3.0.0"), ("current", "2.0.0")] {
        layout.push(name, &format!("{host}/web:{tag}"), None);
    }
    let names = layout.names();
    let digests: BTreeMap<&str, &Digest> = names
        .iter()
        .map(|(digest, name)| (&**name, digest))
        .collect();
    let mut bytes = BTreeMap::new();
    for (name, digest) in &digests {
        bytes.insert(*name, get(&host, digest.as_str()).await.unwrap());
    }
    for number in 0..FILLERS {
        let tag = format!("2.1.{number}");
        assert!(
            put(&host, &tag, IMAGE, bytes["current"].clone())
                .await
                .is_success()
        );
    }
    let client = client(&host);
    let folder = tempfile::tempdir().unwrap();
    let (mut restored, mut kept, mut clean) = (0, 0, 0);
    let mut length = Duration::from_millis(400);
    for race in 0..races {
        // As it was: an old index with a tag of its own, and two floating tags elsewhere.
        for child in ["old-amd64", "old-arm64"] {
            let digest = digests[child].as_str();
            assert!(
                put(&host, digest, IMAGE, bytes[child].clone())
                    .await
                    .is_success()
            );
        }
        assert!(
            put(&host, "1.0.0", INDEX, bytes["old"].clone())
                .await
                .is_success()
        );
        for tag in ["production", "staging"] {
            assert!(
                put(&host, tag, IMAGE, bytes["current"].clone())
                    .await
                    .is_success()
            );
        }
        let before = web(&client).await;
        let plan = frozen(
            &before,
            &[&format!("{host}/web:2.0.0"), &format!("{host}/web:3.0.0")],
        );
        assert_eq!(plan.number(), 3);
        // Somewhere in the time that a run takes, which is measured.
        let delay = length * u32::try_from(race * 37 % 100).unwrap() / 100;
        let ci = {
            let host = host.clone();
            let (old, fresh) = (bytes["old"].clone(), bytes["fresh"].clone());
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let promoted = put(&host, "production", INDEX, old).await;
                let pushed = put(&host, "staging", IMAGE, fresh).await;
                (promoted, pushed)
            })
        };
        let state = State::lock(folder.path()).unwrap();
        let begin = Instant::now();
        let result = reap(&client, &state, &plan, &mut Unmoved, &reap_options()).await;
        if result.deleted.len() == 3 {
            length = begin.elapsed();
        }
        let (promoted, pushed) = ci.await.unwrap();
        let told = format!("race {race}, {promoted} {pushed}: {result:?}");
        for (tag, status, digest) in [
            ("production", promoted, digests["old"]),
            ("staging", pushed, digests["fresh"]),
        ] {
            // What CI was told to be there is there; else what was there before.
            assert!(is_whole(&host, tag).await, "{tag}: {told}");
            if status.is_success() {
                let found = client_resolve(&client, tag).await;
                assert_eq!(found.as_ref(), Some(digest), "{tag}: {told}");
            }
        }
        for tag in ["2.0.0", "3.0.0", "2.1.0", "2.1.149"] {
            assert!(is_whole(&host, tag).await, "{tag}: {told}");
        }
        assert!(result.restored.failed.is_empty(), "{told}");
        match (result.restored.manifests.is_empty(), result.kept.is_empty()) {
            (false, _) => restored += 1,
            (true, false) => kept += 1,
            (true, true) => clean += 1,
        }
    }
    println!(
        "{races} races: {restored} restored, {kept} kept, {clean} clean; one takes {length:?}"
    );
    assert_eq!(restored + kept + clean, races);
}

async fn client_resolve(client: &Client, tag: &str) -> Option<Digest> {
    let registry = web(client).await;
    let tags = &registry.repositories[&path("web")].tags;
    tags.iter()
        .find(|(known, _)| known.as_str() == tag)
        .and_then(|(_, reading)| match reading {
            Reading::Present(digest) => Some(digest.clone()),
            _ => None,
        })
}
