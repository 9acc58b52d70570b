//! `underpin images golive`, on a registry of the tests' own, a dump of a cluster and declared files (R4.5).

use serde_json::Value;
use tempfile::TempDir;
use underpin_image::Digest;

use crate::{
    harness::{Ended, Run, check, underpin_in},
    registry::{Registry, layer_of},
};

const PLUGINS: &str = "kotkan/cms-plugins";
const RUNNING: [&str; 2] = ["--running", "pins.txt"];

/// A registry that holds what the releases of the fixture need.
struct Scene {
    registry: Registry,
    folder: TempDir,
    /// The image of the second platform of what `staging` names.
    child: Digest,
}

impl Scene {
    fn new() -> Self {
        let registry = Registry::start();
        let children = [
            registry.push(PLUGINS, "plugins amd64", &[]),
            registry.push(PLUGINS, "plugins arm64", &[]),
        ];
        registry.push_index(PLUGINS, &["staging", "0.1.42"], &children);
        registry.push("kotkan/web", "web", &["1.7.0"]);
        let [_, child] = children;
        let scene = Self {
            registry,
            folder: tempfile::tempdir().unwrap(),
            child,
        };
        scene.registry.fixture("golive", scene.folder.path());
        scene
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let whole = [&["images", "golive", "--config", "images.yaml"], arguments].concat();
        underpin_in(self.folder.path(), &whole)
    }

    #[track_caller]
    fn check(&self, name: &str, code: i32, arguments: &[&str]) -> Ended {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(&regex::escape(&self.registry.host), "registry.example.com");
        settings.bind(|| check(name, code, self.run(arguments)))
    }

    #[track_caller]
    fn ends(&self, code: i32, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments).end();
        assert_eq!(ended.code, code, "{}", ended.transcript());
        ended
    }
}

/// Everything is there, and the running cleaner keeps it.
#[test]
fn r4_5_a_release_that_would_find_its_images() {
    let scene = Scene::new();
    scene.check(
        "golive_fine",
        0,
        &["kotkan/cms-plugins", RUNNING[0], RUNNING[1]],
    );
    scene.ends(
        0,
        &["kotkan/cms-plugins", RUNNING[0], RUNNING[1], "--strict"],
    );
    let json = [
        "kotkan/cms-plugins",
        RUNNING[0],
        RUNNING[1],
        "--output",
        "json",
    ];
    scene.check("golive_json", 0, &json);
}

/// All that are suspended are meant where none is named: a Kustomization with its manifests among them.
#[test]
fn r4_5_all_suspended_releases() {
    let scene = Scene::new();
    scene.check("golive_all", 0, &RUNNING);
    scene.registry.untag("kotkan/web", "1.7.0");
    let ended = scene.ends(3, &RUNNING);
    let told = "there is no repository";
    assert!(ended.stdout.contains(told), "{}", ended.transcript());
    assert!(!ended.stdout.contains("never"), "{}", ended.transcript());
}

/// The incident: the floating tag is gone, the policy selects none, and no digest would be written.
#[test]
fn r4_5_the_floating_tag_is_gone() {
    let scene = Scene::new();
    scene.registry.untag(PLUGINS, "staging");
    scene.check(
        "golive_tag_gone",
        3,
        &["kotkan/cms-plugins", "--no-cleaner"],
    );
}

/// The tag is there, and cannot be pulled: not on every platform, or not as a whole.
#[test]
fn r4_5_a_tag_that_is_there_is_not_what_can_be_pulled() {
    let scene = Scene::new();
    scene.registry.lose(&scene.child);
    scene.check(
        "golive_child_gone",
        3,
        &["kotkan/cms-plugins", "--no-cleaner"],
    );
    let scene = Scene::new();
    scene.registry.lose(&layer_of("plugins arm64"));
    scene.check(
        "golive_layer_gone",
        3,
        &["kotkan/cms-plugins", "--no-cleaner"],
    );
}

#[test]
fn r4_5_a_digest_that_is_gone() {
    let scene = Scene::new();
    scene.check("golive_digest_gone", 3, &["shop/pinned", "--no-cleaner"]);
}

/// The pins in git are not those that the cleaner reads where it runs.
#[test]
fn r4_5_the_running_cleaner_has_a_stale_list() {
    let scene = Scene::new();
    let stale = ["kotkan/cms-plugins", "--running", "old-pins.txt"];
    scene.check("golive_stale", 0, &stale);
    scene.ends(7, &[&stale[..], &["--strict"]].concat());
    scene.check("golive_not_said", 0, &["kotkan/cms-plugins"]);
    let nowhere = ["kotkan/cms-plugins", "--running", "no-pins.txt"];
    let ended = scene.ends(0, &nowhere);
    assert!(ended.stdout.contains("UP304?"), "{}", ended.transcript());
}

/// What a run of `images plan` went by is what the running cleaner reads, by path or URL.
#[test]
fn r4_5_the_running_list_is_read_where_it_is() {
    let scene = Scene::new();
    let host = &scene.registry.host;
    let plan = format!(
        "images plan repo/apps/web.yaml --registry {host} --owner kotkan --pins pins.txt --state state"
    );
    let plan: Vec<&str> = plan.split(' ').collect();
    let ended = underpin_in(scene.folder.path(), &plan).end();
    assert_eq!(ended.code, 0, "{}", ended.transcript());
    let of_run = ["kotkan/cms-plugins", "--strict", "--running", "state"];
    scene.ends(0, &of_run);
    scene
        .registry
        .serve("/deployed", "container/cms-plugins==staging\n");
    let url = format!("http://{}/deployed", scene.registry.host);
    scene.ends(0, &["kotkan/cms-plugins", "--strict", "--running", &url]);
    let gone = format!(
        "http://user:hunter2@{}/gone?token=hunter2",
        scene.registry.host
    );
    for url in [gone.replace("user:hunter2@", ""), gone] {
        let ended = scene.ends(7, &["kotkan/cms-plugins", "--strict", "--running", &url]);
        let shown = ended.stdout + &ended.stderr;
        assert!(shown.contains("UP304?"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

/// Values count as they come to count in the end, and no Secret is shown.
#[test]
fn r4_5_values_from_elsewhere() {
    let scene = Scene::new();
    let web = ["helmrelease/shop/web", "--no-cleaner"];
    scene.check("golive_values", 0, &web);
    scene.registry.untag("kotkan/web", "1.7.0");
    let ended = scene.check("golive_secret_not_shown", 3, &web);
    let shown = ended.stdout + &ended.stderr;
    assert!(!shown.contains("1.7.0"), "{shown}");
}

#[test]
fn r4_5_values_that_were_not_read() {
    let scene = Scene::new();
    scene.check("golive_values_unread", 3, &["shop/unread", "--no-cleaner"]);
}

/// Nothing is taken for gone that could not be asked for.
#[test]
fn r4_5_a_registry_that_does_not_answer() {
    let scene = Scene::new();
    scene.registry.refuse("/v2/kotkan/cms-plugins/");
    scene.check("golive_refused", 3, &["kotkan/cms-plugins", "--no-cleaner"]);
    let document = scene.ends(3, &["kotkan/cms-plugins", "--no-cleaner", "-o", "json"]);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!(document["releases"][0]["verdict"], "unknown");
}

/// A Kustomization is more than its images: without its manifests nobody knows.
#[test]
fn r4_5_a_kustomization_without_its_manifests() {
    let scene = Scene::new();
    let without = ["kustomization/shop/web", "--no-cleaner"];
    scene.check("golive_no_manifests", 3, &without);
}

/// Of releases in sources that could not be read, nobody knows whether they are suspended.
#[test]
fn r4_5_what_was_not_read_may_be_suspended() {
    let scene = Scene::new();
    let arguments = [RUNNING[0], RUNNING[1], "--against", "no.yaml"];
    let ended = scene.ends(1, &arguments);
    assert!(ended.stdout.contains("no.yaml"), "{}", ended.transcript());
    scene.ends(0, &[&arguments[..], &["kotkan/cms-plugins"]].concat());
}

#[test]
fn releases_that_are_not_found() {
    let scene = Scene::new();
    scene.check("golive_not_found", 1, &["kotkan/cms-plugin"]);
    scene.check("golive_none_near", 1, &["nobody/nothing"]);
    scene.check("golive_ambiguous", 1, &["shop/web"]);
    scene.check("golive_no_name", 2, &["web"]);
    scene.check("golive_no_kind", 2, &["deployment/shop/web"]);
}
