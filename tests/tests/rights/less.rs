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

/// One rule of a printed List.
#[derive(Clone, Copy)]
struct Place {
    item: usize,
    rule: usize,
}

fn places(list: &Value) -> Vec<Place> {
    let items = list["items"].as_array().into_iter().flatten().enumerate();
    let rules = items.flat_map(|(item, role)| {
        let count = role["rules"].as_array().map_or(0, Vec::len);
        (0..count).map(move |rule| Place { item, rule })
    });
    rules.collect()
}

/// `patch configmaps` and the like, for each verb and resource of a rule.
fn acts(rule: &Value) -> Vec<String> {
    let words = |field: &str| -> Vec<String> {
        let texts = rule[field].as_array().into_iter().flatten();
        texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let group = words("apiGroups").concat();
    let resources = words("resources")
        .into_iter()
        .map(|resource| match group.as_str() {
            "" => resource,
            group => format!("{resource}.{group}"),
        });
    let verbs = words("verbs");
    resources
        .flat_map(|resource| {
            verbs
                .iter()
                .map(move |verb| format!("{verb} {resource}"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Rights that a run without trouble does not use, or that every cluster grants anyway.
fn is_spare(rule: &Value) -> bool {
    let acts = acts(rule);
    rule["nonResourceURLs"].is_array()
        || acts == ["get pods/log"]
        // Values to hide in logs; and of Namespaces only the mark is needed, without which a run
        // may go on in a namespace that an administrator made.
        || (acts == ["get secrets"] && rule["resourceNames"].is_null())
        || acts == ["get namespaces", "patch namespaces"]
}

#[test]
fn each_right_that_is_missing_is_named() -> Result<()> {
    let cluster = shared()?;
    let whole = Scene::declaring(cluster, "whole", STACK)?.printed_list("up", "")?;
    for (number, place) in (0_u64..).zip(places(&whole)) {
        let rule = &whole["items"][place.item]["rules"][place.rule];
        let lists_built_in = rule["verbs"] == serde_json::json!(["list"]) && place.item < 3;
        let skipped = lists_built_in && !number.is_multiple_of(cluster.every(SPARSE));
        if is_spare(rule) || skipped {
            continue;
        }
        check(number, place)?;
    }
    Ok(())
}

/// Deploys without one rule: whatever comes of it, the transcript names the verb and the resource.
#[track_caller]
fn check(number: u64, place: Place) -> Result<()> {
    let name = format!("less-{number}");
    let scene = Scene::declaring(shared()?, &name, STACK)?;
    let mut list = scene.printed_list("up", "")?;
    let rules = list["items"][place.item]["rules"].as_array_mut();
    let Some(removed) = rules.map(|rules| rules.remove(place.rule)) else {
        return Ok(());
    };
    scene.grant(&list.to_string())?;
    let deployer = scene.user("up")?;
    let first = deployer.run("up --yes")?;
    // What was read at the first run was not there yet.
    let second = deployer.run("up --yes")?;
    let told = format!("{}\n{}", first.transcript(), second.transcript());
    let acts = acts(&removed);
    let everything = acts == ["list *.*"];
    assert!(
        everything && told.contains("cannot list") || acts.iter().any(|act| told.contains(act)),
        "without {removed}: none of {acts:?} in\n{told}"
    );
    assert!(
        matches!(first.code, Some(0 | 1)),
        "without {removed}\n{told}"
    );
    Ok(())
}
