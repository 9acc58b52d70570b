//! When steps of waves begin, and what they wait for.

use std::{sync::Mutex, time::Duration};

use tokio::time::sleep;
use underpin_model::{GroupKind, LogicalKey};

use super::*;
use crate::mock::Blind;

#[track_caller]
fn check(action: Action, kind: &str, result: &StepResult, runs: bool) {
    let needed = ObjectKey::namespaced(GroupKind::core("Secret"), "wallet", "db");
    let other = ObjectKey::namespaced(GroupKind::new("apps", "Deployment"), "wallet", "web");
    let key = match kind {
        "Namespace" => ObjectKey::of_namespace("wallet"),
        _ => needed,
    };
    let step = Step {
        requires: vec![other.clone()],
        ..Step::new(action, key.clone(), LogicalKey::of(&key, "wallet"))
    };
    let results = BTreeMap::from([(other, result.clone())]);
    let unmet = unmet_requirement(&step, &results);
    assert_eq!(unmet.is_none(), runs, "{kind} {result:?}: {unmet:?}");
}

/// How many of so many steps of these kinds are under way at once, at most, and of which kind.
async fn in_flight(kinds: &[&str], expect: &[(&str, usize)]) {
    let steps: Vec<Step> = (0..100)
        .flat_map(|number| kinds.iter().map(move |kind| (kind, number)))
        .map(|(kind, number)| {
            let name = format!("object-{number}");
            let key = ObjectKey::namespaced(GroupKind::core(*kind), "wallet", name.as_str());
            Step::new(Action::Create, key.clone(), LogicalKey::of(&key, "wallet"))
        })
        .collect();
    let wave: Vec<&Step> = steps.iter().collect();
    let now: Arc<Mutex<BTreeMap<String, (usize, usize)>>> = Arc::default();
    let perform = |step: Step| {
        let now = now.clone();
        async move {
            let kind = step.key.kind.kind.clone();
            let change = |by: isize| {
                let mut now = now.lock().unwrap();
                let (running, most) = now.entry(kind.clone()).or_default();
                *running = running.checked_add_signed(by).unwrap();
                *most = (*most).max(*running);
            };
            change(1);
            sleep(Duration::from_millis(10)).await;
            change(-1);
            Ok((StepResult::Done, Some(())))
        }
    };
    let mut results = BTreeMap::new();
    let ended = run_wave(&wave, &mut results, &Blind, perform).await;
    assert_eq!(ended.outputs.len(), steps.len());
    assert_eq!(results.len(), steps.len());
    let most = now.lock().unwrap();
    let most: Vec<(&str, usize)> = most
        .iter()
        .map(|(kind, (_, most))| (kind.as_str(), *most))
        .collect();
    assert_eq!(most, expect);
}

#[tokio::test(start_paused = true)]
async fn few_services_are_created_at_once_and_nobody_waits_behind_them() {
    in_flight(&["ConfigMap"], &[("ConfigMap", 10)]).await;
    in_flight(&["Service"], &[("Service", 2)]).await;
    let both = ["ConfigMap", "Service"];
    in_flight(&both, &[("ConfigMap", 10), ("Service", 2)]).await;
}

/// Reads `Kind namespace/name`; what is in no namespace begins with the slash.
fn key_of(text: &str) -> ObjectKey {
    let (kind, path) = text.split_once(' ').unwrap();
    let (namespace, name) = path.split_once('/').unwrap();
    match namespace {
        "" => ObjectKey::cluster(GroupKind::core(kind), name),
        _ => ObjectKey::namespaced(GroupKind::core(kind), namespace, name),
    }
}

/// Reads a step, with what it requires behind `<`.
fn step_of(text: &str) -> Step {
    let (text, requires) = text.split_once(" < ").unwrap_or((text, ""));
    let key = key_of(text);
    Step {
        requires: requires.split_terminator(", ").map(key_of).collect(),
        ..Step::new(Action::Create, key.clone(), LogicalKey::of(&key, "wallet"))
    }
}

/// A run of two waves, of which the first waits for so `few` Services; a Service takes a second, a Secret two,
/// and all else a moment. `expect` are the names as they begin, and with a dash as they end.
async fn two_waves(few: usize, first: &[&str], second: &[&str], fails: &str, expect: &str) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let perform = |step: Step| {
        let told = told.clone();
        let fails = step.key.name == fails;
        async move {
            let seconds = match step.key.kind.kind.as_str() {
                "Service" => 1,
                "Secret" => 2,
                _ => 0,
            };
            told.lock().unwrap().push(step.key.name.clone());
            sleep(Duration::from_secs(seconds)).await;
            told.lock().unwrap().push(format!("-{}", step.key.name));
            Ok(if fails {
                (StepResult::Failed("it fails".to_owned()), None)
            } else {
                (StepResult::Done, Some(()))
            })
        }
    };
    let mut results = BTreeMap::new();
    let mut waves = Waves::new(&mut results, &Blind);
    waves.few = few;
    for (number, texts) in [(1, first), (2, second)] {
        let steps: Vec<Step> = texts.iter().map(|text| step_of(text)).collect();
        let wave: Vec<&Step> = steps.iter().collect();
        waves.run(number, &wave, &perform).await;
    }
    waves.finish().await;
    let told = told.lock().unwrap().join(" ");
    assert_eq!(told, expect, "{first:?} {second:?}");
    assert_eq!(results.len(), first.len() + second.len());
}

#[tokio::test(start_paused = true)]
async fn only_who_needs_services_waits_for_those_of_earlier_waves() {
    let first = [
        "Service a/a1",
        "Service a/a2",
        "Service b/b1",
        "Service c/c1",
    ];
    for (second, fails, expect) in [
        (&["Pod d/d"][..], "", "a1 a2 d -d -a1 -a2 b1 c1 -b1 -c1"),
        (&["Pod a/a"], "", "a1 a2 -a1 -a2 b1 c1 a -a -b1 -c1"),
        (
            &["Pod a/a", "Pod c/c"],
            "",
            "a1 a2 -a1 -a2 b1 c1 a -a -b1 -c1 c -c",
        ),
        (
            &["Pod d/d < Service c/c1"],
            "",
            "a1 a2 -a1 -a2 b1 c1 -b1 -c1 d -d",
        ),
        (
            &["Pod d/d < Service c/c1"],
            "c1",
            "a1 a2 -a1 -a2 b1 c1 -b1 -c1",
        ),
        (&["Node /n"], "", "a1 a2 -a1 -a2 b1 c1 -b1 -c1 n -n"),
    ] {
        two_waves(0, &first, second, fails, expect).await;
    }
}

#[tokio::test(start_paused = true)]
async fn few_services_are_waited_for_by_all() {
    let first = ["Service a/a1", "Service a/a2", "Service b/b1"];
    let late = "a1 a2 -a1 -a2 b1 -b1 d -d";
    two_waves(3, &first, &["Pod d/d"], "", late).await;
    let early = "a1 a2 d -d -a1 -a2 b1 -b1";
    two_waves(2, &first, &["Pod d/d"], "", early).await;
}

#[tokio::test(start_paused = true)]
async fn everything_else_of_a_wave_ends_before_the_next_begins() {
    let first = ["Secret a/secret", "Service b/service"];
    two_waves(
        0,
        &first,
        &["Pod c/pod"],
        "",
        "secret service -service -secret pod -pod",
    )
    .await;
}

/// What is still needed is not removed: a Deployment that was protected meanwhile keeps its
/// Secret. Its Namespace is judged by a fresh count.
#[test]
fn a_step_runs_only_on_what_it_requires() {
    let why = || "why".to_owned();
    check(Action::Delete, "Secret", &StepResult::Done, true);
    check(Action::Delete, "Secret", &StepResult::AlreadyDone, true);
    check(Action::Delete, "Secret", &StepResult::Kept(why()), false);
    check(Action::Delete, "Secret", &StepResult::Failed(why()), false);
    check(Action::Delete, "Secret", &StepResult::Skipped(why()), false);
    check(Action::Delete, "Namespace", &StepResult::Kept(why()), true);
    check(Action::Create, "Secret", &StepResult::Failed(why()), false);
    check(Action::Create, "Secret", &StepResult::Kept(why()), true);
}
