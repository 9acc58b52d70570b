//! `rbac`: the printed roles, and every way to ask for them wrongly.

use std::{fs, path::Path};

use serde_json::Value;
use underpin_model::names;
use underpin_source::yaml;

use crate::harness::{Ended, check, fixtures, underpin, underpin_in};

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap()
}

#[track_caller]
fn rbac(name: &str, code: i32, fixture: &str, arguments: &str) -> Ended {
    let run = underpin(fixture, &format!("rbac {arguments}"));
    let ended = check(&format!("rbac_{name}"), code, run);
    assert!(!ended.transcript().contains("not-to-be-seen"));
    ended
}

#[test]
fn roles_of_an_environment() {
    rbac("plan", 0, "rights", "--for plan -e production");
    rbac("up", 0, "rights", "--for up -e production --user jane");
    rbac(
        "down",
        0,
        "rights",
        "--for down -e preview --serviceaccount ci:deployer --group ops",
    );
    rbac("review", 0, "rights", "--for review -e production");
    rbac("wide", 0, "rights", "--for up -e preview --cluster-wide");
    rbac("json", 0, "rights", "--for down -e production -o json");
}

/// The same roles from anywhere.
#[test]
fn the_stack_file_can_be_named() {
    let named = "rbac --for up -e production --file rights/underpin.yaml";
    let named = underpin_in(&fixtures(), &named.split(' ').collect::<Vec<_>>()).end();
    let here = underpin("rights", "rbac --for up -e production").end();
    assert_eq!(named.stdout, here.stdout);
}

#[test]
fn without_a_stack_file_it_says_what_is_to_be_added() {
    rbac("no_stack_up", 0, "no-stack", "--for up");
    rbac("no_stack_review", 0, "no-stack", "--for review");
    rbac("no_stack_wide", 0, "no-stack", "--for down --cluster-wide");
}

/// R4.1: it is about no stack, whether there is one here or not.
#[test]
fn r4_1_images_are_looked_for_in_the_whole_cluster() {
    let line = "--for images --serviceaccount underpin-images:images";
    let here = rbac("images", 0, "no-stack", line);
    let beside = underpin("rights", &format!("rbac {line}")).end();
    assert_eq!(beside.stdout, here.stdout);
    rbac(
        "images_of_a_stack",
        1,
        "rights",
        "--for images -e production",
    );
}

/// The manifests of the schedule give the rights that are printed, and no others.
#[test]
fn r4_1_the_manifests_of_the_schedule_give_these_rights() {
    let line = "rbac --for images --serviceaccount underpin-images:images -o json";
    let printed = underpin("no-stack", line).end();
    let printed: Value = serde_json::from_str(&printed.stdout).unwrap();
    let path = root().join("packaging/images/images.yaml");
    let text = fs::read_to_string(path).unwrap();
    let (documents, diagnostics) = yaml::parse("images.yaml", &text);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let is_right = |object: &&Value| {
        let kind = object["kind"].as_str().unwrap();
        kind.contains("Role") || object["metadata"]["name"] == names::CLAIMS_NAMESPACE
    };
    let shipped = documents.iter().map(|document| &document.value);
    let shipped: Vec<&Value> = shipped.filter(is_right).collect();
    let printed: Vec<&Value> = printed["items"].as_array().unwrap().iter().collect();
    assert_eq!(printed.len(), 5);
    for right in &printed {
        assert!(shipped.contains(right), "{right:#}\n{shipped:#?}");
    }
    assert_eq!(shipped.len(), printed.len(), "{shipped:#?}");
}

#[test]
fn wrong_questions() {
    rbac("no_task", 2, "rights", "");
    rbac("no_such_task", 2, "rights", "--for import");
    rbac("which_environment", 1, "rights", "--for up");
    rbac("no_environment", 1, "rights", "--for up -e nope");
    rbac("no_file", 1, "no-stack", "--for up -f nope.yaml");
    rbac(
        "environment_of_nothing",
        1,
        "no-stack",
        "--for up -e production",
    );
    rbac(
        "wide_review",
        1,
        "rights",
        "--for review -e preview --cluster-wide",
    );
    rbac(
        "bad_account",
        2,
        "rights",
        "--for up --serviceaccount deployer",
    );
    rbac("undefined", 1, "undefined-variable", "--for up");
}
