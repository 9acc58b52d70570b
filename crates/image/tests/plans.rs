//! Plans as scripts: `plans/*.txt` describe a registry, roots and runs, and what each run must
//! decide. What a script can describe is in `support`; beyond that it says
//!
//! ```text
//! run DAY                  a run is made; what it leaves counts for the next
//! goes NAME...             what the last run deletes; `-` for nothing
//! order NAME NAME          the one is deleted before the other
//! stays NAME: TEXT         the manifest stays, and one of its reasons holds the text
//! reasons NAME NUMBER      how many reasons it has
//! stop TEXT                a reason why nothing may be deleted holds the text
//! no stop                  there is none
//! missing TEXT             something that a root names is not there
//! finding CODE TEXT        rule UP301 (of all manifests), UP303 or UP304 says so
//! no finding CODE
//! wish NAME TEXT           UP301 says so, if somebody wants to delete what a plan may not have seen
//! no wish NAME             it says nothing
//! resume TEXT              UP302 or UP304 of the release, with the pins that run
//! no resume                nothing keeps it from being resumed
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::fs;

use support::{Running, Scene};
use underpin_image::{
    Plan, ResumeInput, RunningPins, Target, floating_tags_unprotected, images_needed,
    pins_unresolved, resume_findings,
};
use underpin_model::{Finding, Severity};

fn told(scene: &Scene, finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Block => "B",
        Severity::Warn => "W",
        Severity::Note => "N",
    };
    let unknown = if finding.unknown { "?" } else { "" };
    let mut text = format!(
        "{} {severity}{unknown} {}: {}",
        finding.code, finding.subject, finding.message
    );
    for evidence in &finding.evidence {
        text.push_str(&format!("\n  because {evidence}"));
    }
    for help in &finding.help {
        text.push_str(&format!("\n  help: {help}"));
    }
    scene.named(&text)
}

fn findings(scene: &Scene, plan: &Plan) -> Vec<String> {
    let input = scene.input();
    let all = plan.repositories.iter();
    let all = all.flat_map(|(path, one)| one.manifests.keys().map(move |digest| (path, digest)));
    let found = images_needed(plan, &input, all)
        .into_iter()
        .chain(pins_unresolved(plan, &input))
        .chain(floating_tags_unprotected(plan, &input));
    found.map(|finding| told(scene, &finding)).collect()
}

fn resume(scene: &Scene) -> Vec<String> {
    let pins = scene.roots.iter().filter_map(|root| match &root.target {
        Target::Pin(pin) => Some(pin.clone()),
        _ => None,
    });
    let pins: Vec<_> = pins.collect();
    let found = resume_findings(&ResumeInput {
        registry: &scene.registry,
        roots: &scene.roots,
        unknown: &scene.unknown,
        running: match &scene.running {
            Running::Declared => RunningPins::Read(&pins),
            Running::Pins(running) => RunningPins::Read(running),
            Running::Unread => RunningPins::Unread("the registry answered 500"),
            Running::NoCleaner => RunningPins::NoCleaner,
        },
        declared: &pins,
        settings: &scene.settings,
    });
    found.iter().map(|finding| told(scene, finding)).collect()
}

struct Told {
    goes: Vec<String>,
    stays: Vec<(String, Vec<String>)>,
    stops: Vec<String>,
    missing: Vec<String>,
}

fn tell(scene: &Scene, plan: &Plan) -> Told {
    let doomed = plan.deletions.iter().flat_map(|group| &group.manifests);
    let goes: Vec<String> = doomed.map(|doomed| scene.name(&doomed.digest)).collect();
    let manifests = plan.repositories.values().flat_map(|one| &one.manifests);
    let stays = manifests.map(|(digest, manifest)| {
        let reasons = manifest.reasons.iter();
        let reasons = reasons
            .map(|reason| scene.named(&reason.to_string()))
            .collect();
        (scene.name(digest), reasons)
    });
    Told {
        goes,
        stays: stays.collect(),
        stops: plan.stops.iter().map(ToString::to_string).collect(),
        missing: plan
            .missing
            .iter()
            .map(|one| scene.named(&one.what))
            .collect(),
    }
}

fn holds(texts: &[String], text: &str) -> bool {
    texts.iter().any(|one| one.contains(text))
}

#[track_caller]
fn expect(name: &str, scene: &Scene, line: &str) -> bool {
    let Some((verb, rest)) = line.split_once(' ') else {
        return false;
    };
    if verb == "resume" || line == "no resume" {
        let found = resume(scene);
        let fits = if verb == "resume" {
            holds(&found, rest)
        } else {
            found.is_empty()
        };
        assert!(fits, "{name}: {line}\n{}", found.join("\n"));
        return true;
    }
    let wish = rest.strip_prefix("wish ").filter(|_| verb == "no");
    if let Some(rest) = wish.or_else(|| (verb == "wish").then_some(rest)) {
        let (what, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let plan = scene.plan.as_ref().expect("a run first");
        let (path, digest) = (scene.path(), support::digest(what));
        let found = images_needed(plan, &scene.input(), [(&path, &digest)]);
        let found: Vec<String> = found.iter().map(|finding| told(scene, finding)).collect();
        let fits = if verb == "wish" {
            holds(&found, text)
        } else {
            found.is_empty()
        };
        assert!(fits, "{name}: {line}\n{}", found.join("\n"));
        return true;
    }
    let is_expectation =
        matches!(
            verb,
            "goes" | "order" | "stays" | "reasons" | "stop" | "missing" | "finding"
        ) || matches!(rest.split(' ').next(), Some("stop" | "finding" | "missing"));
    if !is_expectation {
        return false;
    }
    let plan = scene.plan.as_ref().expect("a run first");
    let told = tell(scene, plan);
    let reasons = |name: &str| {
        let found = told.stays.iter().find(|(stays, _)| stays == name);
        found
            .map(|(_, reasons)| reasons.clone())
            .unwrap_or_default()
    };
    match (verb, rest) {
        ("goes", rest) => {
            let words = |words: &mut dyn Iterator<Item = &str>| {
                let mut words: Vec<String> = words.map(str::to_owned).collect();
                words.sort();
                words
            };
            let goes = words(&mut told.goes.iter().map(String::as_str));
            let expected = words(&mut rest.split(' ').filter(|word| *word != "-"));
            assert_eq!(goes, expected, "{name}: {line}");
        }
        ("order", rest) => {
            let (first, second) = rest.split_once(' ').expect("NAME NAME");
            let at = |name: &str| {
                told.goes
                    .iter()
                    .position(|one| one == name)
                    .expect("it goes")
            };
            assert!(at(first) < at(second), "{name}: {line}: {:?}", told.goes);
        }
        ("stays", rest) => {
            let (what, text) = rest.split_once(": ").expect("NAME: TEXT");
            let reasons = reasons(what);
            assert!(
                holds(&reasons, text),
                "{name}: {line}\n{}",
                reasons.join("\n")
            );
        }
        ("reasons", rest) => {
            let (what, number) = rest.split_once(' ').expect("NAME NUMBER");
            let reasons = reasons(what);
            assert_eq!(
                reasons.len().to_string(),
                number,
                "{name}: {line}\n{}",
                reasons.join("\n")
            );
        }
        ("stop", text) => assert!(holds(&told.stops, text), "{name}: {line}\n{:?}", told.stops),
        ("no", "stop") => assert!(told.stops.is_empty(), "{name}: {line}\n{:?}", told.stops),
        ("no", "missing") => assert!(told.missing.is_empty(), "{name}: {:?}", told.missing),
        ("missing", text) => {
            assert!(
                holds(&told.missing, text),
                "{name}: {line}\n{:?}",
                told.missing
            );
        }
        ("finding", text) => {
            let found = findings(scene, plan);
            assert!(holds(&found, text), "{name}: {line}\n{}", found.join("\n"));
        }
        ("no", rest) => {
            let code = rest.strip_prefix("finding ").expect("a code");
            let found = findings(scene, plan);
            assert!(!holds(&found, code), "{name}: {line}\n{}", found.join("\n"));
        }
        _ => return false,
    }
    true
}

#[test]
fn every_script_is_decided_as_it_says() {
    let folder = format!("{}/tests/plans", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    files.sort();
    let mut expectations = 0;
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let mut scene = Scene::new();
        let mut since_run = usize::MAX;
        for (number, line) in (1..).zip(fs::read_to_string(file).unwrap().lines()) {
            let line = line.split("  #").next().unwrap_or(line).trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{name}:{number}");
            if let Some(day) = line.strip_prefix("run ") {
                assert_ne!(
                    since_run, 0,
                    "{place}: nothing was expected of the run before"
                );
                scene.now = Scene::day(day);
                scene.run();
                since_run = 0;
            } else if expect(&place, &scene, line) {
                since_run = since_run.saturating_add(1);
                expectations += 1;
            } else {
                scene.describe(line);
            }
        }
    }
    assert!(
        files.len() >= 12 && expectations > 100,
        "{} {expectations}",
        files.len()
    );
}
