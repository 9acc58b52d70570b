//! Every rule over its fixtures: `rules/<code>/<case>.json` holds a scene and what the rule must
//! say of it, as `B subject`, `W subject`, `N subject`, with `?` after the letter for *unknown* and
//! `!` for *accepted*. A scene with `files` is of declared files that nobody plans to apply.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use std::{fs, path::Path};

use serde_json::Value;
use support::{Scene, survey_findings};
use underpin_model::{Finding, Severity};
use underpin_plan::rules::{RULES, Rule};

/// A word that stands in every Secret of the fixtures and must never be shown.
const CANARY: &str = "hunter2";

fn line(finding: &Finding) -> String {
    let letter = match finding.severity {
        Severity::Block => "B",
        Severity::Warn => "W",
        Severity::Note => "N",
    };
    let unknown = if finding.unknown { "?" } else { "" };
    let accepted = if finding.accepted.is_some() { "!" } else { "" };
    format!("{letter}{unknown}{accepted} {}", finding.subject)
}

fn page(finding: &Finding) -> String {
    let mut lines = vec![
        format!("{} {}", finding.code, line(finding)),
        finding.message.clone(),
    ];
    if let Some(place) = &finding.place {
        lines.push(format!("at {place}"));
    }
    if let Some(step) = &finding.step {
        lines.push(format!("step {step}"));
    }
    for group in &finding.cascade {
        let objects: Vec<String> = group.objects.iter().map(ToString::to_string).collect();
        lines.push(format!("dies: {} ({})", objects.join(" "), group.owner));
    }
    lines.extend(finding.evidence.iter().map(|one| format!("- {one}")));
    lines.extend(finding.help.iter().map(|one| format!("> {one}")));
    lines.join("\n")
}

/// What is wrong with a case, if anything.
fn check(code: &str, case: &Path) -> Option<String> {
    let name = case.file_stem().unwrap().to_str().unwrap();
    let text = fs::read_to_string(case).unwrap();
    let fixture: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    let findings = if fixture.get("files").is_some() {
        survey_findings(&fixture)
    } else {
        Scene::new(&fixture).verdict().findings
    };
    for finding in &findings {
        assert!(
            !format!("{finding:?}").contains(CANARY),
            "{code}/{name} shows a secret"
        );
    }
    let found: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.code.to_string() == code)
        .collect();
    let mut lines: Vec<String> = found.iter().map(|finding| line(finding)).collect();
    lines.sort();
    let expect: Vec<&str> = fixture["expect"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    let pages: Vec<String> = findings.iter().map(page).collect();
    let others = findings
        .iter()
        .any(|finding| finding.code.to_string() != code && finding.severity > Severity::Note);
    if lines != expect || (fixture["only"] == true && others) {
        let pages = pages.join("\n\n");
        return Some(format!(
            "## {code}/{name}: {lines:?} instead of {expect:?}, in all:\n{pages}\n"
        ));
    }
    if fixture["snapshot"] == true {
        let shown: Vec<String> = found.iter().map(|finding| page(finding)).collect();
        insta::assert_snapshot!(format!("{code}_{name}"), shown.join("\n\n"));
    }
    None
}

fn cases(code: &str) -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/rules")
        .join(code);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{code} has no fixtures: {error}"))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_rule_says_of_its_fixtures_what_they_expect() {
    let mut wrong = Vec::new();
    // What a plan for a registry finds is tested where that is made.
    let asked = |rule: &&Rule| rule.check.is_some() || rule.survey.is_some();
    for rule in RULES.iter().filter(asked) {
        let code = rule.code.to_string();
        let files = cases(&code);
        assert!(files.len() >= 3, "{code} has too few fixtures");
        wrong.extend(files.iter().filter_map(|case| check(&code, case)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule without a page of documentation explains nothing.
#[test]
fn every_rule_has_its_page() {
    let mut last = None;
    for rule in RULES {
        let page = rule.documentation;
        let title = format!("# {}: {}\n", rule.code, rule.name);
        assert!(
            page.starts_with(&title),
            "{} does not begin with its title",
            rule.code
        );
        for section in [
            "## What it finds",
            "## Why it matters",
            "## Example",
            "## The way out",
            "## What it must be able to read",
        ] {
            assert!(page.contains(section), "{} lacks {section}", rule.code);
        }
        assert!(last < Some(rule.code), "rules are not sorted by code");
        last = Some(rule.code);
    }
}
