//! Pins files, frozen plans, records and undo journals: what is read back and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use support::{HOST, Scene, digest};
use underpin_image::{
    Digest, FrozenPlan, Glob, Host, JournalEntry, PinSettings, Reading, RepositoryPath, RunRecord,
    Tag, lost, read_journal, read_pins, restoration,
};

fn pins(text: &str, owner: Option<&str>) -> Vec<String> {
    let host = Host::new(HOST).unwrap();
    let aliases = [Host::new("registry.internal").unwrap()];
    let settings = PinSettings {
        host: &host,
        aliases: &aliases,
        owner,
    };
    let (pins, errors) = read_pins("pins.txt", text, &settings);
    let pins = pins
        .iter()
        .map(|pin| format!("{} {:?}", pin.place, pin.target));
    let errors = errors
        .iter()
        .map(|error| format!("{error} ({})", error.help));
    pins.chain(errors).collect()
}

#[test]
fn r4_1_pins_are_read_with_comments_and_places() {
    let read = pins(
        "\u{feff}# what must stay\ncontainer/cms==staging # why\r\n\n  container/a/b==1.*\n\
         npm/@team/x==1.0.0\nregistry.internal/kotkan/cms:1\n",
        Some("Kotkan"),
    );
    assert_eq!(
        read,
        [
            r#"pins.txt:2:1 Tags { repository: Glob("kotkan/cms"), tag: Glob("staging") }"#,
            r#"pins.txt:4:3 Tags { repository: Glob("kotkan/a/b"), tag: Glob("1.*") }"#,
            r#"pins.txt:5:1 Package { kind: "npm", name: Glob("@team/x"), version: Glob("1.0.0") }"#,
            r#"pins.txt:6:1 Tags { repository: Glob("kotkan/cms"), tag: Glob("1") }"#,
        ]
    );
    let digest = digest("a");
    let text = format!("container/cms=={digest}\ncms@{digest}\n{HOST}/team/x@{digest}");
    let read = pins(&text, Some("kotkan"));
    assert!(
        read.iter()
            .all(|pin| pin.contains(digest.as_str()) && pin.contains("Digest {"))
    );
    assert!(
        read[1].contains("kotkan/cms") && read[2].contains("team/x"),
        "{read:?}"
    );
}

#[test]
fn r4_1_a_pin_that_cannot_be_mapped_is_an_error() {
    for (text, owner, error) in [
        (
            "container/cms==1",
            None,
            "pins.txt:1:1: whose `cms` is meant is not known: no owner is configured (configure the owner of the packages, or write `registry.example.com/OWNER/cms` out)",
        ),
        (
            "containr/cms==1",
            Some("k"),
            "pins.txt:1:1: `containr` is no type of package (did you mean `container`?)",
        ),
        (
            "cms==1",
            Some("k"),
            "pins.txt:1:1: `cms` names no type of package (write type/name==version, as `container/web==staging`)",
        ),
        (
            "cms",
            Some("k"),
            "pins.txt:1:1: `cms` is no pin (write type/name==version, as `container/web==staging`, or repository@sha256:…)",
        ),
        (
            "container/==1",
            Some("k"),
            "pins.txt:1:1: the pin has no name (write type/name==version, as `container/web==staging`)",
        ),
        (
            "npm/x==",
            Some("k"),
            "pins.txt:1:1: the pin has no version (write type/name==version, as `container/web==staging`)",
        ),
        (
            "container/cms==a/b",
            Some("k"),
            "pins.txt:1:1: the version holds '/', and tags of images cannot (write the tag as the registry lists it)",
        ),
        (
            "container/c ms==1",
            Some("k"),
            "pins.txt:1:1: a pin holds ' ' (write one pin a line, and a comment after `#`)",
        ),
        (
            "container/c_==1",
            Some("k"),
            "pins.txt:1:1: `c_` is no image: a part of the repository begins or ends with a dot, an underscore or a dash (write the name of the image as the registry lists it)",
        ),
        (
            "cms@sha256:1",
            Some("k"),
            "pins.txt:1:1: behind `@` there is no digest: the digest has 1 digits after `sha256:` instead of 64 (write the digest as the registry tells it)",
        ),
        (
            "ghcr.io/k/cms:1",
            Some("k"),
            "pins.txt:1:1: the pin is for the registry ghcr.io, and this one is registry.example.com (take it out, or name ghcr.io as another name of registry.example.com)",
        ),
        (
            "registry.internal/k/cms:a*/b",
            Some("k"),
            "pins.txt:1:1: the version holds '/', and tags of images cannot (write the tag as the registry lists it)",
        ),
        (
            "registry.internal/k/cms",
            Some("k"),
            "pins.txt:1:1: the pin has neither tag nor digest (write the tag, or `:*` for all)",
        ),
        (
            "registry.internal/K/cms:1",
            Some("k"),
            "pins.txt:1:1: this is no reference to an image: the repository holds 'K'; repositories are in lower case (write it as HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST)",
        ),
    ] {
        assert_eq!(pins(text, owner), [error], "{text}");
    }
    let long = "x".repeat(2000);
    assert!(pins(&long, Some("k"))[0].contains("the line has 2000 bytes"));
}

#[test]
fn patterns_match_whole_names_and_never_take_long() {
    for (pattern, name, matches) in [
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("a*c", "acb", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("*a*b*", "xxaxxbxx", true),
        ("abc", "abcd", false),
    ] {
        assert_eq!(
            Glob::new(pattern).matches(name),
            matches,
            "{pattern} {name}"
        );
    }
    let pattern = Glob::new("*a".repeat(50));
    assert!(!pattern.matches(&format!("{}b", "a".repeat(5_000))));
}

/// A scene of which `old` goes.
fn scene() -> Scene {
    let mut scene = Scene::new();
    for line in [
        "repository team/web",
        "image new tags 1.1.0",
        "image amd layers l1,l2",
        "index old holds amd tags 1.0.0,1.0.1",
        "root pod pod/shop/web registry.example.com/team/web:1.1.0",
    ] {
        scene.describe(line);
    }
    for day in ["2026-06-01", "2026-06-09", "2026-06-10"] {
        scene.now = Scene::day(day);
        scene.run();
    }
    scene
}

#[test]
fn a_frozen_plan_is_read_only_as_it_was_written() {
    let mut scene = scene();
    let plan = scene.run();
    let frozen = FrozenPlan::of(&plan, &scene.input());
    assert_eq!(frozen.number(), 2);
    let text = frozen.to_json();
    assert_eq!(FrozenPlan::read(&text).unwrap(), frozen);
    let changed = text.replace("1.0.1", "1.0.2");
    let refused = |text: &str| FrozenPlan::read(text).unwrap_err().to_string();
    assert_eq!(
        refused(&changed),
        "the document was changed after it was made: its content does not have its hash"
    );
    assert_eq!(
        refused(r#"{"schema": "underpin.dev/frozen-plan/v1"}"#),
        "the document is `underpin.dev/frozen-plan/v1`, and a plan for images is \
         `underpin.dev/images/plan/v1`"
    );
    assert!(refused("{\n  nothing").starts_with("line 2, column 3: "));
    let unknown = text.replacen("\"at\"", "\"more\": 1, \"at\"", 1);
    assert!(refused(&unknown).contains("unknown field `more`"));
}

#[test]
fn r4_3_what_moved_since_is_not_deleted() {
    let mut scene = scene();
    let plan = scene.run();
    let frozen = FrozenPlan::of(&plan, &scene.input());
    assert_eq!(frozen.moved(&plan, &scene.registry), []);
    let moved = |scene: &mut Scene| {
        let fresh = scene.run();
        let moved = frozen.moved(&fresh, &scene.registry);
        moved
            .iter()
            .map(|one| scene.named(&one.message))
            .collect::<Vec<_>>()
    };
    scene.describe("tag production -> old");
    let told = moved(&mut scene);
    assert!(
        told.contains(&"1 tag has come to point to it: production".to_owned()),
        "{told:?}"
    );
    scene.describe("untag production");
    scene.describe("root pod pod/shop/old registry.example.com/team/web:1.0.1");
    let told = moved(&mut scene);
    assert_eq!(
        told,
        [
            "it stays now: root 1 needs it by tag 1.0.1",
            "it stays now: the index {old} holds it",
        ]
    );
    // What is gone already does not matter.
    scene.roots.pop();
    for line in ["absent old", "absent amd", "untag 1.0.0", "untag 1.0.1"] {
        scene.describe(line);
    }
    assert_eq!(moved(&mut scene), Vec::<String>::new());
    // What could not be read does, and what nobody asked for.
    scene.describe("unread old");
    scene.describe("gone amd");
    assert_eq!(
        moved(&mut scene),
        [
            "it could not be read: it has 9000000 bytes",
            "whether it is there was not asked",
        ]
    );
    scene.describe("absent old");
    scene.describe("page page 2 of the tags of team/web");
    assert_eq!(
        moved(&mut scene),
        [
            "whether it is there is not known: could not read page 2 of the tags of team/web: the \
             registry answered 500"
        ]
    );
}

#[test]
fn r4_3_right_before_a_deletion_every_tag_is_looked_at() {
    let mut scene = scene();
    let plan = scene.run();
    let frozen = FrozenPlan::of(&plan, &scene.input());
    let group = &frozen.groups[0];
    let index = &group.manifests[0];
    let mut tags = scene.current().tags.clone();
    assert_eq!(index.may_go(&tags), Ok(()));
    let production = Tag::new("production").unwrap();
    tags.insert(production.clone(), Reading::Present(digest("new")));
    assert_eq!(index.may_go(&tags), Ok(()));
    tags.insert(production.clone(), Reading::Present(digest("old")));
    let refused = index.may_go(&tags).unwrap_err();
    assert_eq!(refused, "tag production has come to point to it");
    tags.insert(production, Reading::Unread("timed out".to_owned()));
    assert!(
        index
            .may_go(&tags)
            .unwrap_err()
            .ends_with("is not known: timed out")
    );
}

#[test]
fn r4_3_what_a_race_took_is_seen() {
    let tag = |text: &str| Tag::new(text).unwrap();
    let before: BTreeMap<Tag, Digest> = [("a", "1"), ("b", "2"), ("c", "2"), ("d", "3")]
        .map(|(name, points)| (tag(name), digest(points)))
        .into();
    let after: BTreeMap<Tag, Reading<Digest>> = [
        (tag("b"), Reading::Present(digest("9"))),
        (tag("c"), Reading::Absent),
        (tag("d"), Reading::Unread("timed out".to_owned())),
    ]
    .into();
    let one = digest("1");
    let gone = lost(&before, &BTreeSet::from([&one]), &after);
    assert_eq!(gone, BTreeMap::from([(tag("c"), digest("2"))]));
}

#[test]
fn records_survive_the_way_through_json() {
    let scene = scene();
    for record in &scene.records {
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), *record);
    }
}

#[test]
fn freed_room_counts_what_nothing_else_holds() {
    let mut scene = scene();
    let plan = scene.run();
    // Two manifests of 100 bytes, two layers of 1000.
    assert_eq!(plan.freed(&scene.registry).bytes, 2_200);
    scene.describe("repository team/other");
    scene.describe("image other layers l1 tags 1.0.0");
    let plan = scene.run();
    assert_eq!(plan.freed(&scene.registry).bytes, 1_200);
}

fn entry(name: &str, tags: &[&str], position: usize) -> JournalEntry {
    JournalEntry {
        schema: JournalEntry::SCHEMA.to_owned(),
        at: Timestamp::UNIX_EPOCH,
        registry: Host::new(HOST).unwrap(),
        repository: RepositoryPath::new("team/web").unwrap(),
        digest: digest(name),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        tags: tags.iter().map(|tag| Tag::new(tag).unwrap()).collect(),
        position,
        until: None,
        manifest: JournalEntry::encode(name.as_bytes()),
    }
}

#[test]
fn what_is_put_back_is_put_back_children_first_and_tags_last() {
    let mut scene = Scene::new();
    for line in [
        "repository team/web",
        "image present tags 3.0.0",
        "image pushed-since tags 1.0.1",
        "tag 1.0.2 unread",
    ] {
        scene.describe(line);
    }
    let entries = [
        entry("index", &["1.0.0", "1.0.1", "1.0.2"], 0),
        entry("amd", &[], 1),
        entry("arm", &["1.0.0-arm"], 2),
        entry("present", &["3.0.0"], 3),
    ];
    let restoration = restoration(&entries, &scene.registry);
    let order: Vec<&Digest> = restoration
        .manifests
        .iter()
        .map(|put| &put.digest)
        .collect();
    assert_eq!(order, [&digest("arm"), &digest("amd"), &digest("index")]);
    assert_eq!(restoration.manifests[0].bytes, b"arm");
    let tags: Vec<&str> = restoration
        .tags
        .iter()
        .map(|put| put.tag.as_str())
        .collect();
    assert_eq!(tags, ["1.0.0", "1.0.0-arm"]);
    let left: Vec<String> = restoration
        .left
        .iter()
        .map(|left| format!("{}: {}", left.what, left.reason))
        .collect();
    assert_eq!(
        left,
        [
            format!(
                "tag 1.0.1: it points to {} now: somebody has pushed it since",
                digest("pushed-since")
            ),
            "tag 1.0.2: where it points now could not be read: the registry answered 500"
                .to_owned(),
        ]
    );
}

#[test]
fn a_tag_that_may_stand_on_a_page_that_was_not_read_is_not_free() {
    let mut scene = Scene::new();
    for line in ["repository team/web", "page page 2 of the tags of team/web"] {
        scene.describe(line);
    }
    let told = |scene: &Scene| {
        let restoration = restoration(&[entry("index", &["V1"], 0)], &scene.registry);
        let left = restoration.left.iter();
        left.map(|left| format!("{}: {}", left.what, left.reason))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&scene),
        [
            "tag V1: whether somebody has pushed it since is not known: could not read page 2 of \
             the tags of team/web: the registry answered 500"
        ]
    );
    scene.registry.unread.clear();
    assert_eq!(told(&scene), Vec::<String>::new());
    scene.describe("image other tags v1");
    assert_eq!(told(&scene), Vec::<String>::new());
    scene.describe("folds case");
    assert!(told(&scene)[0].starts_with("tag V1: it points to"));
}

#[test]
fn of_two_runs_the_later_one_says_where_a_tag_belongs() {
    let mut scene = Scene::new();
    scene.describe("repository team/web");
    let older = entry("older", &["staging"], 0);
    let mut newer = entry("newer", &["staging"], 0);
    newer.at = "2026-06-01T00:00:00Z".parse().unwrap();
    for entries in [[older.clone(), newer.clone()], [newer, older]] {
        let restoration = restoration(&entries, &scene.registry);
        assert_eq!(restoration.manifests.len(), 2);
        assert_eq!(restoration.tags.len(), 1);
        assert_eq!(restoration.tags[0].digest, digest("newer"));
    }
}

#[test]
fn lines_of_a_journal_that_cannot_be_used_are_told() {
    let good = entry("a", &[], 0);
    let mut forged = entry("b", &[], 1);
    forged.manifest = JournalEntry::encode(b"another");
    let mut other = entry("c", &[], 2);
    other.schema = "other".to_owned();
    let cut = &good.line()[..40];
    let text = format!("{}\n{}{}{cut}", good.line(), forged.line(), other.line());
    let (entries, errors) = read_journal(&text);
    assert_eq!(entries, [good]);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors[0],
        format!(
            "line 3: its manifest does not have the digest {}",
            digest("b")
        )
    );
    assert_eq!(
        errors[1],
        "line 4: the entry is `other`, which is not known"
    );
    assert!(
        errors[2].starts_with("line 5: this is no entry of an undo journal: EOF"),
        "{errors:?}"
    );
}

proptest! {
    #[test]
    fn no_text_makes_readers_panic(text in any::<String>(), pin in "[a-z@=*/.:# \n-]{0,60}") {
        pins(&text, Some("kotkan"));
        for line in pins(&pin, Some("kotkan")) {
            prop_assert!(line.starts_with("pins.txt:"));
        }
        read_journal(&text);
        prop_assert!(FrozenPlan::read(&text).is_err());
    }
}
