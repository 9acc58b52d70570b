//! SARIF keeps to its official schema: what snapshots hold, and a log with everything in it.

use std::{fs, path::Path};

use serde_json::Value;
use underpin_model::{Code, Evidence, FieldPath, Finding, ObjectKey, Place, Severity};
use underpin_plan::{
    rules::RULES,
    suppression::{Suppressed, Suppression},
};
use underpin_source::Diagnostic;

use super::documents::whole;
use crate::{
    Exit,
    render::check::{Checked, Excerpts, sarif},
};

/// The schema as OASIS publishes it; see `tests/data/README.md`.
const SCHEMA: &str = include_str!("../../../tests/data/sarif-schema-2.1.0.json");

#[track_caller]
fn check(log: &str) -> Value {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let log: Value = serde_json::from_str(log).unwrap();
    if let Err(why) = whole(&schema, &schema, &log) {
        panic!("{why:.3000}");
    }
    log
}

fn place(file: &str) -> Place {
    Place {
        file: file.into(),
        line: 3,
        column: 7,
    }
}

/// One finding of every rule, with and without a place.
fn everything() -> Checked {
    let finding = |code: Code, severity, place: Option<Place>| {
        let subject = "namespace/a".to_owned();
        let mut finding = Finding::new(code, severity, subject, "what happens".to_owned());
        finding.evidence = vec![Evidence {
            object: ObjectKey::of_namespace("a"),
            path: FieldPath::root(),
            place: Some(self::place("other.yaml")),
            note: "is declared here".to_owned(),
        }];
        finding.help = vec!["do something".to_owned()];
        finding.place = place;
        finding
    };
    let mut findings: Vec<Finding> = RULES
        .iter()
        .map(|rule| finding(rule.code, Severity::Block, Some(place("a b/ü.yaml"))))
        .collect();
    findings.push(finding(Code(402), Severity::Note, None));
    findings.push(finding(Code(402), Severity::Warn, Some(place("/abs.tf"))));
    let suppressed = Suppressed {
        finding: finding(Code(402), Severity::Warn, Some(place("a.tf"))),
        by: Suppression {
            place: place("a.tf"),
            code: Code(402),
            subject: None,
            reason: "a static site".to_owned(),
        },
    };
    Checked {
        command: "check",
        besides: Vec::new(),
        notes: Vec::new(),
        exit: Exit::Error,
        stack_files: 1,
        objects: 2,
        loose: 1,
        diagnostics: vec![Diagnostic::new(place("b.yaml"), "what is wrong").with_help("mend it")],
        findings,
        suppressed: vec![suppressed],
        show_suppressed: false,
        opaque: vec![(place("Chart.yaml"), "a chart".to_owned())],
        since: None,
        excerpts: Excerpts::default(),
    }
}

#[test]
fn a_log_with_everything_keeps_to_the_schema() {
    let log = check(&sarif(&everything()));
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), RULES.len() + 4);
    // Every result has its rule, with its page; every one is told apart from all others.
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), RULES.len() + 1);
    let ids: Vec<&Value> = rules.iter().map(|rule| &rule["id"]).collect();
    assert!(results.iter().all(|one| ids.contains(&&one["ruleId"])));
    let prints: Vec<&Value> = results
        .iter()
        .map(|one| &one["partialFingerprints"])
        .collect();
    let mut distinct = prints.iter().map(ToString::to_string).collect::<Vec<_>>();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), prints.len());
    let suppressed: Vec<_> = results
        .iter()
        .filter(|one| one.get("suppressions").is_some())
        .collect();
    assert_eq!(suppressed.len(), 1);
}

/// The check would notice: a log that breaks the schema is refused.
#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let log: Value = serde_json::from_str(&sarif(&everything())).unwrap();
    for (pointer, wrong) in [
        ("/version", Value::from("2.0.0")),
        ("/runs/0/tool", Value::Null),
        ("/runs/0/results/0/level", Value::from("blocked")),
        ("/runs/0/results/0/message", Value::from("text")),
        (
            "/runs/0/results/0/locations/0/physicalLocation/region/startLine",
            Value::from(0),
        ),
    ] {
        let mut log = log.clone();
        *log.pointer_mut(pointer).unwrap() = wrong;
        assert!(whole(&schema, &schema, &log).is_err(), "{pointer}");
    }
}

#[test]
fn what_snapshots_hold_keeps_to_the_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains("sarif") {
            let text = fs::read_to_string(&path).unwrap();
            let begin = text.find("\n{\n").unwrap() + 1;
            let end = text.find("\n}\n").unwrap() + 3;
            check(&text[begin..end]);
            seen += 1;
        }
    }
    assert!(seen > 0);
}
