//! With one right less, a command refuses before it begins, or goes on and says what it lacks.

use anyhow::Result;
use serde_json::Value;
use underpin_tests::shared;

use super::scene::Scene;

/// Of the rules that only grant lists of built-in kinds one in so many is tried on a real control
/// plane; they are alike.
const SPARSE: u64 = 6;

/// A small stack: what matters here are the rights of the run itself.
const STACK: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\ndata: { a: b }\n";

/// The same, changed: one object goes, another comes.
const CHANGED: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: other }\n";

/// A verb of a rule of a printed List.
struct Right {
    item: usize,
    rule: usize,
    verb: String,
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    let texts = texts.filter_map(|text| text.as_str().map(str::to_owned));
    texts.collect()
}

fn rights(list: &Value) -> Vec<Right> {
    let items = list["items"].as_array().into_iter().flatten().enumerate();
    let rules = items.flat_map(|(item, role)| {
        let rules = role["rules"].as_array().into_iter().flatten().enumerate();
        rules.map(move |(rule, value)| (item, rule, value))
    });
    let rights = rules.flat_map(|(item, rule, value)| {
        let verbs = texts(&value["verbs"]).into_iter();
        verbs.map(move |verb| Right { item, rule, verb })
    });
    rights.collect()
}

/// `patch configmaps` and the like, for each resource of a rule.
fn acts(verb: &str, rule: &Value) -> Vec<String> {
    let group = texts(&rule["apiGroups"]).concat();
    let resources = texts(&rule["resources"]).into_iter();
    let act = |resource: String| match group.as_str() {
        "" => format!("{verb} {resource}"),
        group => format!("{verb} {resource}.{group}"),
    };
    resources.map(act).collect()
}

/// Rights that a run without trouble does not use, or that every cluster grants anyway.
fn is_spare(verb: &str, rule: &Value) -> bool {
    let is_named = !rule["resourceNames"].is_null();
    match acts(verb, rule).first().map(String::as_str) {
        // The paths of discovery.
        None => true,
        // To say why something is not ready, without showing secret values.
        Some("get pods/log") => true,
        Some("get secrets") => !is_named,
        // The mark: an administrator made the namespace, and no `down` deletes it.
        Some("get namespaces" | "patch namespaces") => rule["resourceNames"][0] != "kube-system",
        // The list of claims tells all, unless somebody else writes one meanwhile.
        Some("get configmaps") => true,
        // Claims are deleted by `down`, and what a large one has left behind.
        Some("delete configmaps") => texts(&rule["verbs"]) == ["create", "patch", "delete"],
        _ => false,
    }
}

#[test]
fn each_right_that_is_missing_is_named() -> Result<()> {
    let cluster = shared()?;
    let whole = Scene::declaring(cluster, "whole", STACK)?.printed_list("up", "")?;
    for (number, right) in (0_u64..).zip(rights(&whole)) {
        let rule = &whole["items"][right.item]["rules"][right.rule];
        let in_cluster = whole["items"][right.item]["kind"] == "ClusterRole";
        let is_alike = in_cluster && right.verb == "list";
        let skipped = is_alike && !number.is_multiple_of(cluster.every(SPARSE));
        if !is_spare(&right.verb, rule) && !skipped {
            check(number, &right)?;
        }
    }
    Ok(())
}

/// Deploys, and deploys a change, without one right: whatever comes of it, the transcript names verb
/// and resource.
#[track_caller]
fn check(number: u64, right: &Right) -> Result<()> {
    let name = format!("less-{number}");
    let scene = Scene::declaring(shared()?, &name, STACK)?;
    let mut list = scene.printed_list("up", "")?;
    let rule = &mut list["items"][right.item]["rules"][right.rule];
    let acts = acts(&right.verb, rule);
    let mut verbs = texts(&rule["verbs"]);
    verbs.retain(|verb| *verb != right.verb);
    if verbs.is_empty() {
        // A role may have a rule for nothing that there is, and none without verbs.
        verbs.push("watch".to_owned());
    }
    rule["verbs"] = verbs.into();
    scene.grant(&list.to_string())?;
    let deployer = scene.user("up")?;
    let first = deployer.run("up --yes")?;
    scene.project.write("app.yaml", CHANGED)?;
    let second = deployer.run("up --yes")?;
    let told = format!("{}\n{}", first.transcript(), second.transcript());
    let is_named = acts.iter().any(|act| match act.as_str() {
        // All kinds of a namespace.
        "list *.*" => told.contains(&format!("cannot list secrets in {name}")),
        // What may not be deleted is refused before anything is applied.
        act if right.verb == "delete" => told.contains(&format!("no right to {act}")),
        act => told.contains(&format!("cannot {act}")) || told.contains(&format!("right to {act}")),
    });
    assert!(is_named, "without {acts:?}\n{told}");
    let codes = [first.code, second.code];
    // What cannot be listed is told, and what was to be written and cannot be fails the run.
    let writes = ["create", "patch", "delete"].contains(&right.verb.as_str());
    let is_refused = codes.contains(&Some(1));
    assert!(is_refused || !writes, "without {acts:?}\n{told}");
    for code in codes {
        assert!(matches!(code, Some(0 | 1)), "without {acts:?}\n{told}");
    }
    Ok(())
}
