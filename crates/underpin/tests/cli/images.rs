//! `underpin images plan`, on a registry of the tests' own and dumps of clusters (R4.1 to R4.4).

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    harness::{Ended, Run, check, underpin_in},
    registry::Registry,
};

/// A registry as it was in the incident, and a folder with the files of the fixture that name it.
pub(crate) struct Scene {
    pub(crate) registry: Registry,
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let registry = Registry::start();
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
            registry,
        };
        scene.registry.fixture("images", scene.folder.path());
        scene.fill();
        scene
    }

    fn fill(&self) {
        let registry = &self.registry;
        for build in 1..=6 {
            let repository = "kotkan/cms-plugins";
            let name = |arch: &str| format!("plugins {build} {arch}");
            let children = [
                registry.push(repository, &name("amd64"), &[]),
                registry.push(repository, &name("arm64"), &[]),
            ];
            let own = format!("0.1.{build}");
            let mut tags = vec![own.as_str()];
            match build {
                5 => tags.push("production"),
                6 => tags.push("staging"),
                _ => {}
            }
            registry.push_index(repository, &tags, &children);
        }
        for build in 1..=3 {
            let tag = format!("1.{build}.0");
            registry.push("kotkan/web", &format!("web {build}"), &[&tag]);
        }
        registry.push("kotkan/declared", "declared", &["2.0.0"]);
        registry.push("kotkan/declared", "forgotten", &["1.0.0"]);
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_of("plan", arguments)
    }

    pub(crate) fn run_of(&self, command: &str, arguments: &[&str]) -> Run {
        let whole = [&["images", command, "--config", "images.yaml"], arguments].concat();
        underpin_in(self.folder.path(), &whole)
    }

    #[track_caller]
    fn check(&self, name: &str, code: i32, arguments: &[&str]) -> Ended {
        self.check_run(name, code, self.run(arguments))
    }

    #[track_caller]
    pub(crate) fn check_run(&self, name: &str, code: i32, run: Run) -> Ended {
        let mut settings = insta::Settings::clone_current();
        let host = &self.registry.host;
        settings.add_filter(&regex::escape(host), "registry.example.com");
        settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]");
        settings.add_filter(r"\d{8}T[\d.]+Z-[0-9a-f]{8}", "[time]-[hash]");
        settings.add_filter(r#""hash": "sha256:[0-9a-f]+""#, "\"hash\": \"[hash]\"");
        settings.add_filter(
            r#""(waited|registry)Milliseconds": \d+"#,
            "\"${1}Milliseconds\": 0",
        );
        // Whose bytes hold the name of the registry, or a time.
        settings.add_filter(
            r"frozen into (\S+) \(sha256:[0-9a-f]+\)",
            "frozen into $1 ([hash])",
        );
        settings.bind(|| check(name, code, run))
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("REGISTRY", &self.registry.host)).unwrap();
    }

    /// An operator says that nothing of the registry is needed by something.
    fn consent(&self, text: &str) {
        let path = self.folder.path().join("images.yaml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{config}    - '{text}'\n")).unwrap();
    }

    pub(crate) fn document(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--output", "json"]].concat()).end();
        let document = serde_json::from_str(&ended.stdout);
        assert!(document.is_ok(), "{}", ended.transcript());
        document.unwrap()
    }
}

/// Tags of what may go, by repository.
fn going(document: &Value) -> Vec<String> {
    let mut going = Vec::new();
    for repository in document["repositories"].as_array().unwrap() {
        let name = repository["name"].as_str().unwrap();
        for manifest in repository["manifests"].as_array().unwrap() {
            if manifest["goes"] == true {
                let tags = manifest["tags"].as_array().unwrap().iter();
                going.extend(tags.map(|tag| format!("{name}:{}", tag.as_str().unwrap())));
            }
        }
    }
    going
}

/// The incident: releases are suspended, tags float, the pin is only in a file. What is suspended, what
/// policies select, what is pinned and what is declared stays, and it is said why.
#[test]
fn r4_1_the_incident() {
    let scene = Scene::new();
    scene.check("images_first_run", 0, &[]);
    scene.check("images_second_run", 0, &["--out", "plan.json"]);
    assert!(scene.folder.path().join("plan.json").exists());
    scene.check("images_why", 0, &["--why", "kotkan/cms-plugins:staging"]);
    scene.check("images_all", 0, &["--all", "--why", "kotkan/web"]);
    scene.check("images_why_unknown", 0, &["--why", "kotkan/wbe"]);
    scene.check(
        "images_pending",
        6,
        &["--detailed-exitcode", "--why", "kotkan/web:1.1.0"],
    );
    scene.check("images_json", 0, &["--output", "json"]);
    let document = scene.document(&[]);
    assert_eq!(
        going(&document),
        [
            "kotkan/cms-plugins:0.1.1",
            "kotkan/cms-plugins:0.1.2",
            "kotkan/cms-plugins:0.1.3",
            "kotkan/declared:1.0.0",
            "kotkan/web:1.1.0",
        ]
    );
}

/// R4.4: what is read once is not asked for again.
#[test]
fn manifests_that_are_known_are_not_asked_for_again() {
    let scene = Scene::new();
    scene.document(&[]);
    let first = scene.registry.manifests_read();
    assert_eq!(first, scene.registry.manifests().len());
    scene.document(&[]);
    assert_eq!(scene.registry.manifests_read(), first);
}

/// R4.3: a page that is refused, a cluster that does not answer, a file that cannot be read, a pin that
/// cannot be mapped: nothing goes, the place is named, and no older consent is left.
#[test]
fn r4_3_what_cannot_be_read_stops_everything() {
    let scene = Scene::new();
    scene.document(&[]);
    scene.document(&["--out", "plan.json"]);
    let frozen = scene.folder.path().join("plan.json");
    assert!(frozen.exists());
    let gone = |arguments: &[&str]| {
        let document = scene.document(arguments);
        assert_eq!(going(&document), Vec::<String>::new(), "{arguments:?}");
        assert_eq!(document["exit"], 1, "{arguments:?}");
    };
    gone(&["--context", "nowhere"]);
    gone(&["--against", "no.yaml"]);
    gone(&["--pins", "no.txt"]);
    let write = |name: &str, text: &str| fs::write(scene.folder.path().join(name), text).unwrap();
    write(
        "broken.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a\n",
    );
    gone(&["broken.yaml"]);
    write("wrong.txt", "containr/cms-plugins==staging\n");
    scene.check(
        "images_stopped",
        1,
        &["--pins", "wrong.txt", "--out", "plan.json"],
    );
    assert!(!frozen.exists());
    scene.registry.refuse("/v2/kotkan/web/tags");
    scene.check("images_page_refused", 1, &["--why", "kotkan/web"]);
}

/// A dump does not tell what it was asked for: one of pods alone says nothing of what is scaled to zero.
#[test]
fn r4_3_a_dump_without_workloads_stops_everything_unless_consented_to() {
    let scene = Scene::new();
    let ended = scene.run(&["--against", "dumps/other.yaml"]).end();
    assert_eq!(ended.code, 1, "{}", ended.transcript());
    let told = "dump dumps/other.yaml could not be read completely: it holds none of configmap, ";
    assert!(ended.stdout.contains(told), "{}", ended.transcript());
    let consented = "dump dumps/production.yaml could not";
    assert!(!ended.stdout.contains(consented), "{}", ended.transcript());
    // What is to be written is shown as it is to be written, and is tied to its source.
    let line = "write this line under `consents.foreignNeeds` of the images file: - '";
    let (_, text) = ended.stdout.split_once(line).unwrap();
    let (text, _) = text.split_once('\'').unwrap();
    assert!(text.starts_with("dump dumps/other.yaml: it holds none of"));
    scene.consent(text);
    assert_eq!(
        scene.document(&["--against", "dumps/other.yaml"])["exit"],
        0
    );
    let again = scene.folder.path().join("dumps/again.yaml");
    fs::copy(scene.folder.path().join("dumps/other.yaml"), again).unwrap();
    assert_eq!(
        scene.document(&["--against", "dumps/again.yaml"])["exit"],
        1
    );
}

/// A consent to a release of Terraform's names no line: it holds when lines shift, and not for another one.
#[test]
fn r4_3_a_consent_holds_when_lines_shift() {
    let scene = Scene::new();
    let release = |name: &str| {
        format!(
            "resource \"helm_release\" \"{name}\" {{\n  name  = \"{name}\"\n  chart = \"{name}\"\n}}\n"
        )
    };
    scene.write("k8s/main.tf", &release("web"));
    let exit = || scene.document(&[])["exit"].clone();
    assert_eq!(exit(), 1);
    scene.consent(
        "files k8s: k8s/main.tf: helm_release.web, a Helm release whose chart is not rendered",
    );
    assert_eq!(exit(), 0);
    scene.write("k8s/main.tf", &format!("# Moved.\n\n{}", release("web")));
    assert_eq!(exit(), 0);
    scene.write("k8s/main.tf", &(release("web") + &release("db")));
    assert_eq!(exit(), 1);
}

/// R4.1: hidden files name images too.
#[test]
fn r4_1_hidden_files_are_read() {
    let scene = Scene::new();
    scene.write("k8s/.gitlab-ci.yml", "image: REGISTRY/kotkan/web:1.1.0\n");
    scene.write("k8s/.git/config", "REGISTRY/kotkan/declared:1.0.0\n");
    scene.document(&[]);
    let going = going(&scene.document(&[]));
    assert!(!going.contains(&"kotkan/web:1.1.0".to_owned()), "{going:?}");
    assert!(
        going.contains(&"kotkan/declared:1.0.0".to_owned()),
        "{going:?}"
    );
}

/// What runs remember is no source, wherever it lies: what was needed once would be needed for ever.
#[test]
fn what_is_remembered_is_no_source() {
    let scene = Scene::new();
    let arguments = ["--state", "k8s/state"];
    scene.document(&arguments);
    let document = scene.document(&arguments);
    assert!(scene.folder.path().join("k8s/state/roots.txt").exists());
    assert!(!document.to_string().contains("k8s/state/"), "{document:#}");
    fs::remove_file(scene.folder.path().join("k8s/web.yaml")).unwrap();
    scene.document(&arguments);
    let going = going(&scene.document(&arguments));
    assert!(
        going.contains(&"kotkan/declared:2.0.0".to_owned()),
        "{going:?}"
    );
}

/// The folder of the state is left out where files are read: one that is to be read may not be it.
#[test]
fn r4_2_a_source_is_not_left_out_as_the_state_folder() {
    let scene = Scene::new();
    let ended = scene.run(&["--state", "./k8s/"]).end();
    assert_eq!(ended.code, 1, "{}", ended.transcript());
    let told = "k8s is to be read, and is the state folder of the runs";
    assert!(ended.stderr.contains(told), "{}", ended.transcript());
}

/// A digest that is pinned is asked for, so that no more of its repository need stay.
#[test]
fn r4_1_a_digest_that_is_pinned_is_asked_for() {
    let scene = Scene::new();
    let digest = scene.registry.push("kotkan/web", "untagged", &[]);
    scene.write("more.txt", &format!("web@{digest}\n"));
    let arguments = ["--pins", "more.txt"];
    scene.document(&arguments);
    let document = scene.document(&arguments);
    let going = going(&document);
    assert!(going.contains(&"kotkan/web:1.1.0".to_owned()), "{going:?}");
    let repositories = document["repositories"].as_array().unwrap().iter();
    let manifests = repositories.flat_map(|one| one["manifests"].as_array().unwrap());
    let pinned = manifests.filter(|one| one["digest"] == digest.to_string());
    let pinned: Vec<String> = pinned.map(|one| one["reasons"].to_string()).collect();
    assert!(
        pinned.len() == 1 && pinned[0].contains("more.txt:1:1"),
        "{document:#}"
    );
}

/// R4.3: two runs lie a day apart, and no run takes more than it may.
#[test]
fn r4_3_runs_are_apart_and_take_no_more_than_they_may() {
    let scene = Scene::new();
    let config = fs::read_to_string(scene.folder.path().join("images.yaml")).unwrap();
    let limited = |from: &str, to: &str| {
        assert!(config.contains(from));
        scene.write("images.yaml", &config.replace(from, to));
    };
    limited("apart: 0s, ", "");
    scene.document(&[]);
    scene.check(
        "images_apart",
        0,
        &[
            "--why",
            "kotkan/web:1.1.0",
            "--why",
            "kotkan/declared:1.0.0",
        ],
    );
    limited("maximumShare: 100", "maximumShare: 100, maximumNumber: 3");
    let number = |document: &Value| document["deletions"].as_array().unwrap().len();
    let most = scene.document(&[]);
    assert!((1..=3).contains(&number(&most)), "{most:#}");
    limited("maximumShare: 100", "maximumShare: 40");
    assert_eq!(
        going(&scene.document(&[])),
        [
            "kotkan/cms-plugins:0.1.1",
            "kotkan/cms-plugins:0.1.2",
            "kotkan/web:1.1.0"
        ]
    );
    limited("minimumKept: 0", "minimumKept: 5");
    assert_eq!(going(&scene.document(&[])), ["kotkan/cms-plugins:0.1.1"]);
    limited("minimumAge: 0s", "minimumAge: 1d");
    assert_eq!(going(&scene.document(&[])), Vec::<String>::new());
}

/// What earlier runs read is not forgotten: a source that is left out is missed.
#[test]
fn r4_3_a_source_that_is_gone_stops_everything() {
    let scene = Scene::new();
    scene.document(&["--against", "dumps/other.yaml"]);
    let ended = scene.run(&[]).end();
    assert_eq!(ended.code, 3, "{}", ended.transcript());
    let told = "the last run also read dump dumps/other.yaml, and this one does not";
    assert!(ended.stdout.contains(told), "{}", ended.transcript());
}

/// No form of the output, and no file that is left, shows what a Secret holds.
#[test]
fn no_form_shows_what_a_secret_holds() {
    let scene = Scene::new();
    for arguments in [&["--all"][..], &["--output", "json"]] {
        let ended = scene.run(arguments).end();
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!all.contains("hunter2"), "{all}");
    }
    let state = scene.folder.path().join("state");
    for name in ["roots.txt", "record.json", "pins.txt"] {
        let text = fs::read_to_string(state.join(name)).unwrap();
        assert!(!text.contains("hunter2"), "{name}");
    }
    let roots = fs::read_to_string(state.join("roots.txt")).unwrap();
    assert!(roots.contains("kotkan/web:1.3.0"), "{roots}");
}

#[test]
fn what_is_wrong_with_arguments_and_files_is_told() {
    let scene = Scene::new();
    let folder = scene.folder.path();
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        underpin_in(folder, &arguments)
    };
    check("images_no_registry", 2, run("images plan"));
    check(
        "images_nobody",
        1,
        run("images plan --registry registry.example.com --state s"),
    );
    check(
        "images_bad_registry",
        1,
        run("images plan k8s --registry a_b --state s"),
    );
    fs::write(
        folder.join("bad.yaml"),
        "registry: {hots: x}\nlimits: {apart: soon}\n",
    )
    .unwrap();
    check("images_bad_file", 1, run("images plan --config bad.yaml"));
    check(
        "images_no_state",
        1,
        run("images plan k8s --registry registry.example.com").env("HOME", ""),
    );
    fs::create_dir(folder.join("old")).unwrap();
    fs::write(folder.join("old/record.json"), "{").unwrap();
    let run = run("images plan k8s --registry registry.example.com --state old");
    check("images_bad_record", 1, run);
}
