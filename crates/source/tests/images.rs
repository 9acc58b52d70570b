//! The images file: what is read, and what is wrong with its place.
#![allow(clippy::unwrap_used, reason = "tests: what is wrong here fails them")]

use camino::Utf8Path;
use underpin_source::images_file::{RegistryType, parse, read, seconds};

#[track_caller]
fn refused(text: &str) -> Vec<String> {
    let diagnostics = parse("images.yaml", text).unwrap_err();
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    diagnostics
        .iter()
        .map(|one| first(one.to_string()))
        .collect()
}

#[test]
fn everything_is_read_with_paths_as_the_caller_would_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let path = folder.join("images.yaml");
    let text = "registry:
  host: registry.example.com:5000
  aliases: [registry.internal]
  type: gitea
  owners: [kotkan]
  credentials: password
sources:
  contexts: [production, staging]
  dumps: [dumps/edge.yaml]
  paths: [.]
  revisions: [main]
pins: [pins.txt, /etc/pins.txt]
limits: {minimumAge: 14d, maximumShare: 5}
tags: {mutable: ['release-*']}
consents: {sourcesGone: [context old]}
";
    std::fs::write(&path, text).unwrap();
    let file = read(&path).unwrap();
    assert_eq!(file.registry.host, "registry.example.com:5000");
    assert_eq!(file.registry.kind, Some(RegistryType::Gitea));
    assert_eq!(
        file.registry.credentials,
        Some(folder.join("password").into_string())
    );
    let sources = file.sources.unwrap();
    assert_eq!(
        sources.dumps,
        Some(vec![folder.join("dumps/edge.yaml").into_string()])
    );
    let pins = file.pins.unwrap();
    assert_eq!(pins, [folder.join("pins.txt").as_str(), "/etc/pins.txt"]);
    assert_eq!(file.limits.unwrap().minimum_age.as_deref(), Some("14d"));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    assert_eq!(refused(""), ["images.yaml:1:1: the images file is empty"]);
    assert_eq!(
        refused("pins: [a]\n"),
        ["images.yaml:1:1: the images file needs the field `registry`"]
    );
    assert_eq!(
        refused("registry: {hots: a}\nlimits: {maximumShare: 200}\n"),
        [
            "images.yaml:1:1: `registry` needs the field `host`",
            "images.yaml:1:12: `registry` has no field `hots`",
            "images.yaml:2:10: `limits.maximumShare` is 200, but must be from 0 to 100",
        ]
    );
    assert_eq!(
        refused("registry: {host: a}\nlimits:\n  apart: 1 day\n"),
        ["images.yaml:3:3: `1 day` is no time"]
    );
    assert_eq!(
        refused("registry: {host: a}\n---\nregistry: {host: b}\n"),
        ["images.yaml:3:1: an images file holds one document, and this is a second one"]
    );
    assert_eq!(
        refused("registry: {host: a, type: harbor}\n"),
        ["images.yaml:1:21: `registry.type` is `harbor`, but must be `distribution`, `gitea`"]
    );
    let none = read(Utf8Path::new("no/images.yaml")).unwrap_err();
    assert!(
        none[0].to_string().starts_with("no/images.yaml:1:1: "),
        "{none:?}"
    );
}

#[test]
fn times_have_a_unit() {
    for (text, expected) in [
        ("90s", Some(90)),
        ("10m", Some(600)),
        ("24h", Some(86_400)),
        ("7d", Some(604_800)),
    ] {
        assert_eq!(seconds(text).ok(), expected, "{text}");
    }
    for text in [
        "",
        "7",
        "d",
        "-1d",
        "1.5d",
        "99999999999999999999d",
        "9223372036854775807d",
        "7 d",
        "7ü",
    ] {
        assert!(seconds(text).is_err(), "{text}");
    }
}
