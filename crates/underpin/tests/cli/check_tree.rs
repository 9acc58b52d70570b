//! `underpin check` on what lies in a repository beside stack files.

use std::{fs, path::Path, process::Command};

use crate::harness::{Ended, check, fixtures, underpin, underpin_in};

/// R5.3: the file of the incident, with the consumer declared in another repository.
#[test]
fn r5_3_the_incident_is_found_in_the_files_and_the_need_alone() {
    let command = |folder| format!("check {folder} --needs needs.yaml");
    check("check_i5_before", 0, underpin("i5", &command("before")));
    check("check_i5_after", 3, underpin("i5", &command("after")));
    check("check_i5_mended", 0, underpin("i5", &command("mended")));
}

/// R5.4: namespaces in no list, selectors that match nothing, and comments, in YAML and Terraform.
#[test]
fn r5_4_a_tree_in_every_form() {
    check("check_tree", 3, underpin("tree", "check ."));
    check(
        "check_tree_suppressed",
        3,
        underpin("tree", "check k8s terraform --show-suppressed"),
    );
    check(
        "check_tree_json",
        3,
        underpin("tree", "check . --output json"),
    );
    check(
        "check_tree_github",
        3,
        underpin("tree", "check . --output github"),
    );
    check(
        "check_tree_sarif",
        3,
        underpin("tree", "check . --output sarif"),
    );
    check("check_tree_clean", 0, underpin("tree/k8s", "check db.yaml"));
    check(
        "check_tree_strict",
        7,
        underpin("tree", "check k8s/namespaces.yaml terraform --strict"),
    );
}

#[test]
fn broken_files_are_told_and_the_rest_is_judged() {
    check("check_tree_broken", 1, underpin("broken-tree", "check ."));
    check(
        "check_tree_broken_github",
        1,
        underpin("broken-tree", "check . --output github"),
    );
}

/// R5.4: what no server would accept is an error at its place, what Terraform finds out later is told,
/// and the rest is judged.
#[test]
fn policies_that_cannot_be_understood_are_told() {
    check(
        "check_malformed_policies",
        1,
        underpin("malformed-policies", "check ."),
    );
    check(
        "reach_malformed_policies",
        0,
        underpin("malformed-policies", "reach --against . 10.1.2.3 db/a:85"),
    );
}

/// R3.6: no value of a Secret, and no password in a URL.
#[test]
fn no_form_shows_a_secret() {
    for form in ["text", "json", "sarif", "github"] {
        let ended = underpin(
            "tree",
            &format!("check . --show-suppressed --output {form}"),
        )
        .end();
        assert!(!ended.stdout.contains("hunter2"), "{}", ended.transcript());
    }
}

#[test]
fn what_cannot_be_checked() {
    check(
        "check_no_such_revision",
        1,
        underpin("tree", "check . --changed-since no-such-revision"),
    );
    check(
        "check_no_such_dump",
        1,
        underpin("tree", "check . --against none.yaml"),
    );
    check(
        "check_no_such_needs",
        1,
        underpin("tree", "check . --needs none.yaml"),
    );
}

/// A repository of its own, with a fixture's folder committed.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new(fixture: &str) -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "--quiet"]);
        repository.put(fixture);
        repository.git(&["add", "."]);
        let name = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        repository.git(&[&name[..], &["commit", "--quiet", "--message", "before"]].concat());
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Copies the files of a fixture over those that are there.
    fn put(&self, fixture: &str) {
        for entry in fs::read_dir(fixtures().join(fixture)).unwrap() {
            let file = entry.unwrap();
            fs::copy(file.path(), self.path().join(file.file_name())).unwrap();
        }
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        let git = git.current_dir(self.path()).args(arguments);
        assert!(git.status().unwrap().success(), "{arguments:?}");
    }

    fn check(&self, more: &[&str]) -> Ended {
        let since = ["check", ".", "--changed-since", "HEAD"];
        underpin_in(self.path(), &[&since[..], more].concat()).end()
    }
}

/// R5.3: what a change breaks, with the line that allowed it before.
#[test]
fn r5_3_a_change_that_loses_a_need_is_told_with_what_allowed_it() {
    let repository = Repository::new("i5/before");
    fs::copy(
        fixtures().join("i5/needs.yaml"),
        repository.path().join("needs.yaml"),
    )
    .unwrap();
    let needs = ["--needs", "needs.yaml"];
    assert_eq!(repository.check(&needs).code, 0);
    repository.put("i5/after");
    let lost = repository.check(&needs);
    assert_eq!(lost.code, 3, "{}", lost.transcript());
    for part in [
        "UP406 namespace/pal-e-docs:service/postgres/pal-e-postgres-rw:5432",
        "HEAD:network-policies.tf:16:",
        "allowed it before",
    ] {
        assert!(lost.stdout.contains(part), "{part}: {}", lost.transcript());
    }
    repository.put("i5/mended");
    let mended = repository.check(&needs);
    assert_eq!(mended.code, 0, "{}", mended.transcript());
}

/// What was there before is quiet, until somebody touches its line.
#[test]
fn only_what_changed_is_told() {
    let repository = Repository::new("tree/k8s");
    fs::copy(
        fixtures().join("tree/terraform/policies.tf"),
        repository.path().join("policies.tf"),
    )
    .unwrap();
    repository.git(&["add", "."]);
    repository.git(&[
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "--quiet",
        "--message",
        "all",
    ]);
    let nothing = repository.check(&[]);
    assert_eq!(nothing.code, 0, "{}", nothing.transcript());
    assert!(!nothing.stdout.contains("UP"), "{}", nothing.transcript());
    let file = repository.path().join("namespaces.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let fresh = "---\napiVersion: v1\nkind: Namespace\nmetadata: { name: fresh }\n";
    fs::write(&file, format!("{text}{fresh}")).unwrap();
    let fresh = repository.check(&[]);
    assert!(
        fresh.stdout.contains("UP402 namespace/fresh")
            && !fresh.stdout.contains("UP402 namespace/docs"),
        "{}",
        fresh.transcript()
    );
    let touched = text.replace("{ name: docs }", "{ name: docs, labels: { team: docs } }");
    fs::write(&file, touched).unwrap();
    let touched = repository.check(&["--strict"]);
    assert_eq!(touched.code, 7, "{}", touched.transcript());
    assert!(
        touched.stdout.contains("UP402 namespace/docs")
            && !touched.stdout.contains("UP402 namespace/shop"),
        "{}",
        touched.transcript()
    );
}

/// R5.7: with the live world, drift and lost needs are told.
#[test]
fn r5_7_against_a_dump() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        fixtures().join("tree/k8s/db.yaml"),
        folder.path().join("db.yaml"),
    )
    .unwrap();
    let policy = |names: &[&str]| {
        let peers: String = names
            .iter()
            .map(|name| {
                format!("{{ namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {name} }} }} }}, ")
            })
            .collect();
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{ name: consumers, namespace: db }}\n\
             spec:\n  podSelector: {{}}\n  ingress: [{{ from: [{peers}] }}]\n"
        )
    };
    let db = fs::read_to_string(fixtures().join("tree/k8s/db.yaml")).unwrap();
    let namespaces: String = ["db", "shop", "monitoring"]
        .iter()
        .map(|name| format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n"))
        .collect();
    let shop = fs::read_to_string(fixtures().join("tree/k8s/shop.yaml")).unwrap();
    let live = [
        &db,
        &policy(&["shop", "monitoring"]),
        &namespaces,
        "---\n",
        &shop,
    ]
    .concat();
    fs::write(folder.path().join("live.yaml"), live).unwrap();
    fs::create_dir(folder.path().join("k8s")).unwrap();
    fs::write(
        folder.path().join("k8s/policy.yaml"),
        policy(&["monitoring"]),
    )
    .unwrap();
    let run = underpin_in(folder.path(), &["check", "k8s", "--against", "live.yaml"]);
    check("check_against_dump", 3, run);
}
