//! Helm releases as they are stored.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use underpin_model::Origin;
use underpin_source::helm_release::{DecodeError, MAX_RELEASE_BYTES, decode};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}

/// What a Secret's `data.release` holds.
fn stored(release: &Value) -> String {
    let packed = gzip(release.to_string().as_bytes());
    STANDARD.encode(STANDARD.encode(packed))
}

fn release() -> Value {
    json!({
        "name": "wallet",
        "namespace": "shop",
        "version": 3,
        "info": {"status": "deployed", "first_deployed": "2024-01-01T00:00:00Z"},
        "chart": {"metadata": {"name": "wallet", "version": "1.2.3"}, "templates": []},
        "config": {"password": "hunter2"},
        "manifest": "---\n# Source: wallet/templates/a.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: other}\n",
        "hooks": [{"name": "migrate", "manifest": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\n"}],
    })
}

#[test]
fn a_release_yields_its_objects_and_hooks() {
    let release = decode(&stored(&release())).expect("a valid release");
    let keys = |objects: &[underpin_model::Object]| -> Vec<String> {
        objects
            .iter()
            .map(|object| object.key.to_string())
            .collect()
    };
    assert_eq!(
        keys(&release.objects),
        ["service/web", "deployment.apps/other/web"]
    );
    assert_eq!(keys(&release.hooks), ["job.batch/migrate"]);
    assert_eq!(
        (
            release.name,
            release.namespace,
            release.version,
            release.status,
            release.chart
        ),
        (
            "wallet".into(),
            "shop".into(),
            3,
            "deployed".into(),
            "wallet-1.2.3".into()
        )
    );
    assert_eq!(release.diagnostics, []);
    assert_eq!(
        release.objects[0].origin,
        Origin::Recorded("Helm release shop/wallet revision 3".into())
    );
}

#[test]
fn config_map_and_unpacked_releases_are_read() {
    let text = release().to_string();
    let config_map = STANDARD.encode(gzip(text.as_bytes()));
    let unpacked = STANDARD.encode(STANDARD.encode(&text));
    let wrapped = STANDARD.encode(format!("{}\n", STANDARD.encode(gzip(text.as_bytes()))));
    for payload in [config_map, unpacked, wrapped, STANDARD.encode(&text)] {
        assert_eq!(decode(&payload).expect("a valid release").objects.len(), 2);
    }
}

#[test]
fn a_manifest_that_is_understood_in_part_says_so() {
    let mut value = release();
    value["manifest"] = "a: b: c\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\n".into();
    let release = decode(&stored(&value)).expect("a readable release");
    assert_eq!(release.objects.len(), 1);
    assert_eq!(
        release.diagnostics[0].place.to_string(),
        "Helm release shop/wallet revision 3:1:5"
    );
}

#[test]
fn broken_payloads_are_refused_without_their_contents() {
    let packed = gzip(release().to_string().as_bytes());
    let truncated = STANDARD.encode(&packed[..packed.len() / 2]);
    for (payload, message) in [
        ("%%%".to_owned(), "the Helm release is not valid base64"),
        (
            STANDARD.encode("!!!"),
            "the Helm release is not valid base64",
        ),
        (
            STANDARD.encode("{\"name\": 5, \"x\": \"hunter2\"}"),
            "not the JSON of a release (line 1, column 10)",
        ),
        (
            String::new(),
            "not the JSON of a release (line 1, column 0)",
        ),
        (truncated, "cannot be unpacked"),
    ] {
        let error = decode(&payload).expect_err("a broken payload").to_string();
        assert!(error.contains(message), "{error}");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn a_bomb_is_stopped() {
    let size = usize::try_from(MAX_RELEASE_BYTES).expect("64-bit") + 1;
    let payload = STANDARD.encode(gzip(&vec![b' '; size]));
    assert!(matches!(decode(&payload), Err(DecodeError::TooLarge)));
}
