//! `underpin images reap` and `underpin images restore`, on a registry of the tests' own (R4.2 to R4.4).

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;
use underpin_image::Digest;

use crate::{
    harness::Ended,
    images::Scene,
    registry::{Registry, layer_of},
};

const REPOSITORIES: [&str; 3] = ["kotkan/cms-plugins", "kotkan/declared", "kotkan/web"];

/// A registry of which two runs have found what may go, and the plan that says so.
fn frozen() -> Scene {
    let scene = Scene::new();
    scene.document(&[]);
    scene.document(&["--out", "plan.json"]);
    scene
}

/// The tags of each repository, and the bytes of each manifest.
type Held = (Vec<BTreeMap<String, Digest>>, BTreeMap<Digest, Vec<u8>>);

/// All tags and all manifests.
fn held(registry: &Registry) -> Held {
    let tags = REPOSITORIES.map(|repository| registry.tags(repository));
    (tags.to_vec(), registry.manifests())
}

impl Scene {
    #[track_caller]
    fn reap(&self, name: &str, code: i32, arguments: &[&str]) -> Ended {
        let run = self.run_of("reap", &[&["plan.json"], arguments].concat());
        self.check_run(name, code, run)
    }

    /// Carries out the plan, and returns with what code that ended.
    fn reap_quietly(&self) -> i32 {
        self.run_of("reap", &["plan.json", "--yes"]).end().code
    }

    #[track_caller]
    fn restore(&self, name: &str, code: i32, arguments: &[&str]) -> Ended {
        self.check_run(name, code, self.run_of("restore", arguments))
    }

    fn journals(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("state/undo"));
        let entries = entries.into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// A declared Deployment that runs an image.
    fn declare(&self, name: &str, image: &str) {
        let host = &self.registry.host;
        self.write(
            &format!("k8s/{name}.yaml"),
            &format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
                 template:\n    spec:\n      containers:\n        - {{name: app, image: '{host}/{image}'}}\n"
            ),
        );
    }
}

/// R4.2, R4.4: what was frozen goes and nothing else, all of it comes back as it was, and the plan can be
/// carried out once more.
#[test]
fn r4_4_what_is_deleted_comes_back() {
    let scene = frozen();
    let before = held(&scene.registry);
    scene.reap("images_reap_unasked", 1, &[]);
    assert_eq!(held(&scene.registry), before);
    scene.reap("images_reap", 0, &["--yes"]);
    assert_eq!(scene.registry.manifests().len(), 12);
    let tags =
        |repository: &str| -> Vec<_> { scene.registry.tags(repository).into_keys().collect() };
    assert_eq!(
        tags("kotkan/cms-plugins"),
        ["0.1.4", "0.1.5", "0.1.6", "production", "staging"]
    );
    assert_eq!(tags("kotkan/web"), ["1.2.0", "1.3.0"]);
    scene.reap("images_reap_again", 0, &["--yes"]);
    scene.restore("images_restore_unasked", 1, &[]);
    scene.restore("images_restore", 0, &["--yes"]);
    assert_eq!(held(&scene.registry), before);
    scene.restore("images_restore_again", 0, &["--yes"]);
    let log = fs::read_to_string(scene.folder.path().join("state/audit.jsonl")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let plan = fs::read_to_string(scene.folder.path().join("plan.json")).unwrap();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let deleted: Vec<&Value> = lines
        .iter()
        .filter(|line| line["act"] == "deleted")
        .collect();
    assert_eq!(deleted.len(), 11);
    for line in deleted {
        assert_eq!(line["plan"], plan["hash"]);
        assert!(
            line["by"]
                .as_str()
                .unwrap()
                .contains("underpin images reap")
        );
    }
    let restored = lines.iter().filter(|line| line["act"] == "restore");
    for line in restored {
        assert!(
            line["by"]
                .as_str()
                .unwrap()
                .contains("underpin images restore")
        );
    }
}

/// R4.3: what has come to be needed since the plan was frozen stays, with what belongs to it, and the rest
/// goes.
#[test]
fn r4_3_what_is_needed_meanwhile_is_kept() {
    let scene = frozen();
    scene.declare("late", "kotkan/web:1.1.0");
    let child = scene
        .registry
        .push("kotkan/cms-plugins", "plugins 2 arm64", &[]);
    scene.declare("child", &format!("kotkan/cms-plugins@{child}"));
    scene
        .registry
        .push("kotkan/declared", "forgotten", &["1.0.1"]);
    scene.reap("images_reap_needed", 3, &["--yes"]);
    let tags =
        |repository: &str| -> Vec<_> { scene.registry.tags(repository).into_keys().collect() };
    assert_eq!(
        tags("kotkan/cms-plugins"),
        ["0.1.2", "0.1.4", "0.1.5", "0.1.6", "production", "staging"]
    );
    assert_eq!(tags("kotkan/web"), ["1.1.0", "1.2.0", "1.3.0"]);
    assert_eq!(tags("kotkan/declared"), ["1.0.0", "1.0.1", "2.0.0"]);
    // What the run went by is beside the log.
    let roots = fs::read_to_string(scene.folder.path().join("state/roots.txt")).unwrap();
    assert!(roots.contains("kotkan/web:1.1.0"), "{roots}");
}

/// R4.3: whatever cannot be read when it comes to deleting: nothing goes.
#[test]
fn r4_3_what_cannot_be_read_anew_deletes_nothing() {
    let scene = frozen();
    let before = held(&scene.registry);
    scene.reap("images_reap_no_dump", 1, &["--yes", "--against", "no.yaml"]);
    scene.reap(
        "images_reap_no_context",
        1,
        &["--yes", "--context", "nowhere"],
    );
    scene.write("pins.txt", "containr/cms-plugins==staging\n");
    scene.reap("images_reap_bad_pin", 1, &["--yes"]);
    let config = fs::read_to_string(scene.folder.path().join("images.yaml")).unwrap();
    scene.write("images.yaml", &config.replace("paths: [k8s]", "paths: []"));
    scene.write("pins.txt", "container/cms-plugins==staging\n");
    scene.reap("images_reap_other_sources", 3, &["--yes"]);
    scene.write("images.yaml", &config);
    scene.registry.refuse("/v2/kotkan/web/tags");
    scene.reap(
        "images_reap_page_refused",
        1,
        &["--yes", "--output", "json"],
    );
    assert_eq!(held(&scene.registry), before);
    assert_eq!(scene.journals(), Vec::<PathBuf>::new());
}

/// A plan that was changed, is another document, or is for another registry is not carried out.
#[test]
fn only_the_plan_that_was_agreed_to_is_carried_out() {
    let scene = frozen();
    let before = held(&scene.registry);
    let folder = scene.folder.path().to_owned();
    let good = fs::read_to_string(folder.join("plan.json")).unwrap();
    scene.write("plan.json", &good.replace("1.1.0", "1.2.0"));
    scene.reap("images_reap_changed", 1, &["--yes"]);
    scene.write(
        "plan.json",
        &good.replace("images/plan/v1", "images/plan/v9"),
    );
    scene.reap("images_reap_version", 1, &["--yes"]);
    // In a line whose length does not depend on the host or on the time.
    let cut = good.find("\"deletion\"").unwrap() + 5;
    scene.write("plan.json", &good[..cut]);
    scene.reap("images_reap_cut", 1, &["--yes"]);
    fs::remove_file(folder.join("plan.json")).unwrap();
    scene.reap("images_reap_no_plan", 1, &["--yes"]);
    scene.write("plan.json", &good);
    scene.reap(
        "images_reap_other_registry",
        1,
        &["--yes", "--registry", "other.example.com"],
    );
    let config = fs::read_to_string(folder.join("images.yaml")).unwrap();
    scene.write(
        "images.yaml",
        &config.replace("apart: 0s", "apart: 0s, maximumNumber: 3"),
    );
    scene.reap("images_reap_too_many", 1, &["--yes"]);
    assert_eq!(held(&scene.registry), before);
}

/// R4.3: one run writes at a time; one that only plans goes on, and leaves the folder as it is.
#[test]
fn r4_3_a_run_that_writes_is_alone() {
    let scene = frozen();
    let state = scene.folder.path().join("state");
    let held = underpin_registry::State::lock(&state).unwrap();
    scene.reap("images_reap_locked", 5, &["--yes"]);
    scene.restore("images_restore_locked", 5, &["--yes"]);
    let record = fs::read(state.join("record.json")).unwrap();
    let plan = scene.run_of("plan", &["--why", "kotkan/web:1.1.0"]);
    scene.check_run("images_plan_while_reaping", 0, plan);
    assert_eq!(fs::read(state.join("record.json")).unwrap(), record);
    drop(held);
    scene.reap("images_reap_json", 0, &["--yes", "--output", "json"]);
}

/// What somebody has pushed since is left, and what the registry has collected cannot come back.
#[test]
fn what_cannot_be_put_back_is_told() {
    let scene = frozen();
    scene.restore("images_restore_nothing", 1, &["--yes"]);
    scene.reap("images_reap", 0, &["--yes"]);
    scene
        .registry
        .push("kotkan/declared", "pushed since", &["1.0.0"]);
    scene.registry.lose(&layer_of("web 1"));
    scene.restore("images_restore_in_part", 1, &["--yes"]);
    scene.restore("images_restore_json", 1, &["--yes", "--output", "json"]);
    let journal = scene.journals().remove(0);
    let text = fs::read_to_string(&journal).unwrap();
    let host = &scene.registry.host;
    scene.write(
        "other.jsonl",
        &text.replace(host.as_str(), "other.example.com"),
    );
    scene.restore("images_restore_other", 1, &["other.jsonl", "--yes"]);
    // At the beginning of its lines: how long times and ports before it are is another one each time.
    scene.write("changed.jsonl", &text.replace("\n{", "\nx{"));
    scene.restore("images_restore_changed", 1, &["changed.jsonl", "--yes"]);
    scene.restore("images_restore_no_file", 1, &["no.jsonl", "--yes"]);
}

/// R4.3: what was put back is wanted: it goes again only after two more runs, whatever earlier ones saw.
#[test]
fn r4_3_what_was_put_back_is_not_what_may_go_next() {
    let scene = frozen();
    let may_go = |document: &Value| document["deletions"].as_array().unwrap().len();
    assert_eq!(scene.reap_quietly(), 0);
    let ended = scene.run_of("restore", &["--yes"]).end();
    assert_eq!(ended.code, 0, "{}", ended.transcript());
    assert_eq!(may_go(&scene.document(&[])), 0);
    assert!(may_go(&scene.document(&[])) > 0);
}

/// R4.6: what each run went by lies beside the audit log, called as the log calls the run; the oldest go.
#[test]
fn r4_6_each_run_leaves_what_it_went_by() {
    let scene = Scene::new();
    scene.document(&[]);
    let runs = scene.folder.path().join("state/runs");
    for number in 0..40 {
        let name = format!("20200101T000000.{number:09}Z-plan.txt");
        fs::write(runs.join(name), "read long ago\n").unwrap();
    }
    scene.document(&["--out", "plan.json"]);
    assert_eq!(scene.reap_quietly(), 0);
    let entries = fs::read_dir(&runs).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 30, "{names:?}");
    let log = fs::read_to_string(scene.folder.path().join("state/audit.jsonl")).unwrap();
    let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(line["act"], "end");
    let own = format!("{}.txt", line["run"].as_str().unwrap());
    assert_eq!(names.last(), Some(&own));
    let planned = names
        .iter()
        .filter(|name| !name.starts_with("2020"))
        .count();
    assert_eq!(planned, 3, "{names:?}");
    let went_by = fs::read_to_string(runs.join(own)).unwrap();
    let parts: Vec<&str> = went_by.split("read at ").collect();
    assert!(parts[1].contains("pins:\ncontainer/"), "{went_by}");
    assert!(parts[1].contains("needs:\n"), "{went_by}");
    assert!(parts[1].contains("kotkan/web:"), "{went_by}");
    // Read anew before each batch, and the same.
    for part in &parts[2..] {
        assert!(part.ends_with(": the same\n"), "{went_by}");
    }
    // It holds what `roots.txt` does, where no value of a Secret is.
    let roots = fs::read_to_string(scene.folder.path().join("state/roots.txt")).unwrap();
    assert!(parts[1].ends_with(&format!("needs:\n{roots}")), "{went_by}");
}

/// R4.3: of a run that was cut, a plan says that it is not verified, stopped or not; that is done without a plan.
#[test]
fn r4_3_a_run_that_was_cut_is_told_and_verified() {
    let scene = frozen();
    assert_eq!(scene.reap_quietly(), 0);
    let state = scene.folder.path().join("state");
    let log = fs::read_to_string(state.join("audit.jsonl")).unwrap();
    let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let run = last["run"].as_str().unwrap();
    // As if it had been killed before it saw that the last one is gone.
    let (kept, _) = log.rsplit_once("\"act\":\"delete\"").unwrap();
    let asked = log[kept.len()..].lines().next().unwrap();
    fs::write(state.join("audit.jsonl"), format!("{kept}{asked}\n")).unwrap();
    let batch = format!("{{\"run\":\"{run}\",\"way\":\"digests\",\"entries\":0,\"before\":{{}}}}");
    fs::write(state.join("batch.json"), batch).unwrap();
    let told = "whether anything else was lost with its last 11 manifests is not known";
    let planned = scene.run_of("plan", &[]).end();
    assert!(planned.stdout.contains(told), "{}", planned.transcript());
    let way_out = "`underpin images reap --config images.yaml`";
    assert!(planned.stdout.contains(way_out), "{}", planned.transcript());
    let stopped = scene.run_of("plan", &["--against", "no.yaml"]).end();
    assert_eq!(stopped.code, 1);
    assert!(stopped.stdout.contains(told), "{}", stopped.transcript());
    let verified = scene.run_of("reap", &[]).end();
    assert_eq!(verified.code, 0, "{}", verified.transcript());
    let told_of = format!("run {run} was cut before it had verified its last 11 manifests");
    assert!(
        verified.stdout.contains(&told_of),
        "{}",
        verified.transcript()
    );
    let is_gone = "the registry had been asked to delete it, it is gone";
    assert_eq!(verified.stdout.matches(is_gone).count(), 1);
    let again = scene.run_of("reap", &["--output", "json"]).end();
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (&again["plan"], &again["earlier"]),
        (&Value::Null, &Value::Null)
    );
    let planned = scene.run_of("plan", &[]).end();
    assert!(!planned.stdout.contains(told), "{}", planned.transcript());
}
