//! `underpin images golive`, on a registry of the tests' own, a dump of a cluster and declared files (R4.5).

use std::{fs, process::Command};

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

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("REGISTRY", &self.registry.host)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// An operator says that nothing of the registry is needed by something.
    fn consent(&self, text: &str) {
        let path = self.folder.path().join("images.yaml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(
            path,
            format!("{config}consents: {{foreignNeeds: ['{text}']}}\n"),
        )
        .unwrap();
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

    #[track_caller]
    fn tells(&self, code: i32, arguments: &[&str], told: &str) -> Ended {
        let ended = self.ends(code, arguments);
        assert!(ended.stdout.contains(told), "{}", ended.transcript());
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
    let told = "there is no repository";
    let ended = scene.tells(3, &RUNNING, told);
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
    scene.tells(0, &nowhere, "UP304?");
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

/// What was not read may hold the release itself, or what is written into it; without a name, more that are
/// suspended.
#[test]
fn r4_5_what_was_not_read_may_be_what_is_meant() {
    let scene = Scene::new();
    let arguments = ["kotkan/cms-plugins", "--no-cleaner", "--against", "no.yaml"];
    scene.check("golive_source_unread", 3, &arguments);
    scene.ends(3, &arguments[1..]);
    let host = &scene.registry.host;
    let none = format!("images golive --registry {host} --no-cleaner --against no.yaml --state s");
    let none: Vec<&str> = none.split(' ').collect();
    let ended = underpin_in(scene.folder.path(), &none).end();
    assert_eq!(ended.code, 1, "{}", ended.transcript());
    assert!(ended.stdout.contains("no.yaml"), "{}", ended.transcript());
}

/// Only what may be meant counts: a file with the name of the release, and not any that is broken.
#[test]
fn r4_5_what_was_not_read_and_cannot_be_meant_does_not_count() {
    let scene = Scene::new();
    let web = ["helmrelease/shop/web", "--no-cleaner"];
    let plugins = ["kotkan/cms-plugins", "--no-cleaner"];
    let apps = ["kustomization/flux-system/apps", "--no-cleaner"];
    let torn = |name: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}\n");
    scene.write("repo/torn.yaml", &torn("cms-plugins"));
    scene.ends(0, &web);
    let told = "files repo could not be read completely: repo/torn.yaml:";
    scene.tells(3, &plugins, told);
    scene.write("repo/torn.yaml", &torn("other"));
    scene.ends(0, &plugins);
    scene.ends(0, &apps);
    scene.remove("repo/torn.yaml");
    scene.write(
        "repo/apps/torn.yaml",
        &(pod("a", "web:1") + "---\n" + &torn("other")),
    );
    scene.ends(0, &apps);
    scene.write(
        "repo/apps/kustomization.yaml",
        "resources: [web.yaml, torn.yaml]\n",
    );
    scene.ends(3, &apps);
    scene.ends(0, &plugins);
    scene.remove("repo/apps/torn.yaml");
    // Nobody knows what a chart of Terraform's declares, unless somebody does.
    let release =
        "resource \"helm_release\" \"flux\" {\n  name = \"flux\"\n  chart = \"flux\"\n}\n";
    scene.write("repo/main.tf", release);
    scene.ends(3, &plugins);
    scene.consent(
        "files repo: repo/main.tf: helm_release.flux, a Helm release whose chart is not rendered",
    );
    scene.ends(0, &plugins);
    scene.write("repo/main.tf", &format!("# Moved.\n{release}"));
    scene.ends(0, &plugins);
}

const NESTED: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: nested, namespace: flux-system, uid: n1}
spec:
  path: ./nested
  sourceRef: {kind: GitRepository, name: flux}
";
const ASKED: [&str; 4] = [
    "kustomization/flux-system/nested",
    "--no-cleaner",
    "--against",
    "nested.yaml",
];

/// A HelmRelease, with what comes behind its chart.
fn helm_release(rest: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
         metadata: {{name: inner, namespace: shop}}\nspec:\n  \
         chart: {{spec: {{chart: ./charts/cms, sourceRef: {{kind: GitRepository, name: flux}}}}}}\n{rest}"
    )
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec: {{containers: [{{name: web, image: \"{image}\"}}]}}\n"
    )
}

/// What a Kustomization puts for images is put for those of containers, and not into the values of a
/// HelmRelease; which has chart and images of its own.
#[test]
fn r4_5_a_release_in_a_kustomization() {
    let scene = Scene::new();
    let images = "  images: [{name: REGISTRY/kotkan/web, newTag: never}]\n";
    scene.write("nested.yaml", &format!("{NESTED}{images}"));
    let values = "  values: {image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}}\n";
    scene.write("repo/nested/release.yaml", &helm_release(values));
    scene.check("golive_nested", 0, &ASKED);
    let own =
        "  postRenderers: [{kustomize: {images: [{name: REGISTRY/kotkan/web, newTag: gone}]}}]\n";
    scene.write(
        "repo/nested/release.yaml",
        &helm_release(&(values.to_owned() + own)),
    );
    let ended = scene.tells(3, &ASKED, "there is no tag");
    assert!(
        ended.stdout.contains("kotkan/web:gone"),
        "{}",
        ended.transcript()
    );
    // The repository is a value of the chart.
    scene.write(
        "repo/charts/cms/values.yaml",
        "image: {repository: REGISTRY/kotkan/web, tag: x}\n",
    );
    scene.write(
        "repo/nested/release.yaml",
        &helm_release("  values: {image: {tag: lost}}\n"),
    );
    scene.tells(3, &ASKED, "kotkan/web:lost");
    scene.write(
        "repo/nested/release.yaml",
        &helm_release("  values: {image: {tag: 1.7.0}}\n"),
    );
    scene.ends(0, &ASKED);
    scene.write(
        "repo/nested/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    scene.tells(3, &ASKED, "kotkan/web:never");
}

/// Patches and components may set anything, unless a patch shows that it does not.
#[test]
fn r4_5_patches_may_set_images() {
    let scene = Scene::new();
    scene.write(
        "repo/nested/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    let with = |rest: &str| scene.write("nested.yaml", &format!("{NESTED}{rest}"));
    let sets = "[{op: replace, path: /spec/containers/0/image, value: x}]";
    let spares = "[{op: add, path: /metadata/labels/a, value: b}]";
    with(&format!("  patches: [{{patch: \"{spares}\"}}]\n"));
    scene.ends(0, &ASKED);
    with(&format!("  patches: [{{patch: \"{sets}\"}}]\n"));
    scene.check("golive_patches", 3, &ASKED);
    with("  components: [../components/x]\n");
    scene.ends(3, &ASKED);
    with("");
    scene.ends(0, &ASKED);
    let values = "  values: {image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}}\n";
    for (patch, code) in [(spares, 0), (sets, 3)] {
        let renderer =
            format!("  postRenderers: [{{kustomize: {{patches: [{{patch: \"{patch}\"}}]}}}}]\n");
        scene.write(
            "repo/nested/release.yaml",
            &helm_release(&(values.to_owned() + &renderer)),
        );
        let ended = scene.ends(code, &ASKED);
        let is_told = ended.stdout.contains("this patch may set images");
        assert_eq!(is_told, code == 3, "{}", ended.transcript());
    }
    scene.remove("repo/nested/release.yaml");
    for (patch, code) in [
        ("spec: {nodeName: a}", 0),
        ("spec: {containers: [{name: web, image: x}]}", 3),
    ] {
        scene.write(
            "repo/nested/kustomization.yaml",
            "resources: [pod.yaml]\npatches: [{path: patch.yaml}]\n",
        );
        scene.write(
            "repo/nested/patch.yaml",
            &format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\n{patch}\n"),
        );
        scene.ends(code, &ASKED);
    }
}

/// One that is suspended is not resumed with what deploys it, unless a patch does that.
#[test]
fn r4_5_a_suspended_release_in_a_kustomization() {
    let scene = Scene::new();
    scene.write("nested.yaml", NESTED);
    scene.write(
        "repo/nested/a/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    let lost = "  suspend: true\n  values: {image: {repository: REGISTRY/kotkan/web, tag: lost}}\n";
    scene.write("repo/nested/a/release.yaml", &helm_release(lost));
    scene.ends(0, &ASKED);
    let taken = "resources: [a/pod.yaml, a/release.yaml]\n";
    let resumes = "patches: [{patch: '[{op: replace, path: /spec/suspend, value: false}]'}]\n";
    scene.write("repo/nested/kustomization.yaml", taken);
    scene.ends(0, &ASKED);
    scene.write(
        "repo/nested/kustomization.yaml",
        &format!("{taken}{resumes}"),
    );
    scene.tells(3, &ASKED, "its patch patches[0] may set images");
}

/// A release is more than its file where something takes that: what may set its images there is not known. So
/// are its values, where what takes it makes ConfigMaps.
#[test]
fn r4_5_a_declared_release_that_something_takes() {
    let scene = Scene::new();
    let declared = ["helmrelease/shop/inner", "--no-cleaner"];
    let values = "  values: {image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}}\n";
    scene.write("repo/base/release.yaml", &helm_release(values));
    scene.write(
        "repo/base/kustomization.yaml",
        "resources: [release.yaml]\n",
    );
    scene.ends(0, &declared);
    let over = |rest: &str| {
        let taken = format!("resources: [../base]\n{rest}");
        scene.write("repo/over/kustomization.yaml", &taken);
    };
    over("");
    scene.ends(0, &declared);
    over("commonLabels: {a: b}\nconfigMapGenerator: [{name: values, literals: [a=b]}]\n");
    scene.ends(0, &declared);
    over(
        "patches: [{patch: 'spec: {values: {image: {tag: lost}}}', target: {kind: HelmRelease}}]\n",
    );
    let told = "repo/over/kustomization.yaml: its patch patches[0] may set images";
    scene.tells(3, &declared, told);
    let from = "  valuesFrom: [{kind: ConfigMap, name: values}]\n";
    scene.write(
        "repo/base/values.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: shop}\n\
         data: {values.yaml: 'a: b'}\n",
    );
    scene.write(
        "repo/base/release.yaml",
        &helm_release(&format!("{values}{from}")),
    );
    over("");
    scene.ends(0, &declared);
    over("configMapGenerator: [{name: values, literals: [a=b]}]\n");
    scene.tells(
        3,
        &declared,
        "its `configMapGenerator` may decide which values",
    );
    // As one of the manifests of a Kustomization, too.
    let over = NESTED.replace("./nested", "./over");
    scene.write("nested.yaml", &over);
    scene.tells(
        3,
        &ASKED,
        "its `configMapGenerator` may decide which values",
    );
}

/// Without a `kustomization.yaml` all is taken, and one further down counts there; a Kustomization among the
/// manifests deploys what it says.
#[test]
fn r4_5_folders_are_taken_as_flux_takes_them() {
    let scene = Scene::new();
    scene.write("nested.yaml", NESTED);
    scene.write(
        "repo/nested/a/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    scene.write("repo/nested/b/kustomization.yaml", "resources: [pod.yaml]\nimages: [{name: web, newName: REGISTRY/kotkan/web, newTag: 1.7.0}]\n");
    scene.write("repo/nested/b/pod.yaml", &pod("b", "web:1"));
    scene.write(
        "repo/nested/b/left-out.yaml",
        &pod("c", "REGISTRY/kotkan/web:never"),
    );
    scene.ends(0, &ASKED);
    // What one folder puts is not put in another.
    scene.write("repo/nested/a/more.yaml", &pod("d", "web:1"));
    scene.tells(0, &ASKED, "docker.io/library/web:1");
    let child = NESTED.replace("nested", "child").replace(", uid: n1", "");
    scene.write("repo/nested/child.yaml", &child);
    let told =
        "what kustomization.kustomize.toolkit.fluxcd.io/flux-system/child needs by spec.path";
    scene.tells(3, &ASKED, told);
    scene.write("repo/child/pod.yaml", &pod("e", "REGISTRY/kotkan/web:gone"));
    scene.tells(3, &ASKED, "kotkan/web:gone");
    scene.write(
        "repo/child/pod.yaml",
        &pod("e", "REGISTRY/kotkan/web:1.7.0"),
    );
    scene.ends(0, &ASKED);
    // Which of two folders is meant, nobody knows, nor what is in one that was not read.
    scene.write(
        "other/nested/pod.yaml",
        &pod("f", "REGISTRY/kotkan/web:1.7.0"),
    );
    let both = [&ASKED[..], &["--path", "other"]].concat();
    scene.tells(3, &both, "may both be meant");
    scene.write(
        "repo/nested/b/kustomization.yaml",
        "resources: [../../../beside/pod.yaml]\n",
    );
    scene.write("beside/pod.yaml", &pod("g", "REGISTRY/kotkan/web:gone"));
    scene.tells(3, &ASKED, "beside/pod.yaml was not read");
}

/// The folder is one of the repository that the source names.
#[test]
fn r4_5_a_working_tree_of_another_repository() {
    let scene = Scene::new();
    let source = "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: flux, namespace: flux-system, uid: n2}\nspec: {url: \"https://git.example.com/team/flux\"}\n";
    scene.write("nested.yaml", &format!("{NESTED}{source}"));
    scene.write(
        "repo/nested/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    scene.ends(0, &ASKED);
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(scene.folder.path().join("repo"));
        assert!(git.args(arguments).output().unwrap().status.success());
    };
    git(&["init"]);
    scene.ends(0, &ASKED);
    git(&[
        "remote",
        "add",
        "origin",
        "git@git.example.com:team/flux.git",
    ]);
    scene.ends(0, &ASKED);
    git(&[
        "remote",
        "set-url",
        "origin",
        "git@git.example.com:team/other.git",
    ]);
    let told = "repo/nested is of the repository git.example.com/team/other";
    scene.tells(3, &ASKED, told);
    // Of two folders, the one that is of the repository is meant.
    scene.write(
        "other/nested/pod.yaml",
        &pod("b", "REGISTRY/kotkan/web:gone"),
    );
    let both = [&ASKED[..], &["--path", "other"]].concat();
    scene.tells(3, &both, "kotkan/web:gone");
    git(&[
        "remote",
        "set-url",
        "origin",
        "git@git.example.com:team/flux.git",
    ]);
    scene.ends(0, &both);
    // The folder is one of the top, whichever folder of the repository was named.
    scene.write(
        "repo/k8s/nested/pod.yaml",
        &pod("c", "REGISTRY/kotkan/web:gone"),
    );
    let below = [&ASKED[..], &["--path", "repo/k8s"]].concat();
    scene.ends(0, &below);
}

/// What is in a source that is no repository of git is not in any folder.
#[test]
fn r4_5_a_bucket_is_no_folder() {
    let scene = Scene::new();
    scene.write(
        "repo/nested/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    scene.write("nested.yaml", &NESTED.replace("GitRepository", "Bucket"));
    scene.tells(
        3,
        &ASKED,
        "is no repository of git, and what is in it is not looked at",
    );
}

/// A chart that was not read may name anything, in its values or templates.
#[test]
fn r4_5_a_chart_that_was_not_read() {
    let scene = Scene::new();
    let asked = ["kotkan/cms-plugins", "--no-cleaner"];
    scene.write(
        "repo/charts/cms/templates/job.yaml",
        "image: REGISTRY/kotkan/web:gone\n",
    );
    let ended = scene.ends(3, &asked);
    assert!(
        ended
            .stdout
            .contains("templates/job.yaml names the registry"),
        "{}",
        ended.transcript()
    );
    scene.remove("repo/charts/cms/templates/job.yaml");
    scene.write(
        "repo/charts/cms/Chart.yaml",
        "name: cms\nversion: 1.0.0\ndependencies: [{name: db}]\n",
    );
    scene.tells(3, &asked, "brings the charts `db`");
    scene.write(
        "repo/charts/cms/Chart.yaml",
        "apiVersion: v2\nname: cms\nversion: 1.0.0\n",
    );
    scene.ends(0, &asked);
    for brought in ["charts/db.tgz", "requirements.yaml"] {
        let path = format!("repo/charts/cms/{brought}");
        scene.write(&path, "name: db\n");
        scene.tells(
            3,
            &asked,
            "its chart brings charts along in repo/charts/cms/",
        );
        scene.remove(&path);
    }
    scene.ends(0, &asked);
    scene.remove("repo/charts/cms/Chart.yaml");
    let ended = scene.check("golive_chart_unread", 3, &asked);
    let line = "under `consents.foreignNeeds` of the images file: - '";
    let (_, text) = ended.stdout.split_once(line).unwrap();
    let (text, _) = text.split_once("'\n").unwrap();
    scene.consent(text);
    scene.ends(0, &asked);
}

/// Files of values count instead of the chart's own, and a chart of a repository is one that was pulled.
#[test]
fn r4_5_charts_and_their_files_of_values() {
    let scene = Scene::new();
    let release = |chart: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
             metadata: {{name: inner, namespace: shop, uid: n1}}\nspec: {{chart: {{spec: {{{chart}}}}}}}\n"
        )
    };
    let asked = ["shop/inner", "--no-cleaner", "--against", "inner.yaml"];
    let from_git = "chart: ./charts/cms, sourceRef: {kind: GitRepository, name: flux}";
    scene.write(
        "repo/charts/cms/values.yaml",
        "image: {repository: REGISTRY/kotkan/web, tag: gone}\n",
    );
    scene.write(
        "repo/production.yaml",
        "image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}\n",
    );
    scene.write("inner.yaml", &release(from_git));
    scene.ends(3, &asked);
    scene.write(
        "inner.yaml",
        &release(&format!("{from_git}, valuesFiles: [production.yaml]")),
    );
    scene.ends(0, &asked);
    scene.write(
        "inner.yaml",
        &release(&format!(
            "{from_git}, valuesFiles: [production.yaml, nowhere.yaml]"
        )),
    );
    scene.tells(3, &asked, "nowhere.yaml cannot be read");
    scene.write("inner.yaml", &release(&format!("{from_git}, ignoreMissingValuesFiles: true, valuesFiles: [production.yaml, nowhere.yaml]")));
    scene.ends(0, &asked);
    scene.write(
        "repo/charts/cms/values.yaml",
        "image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}\n",
    );
    for (version, code) in [("1.0.0", 0), ("2.0.0", 3), ("1.x", 3)] {
        let chart = format!(
            "chart: cms, version: {version}, sourceRef: {{kind: HelmRepository, name: charts}}"
        );
        let charts = "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: charts, namespace: shop, uid: n2}\nspec: {url: \"https://charts.example.com\"}\n";
        scene.write("inner.yaml", &(release(&chart) + charts));
        scene.ends(code, &asked);
    }
}

/// A policy is one of a repository in a registry, and one whose selection is not known may be any's.
#[test]
fn r4_5_policies_of_other_registries_and_of_nobody_knows_what() {
    let scene = Scene::new();
    let policy = |image: Option<&str>| {
        let repository = image.map(|image| {
            format!("---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata: {{name: web, namespace: shop, uid: n2}}\nspec: {{image: {image}}}\n")
        });
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: web, namespace: shop, uid: n3}}\nspec: {{imageRepositoryRef: {{name: web}}, policy: {{semver: {{range: 1.x}}}}}}\n{}",
            repository.unwrap_or_default()
        )
    };
    let release = "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: inner, namespace: shop, uid: n1}\nspec: {values: {image: {repository: REGISTRY/kotkan/web}}}\n";
    let asked = ["shop/inner", "--no-cleaner", "--against", "inner.yaml"];
    scene.write(
        "inner.yaml",
        &(policy(Some("REGISTRY/kotkan/web")) + release),
    );
    scene.ends(0, &asked);
    scene.write(
        "inner.yaml",
        &(policy(Some("other.example.com/kotkan/web")) + release),
    );
    scene.tells(3, &asked, "which image is meant");
    scene.write(
        "inner.yaml",
        &(policy(None) + &release.replace("kotkan/web", "kotkan/web, tag: 1.7.0")),
    );
    scene.tells(3, &asked, "is not among what was read");
}

/// Kustomizations that deploy each other are each looked at once.
#[test]
fn r4_5_kustomizations_in_a_circle() {
    let scene = Scene::new();
    scene.write("nested.yaml", NESTED);
    let declared = NESTED.replace(", uid: n1", "");
    scene.write(
        "repo/nested/child.yaml",
        &declared.replace("nested", "child"),
    );
    scene.write("repo/child/back.yaml", &declared);
    scene.write(
        "repo/child/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    scene.ends(0, &ASKED);
    scene.write("repo/child/pod.yaml", &pod("a", "REGISTRY/kotkan/web:gone"));
    scene.tells(3, &ASKED, "kotkan/web:gone");
    scene.write("repo/child/kustomization.yaml", "resources: [../child]\n");
    scene.tells(3, &ASKED, "it takes itself, or goes too deep");
}

/// What a Kustomization deploys comes to be where it says, with what it refers to.
#[test]
fn r4_5_a_kustomization_puts_all_into_one_namespace() {
    let scene = Scene::new();
    let from = "  values: {image: {repository: REGISTRY/kotkan/web}}\n  \
                valuesFrom: [{kind: ConfigMap, name: values}]\n";
    scene.write("repo/nested/release.yaml", &helm_release(from));
    scene.write("repo/nested/values.yaml", &values_in("elsewhere"));
    scene.write("nested.yaml", NESTED);
    scene.tells(3, &ASKED, "values come from");
    scene.write(
        "nested.yaml",
        &format!("{NESTED}  targetNamespace: other\n"),
    );
    scene.ends(0, &ASKED);
    let there = ["other/inner", "--no-cleaner", "--against", "nested.yaml"];
    scene.ends(0, &there);
    scene.write("repo/nested/values.yaml", "a: b\n");
    scene.tells(3, &there, "values come from");
}

fn values_in(namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: values{namespace}}}\n\
         data: {{values.yaml: 'image: {{tag: 1.7.0}}'}}\n",
        namespace = if namespace.is_empty() {
            String::new()
        } else {
            format!(", namespace: {namespace}")
        }
    )
}

/// A release whose file does not say its namespace is in the one that something which takes it says, and never
/// silently in `default`. Where nothing does, it may be the one that is meant.
#[test]
fn r4_5_a_declared_release_without_a_namespace() {
    let scene = Scene::new();
    let from = "  values: {image: {repository: REGISTRY/kotkan/web}}\n  \
                valuesFrom: [{kind: ConfigMap, name: values}]\n  suspend: true\n";
    let release = helm_release(from).replace(", namespace: shop", "");
    scene.write("repo/base/release.yaml", &release);
    scene.write("repo/base/values.yaml", &values_in(""));
    let asked = |namespace: &str| format!("helmrelease/{namespace}/inner");
    let told =
        "in which namespace it comes to be is said neither by its file nor by a kustomization";
    for namespace in ["shop", "default"] {
        scene.tells(3, &[&asked(namespace), "--no-cleaner"], told);
    }
    scene.tells(3, &["--no-cleaner"], "helmrelease/inner: ");
    scene.write(
        "repo/base/kustomization.yaml",
        "resources: [release.yaml, values.yaml]\n",
    );
    scene.write(
        "repo/over/kustomization.yaml",
        "namespace: shop\nresources: [../base]\n",
    );
    scene.ends(0, &[&asked("shop"), "--no-cleaner"]);
    scene.ends(1, &[&asked("default"), "--no-cleaner"]);
    scene.ends(1, &[&asked("other"), "--no-cleaner"]);
    scene.tells(0, &["--no-cleaner"], "helmrelease/shop/inner: ");
    let target = NESTED.replace("./nested", "./base");
    scene.write(
        "nested.yaml",
        &format!("{target}  targetNamespace: other\n"),
    );
    let other = asked("other");
    scene.ends(0, &[&other, "--no-cleaner", "--against", "nested.yaml"]);
    // With the one of a cluster it is looked at, for it may be that one.
    scene.remove("repo/over/kustomization.yaml");
    scene.write(
        "live.yaml",
        &helm_release("  values: {image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}}\n")
            .replace("namespace: shop", "namespace: shop, uid: n1"),
    );
    let live = asked("shop");
    scene.tells(3, &[&live, "--no-cleaner", "--against", "live.yaml"], told);
}

/// A Kustomization may change a declared release that it deploys, wherever it was read.
#[test]
fn r4_5_patches_of_a_kustomization_around_a_declared_release() {
    let scene = Scene::new();
    let values = "  values: {image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}}\n";
    scene.write("repo/base/release.yaml", &helm_release(values));
    let over = NESTED.replace("./nested", "./base");
    let declared = [
        "helmrelease/shop/inner",
        "--no-cleaner",
        "--against",
        "nested.yaml",
    ];
    for (rest, code) in [
        ("", 0),
        (
            "  patches: [{patch: \"[{op: add, path: /metadata/labels/a, value: b}]\"}]\n",
            0,
        ),
        (
            "  patches: [{patch: \"spec: {values: {image: {tag: lost}}}\"}]\n",
            3,
        ),
        ("  components: [../components/x]\n", 3),
    ] {
        scene.write("nested.yaml", &format!("{over}{rest}"));
        let ended = scene.ends(code, &declared);
        let told = "flux-system/nested spec.";
        assert_eq!(
            ended.stdout.contains(told),
            code == 3,
            "{}",
            ended.transcript()
        );
    }
    // Which of two folders it deploys, nobody knows: it may be this one.
    let patch = "  patches: [{patch: \"spec: {values: {image: {tag: lost}}}\"}]\n";
    scene.write("nested.yaml", &format!("{over}{patch}"));
    scene.write(
        "other/base/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    let both = [&declared[..], &["--path", "other"]].concat();
    scene.tells(3, &both, "spec.patches[0]: this patch may set images");
    scene.write("nested.yaml", NESTED);
    scene.write(
        "repo/flux.yaml",
        &format!("{over}  patches: [{{patch: \"spec: {{values: {{image: {{tag: x}}}}}}\"}}]\n"),
    );
    scene.tells(3, &declared, "spec.patches[0]: this patch may set images");
}

/// What a policy writes into a release that is suspended is not written into what deploys that; what it writes
/// into a `kustomization.yaml` is.
#[test]
fn r4_5_markers_count_where_they_stand() {
    let scene = Scene::new();
    scene.write("nested.yaml", NESTED);
    scene.write(
        "repo/nested/pod.yaml",
        &pod("a", "REGISTRY/kotkan/web:1.7.0"),
    );
    let marker = "# {\"$imagepolicy\": \"kotkan:cms-plugins-other:tag\"}";
    let marked = |suspended: bool| {
        format!(
            "{}---\n{}",
            pod("b", "REGISTRY/kotkan/web:1.7.0"),
            helm_release(&format!(
                "  suspend: {suspended}\n  values:\n    image:\n      \
                 repository: REGISTRY/kotkan/cms-plugins\n      tag: staging {marker}\n"
            ))
        )
    };
    scene.write("repo/nested/both.yaml", &marked(false));
    scene.tells(3, &ASKED, "cms-plugins-other");
    scene.write("repo/nested/both.yaml", &marked(true));
    scene.ends(0, &ASKED);
    scene.write(
        "repo/nested/kustomization.yaml",
        &format!(
            "resources: [pod.yaml]\nimages:\n  - name: REGISTRY/kotkan/web\n    newTag: 1.7.0 {marker}\n"
        ),
    );
    scene.tells(3, &ASKED, "cms-plugins-other");
}

/// What one cluster says of a policy says nothing of that of another one; declared files may be of either.
#[test]
fn r4_5_a_policy_of_one_cluster_does_not_vouch_for_that_of_another() {
    let scene = Scene::new();
    let policy = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\n\
                  metadata: {name: web, namespace: shop, uid: n3}\n\
                  spec: {imageRepositoryRef: {name: web}, policy: {semver: {range: 1.x}}}\n";
    let repository = "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\n\
                      metadata: {name: web, namespace: shop, uid: n2}\nspec: {image: REGISTRY/kotkan/web}\n";
    let release = "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n\
                   metadata: {name: inner, namespace: shop, uid: n1}\n\
                   spec: {values: {image: {repository: REGISTRY/kotkan/web, tag: 1.7.0}}}\n";
    scene.write("a.yaml", &format!("{policy}{repository}"));
    scene.write("b.yaml", &format!("{policy}{release}"));
    let asked = [
        "shop/inner",
        "--no-cleaner",
        "--against",
        "a.yaml",
        "--against",
        "b.yaml",
    ];
    scene.tells(3, &asked, "is not among what was read");
    scene.write("repo/policy.yaml", &format!("{policy}{repository}"));
    scene.ends(0, &asked);
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
