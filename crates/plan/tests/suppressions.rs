//! Comments that suppress findings: how they are read, and what they reach.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use proptest::prelude::*;
use underpin_model::{Code, Finding, Place, Severity};
use underpin_plan::suppression::{Remark, Texts, sort_out, suppressions};

fn at(line: u32, column: u32) -> Place {
    Place {
        file: "a.tf".into(),
        line,
        column,
    }
}

/// What a comment allows, or what is wrong with it.
/// Code, subject and reason of each suppression, or what is wrong.
type Expected<'e> = Result<&'e [(u16, Option<&'e str>, &'e str)], &'e str>;

#[track_caller]
fn check(text: &str, expect: Expected<'_>) {
    let place = at(1, 1);
    let (found, malformed) = suppressions([Remark {
        place: &place,
        text,
    }]);
    let found: Vec<(u16, Option<&str>, &str)> = found
        .iter()
        .map(|one| (one.code.0, one.subject.as_deref(), one.reason.as_str()))
        .collect();
    match expect {
        Ok(expect) => {
            assert_eq!(malformed, [], "{text}");
            assert_eq!(found, expect, "{text}");
        }
        Err(expect) => {
            assert_eq!(found, [], "{text}");
            assert_eq!(malformed[0].message, expect, "{text}");
        }
    }
}

#[test]
fn r5_4_a_suppression_names_rules_and_gives_a_reason() {
    check(" a comment", Ok(&[]));
    check(" see underpin: allow UP402 -- no", Ok(&[]));
    check(
        " underpin: allow UP402 -- a site",
        Ok(&[(402, None, "a site")]),
    );
    check("underpin:allow up402--x", Ok(&[(402, None, "x")]));
    check(
        " underpin: allow UP402:namespace/a, UP403\tUP401:x:y/z:80 -- a -- b",
        Ok(&[
            (402, Some("namespace/a"), "a -- b"),
            (403, None, "a -- b"),
            (401, Some("x:y/z:80"), "a -- b"),
        ]),
    );
    let none = "the suppression gives no reason";
    check(" underpin: allow UP402", Err(none));
    check(" underpin: allow UP402 --  ", Err(none));
    check(
        " underpin: allow -- why",
        Err("the suppression names no rule"),
    );
    check(
        " underpin: allow UP40 -- why",
        Err("`UP40` is no code of a rule"),
    );
    let unknown = "there is no rule UP999 that a comment could suppress";
    check(" underpin: allow UP999 -- why", Err(unknown));
    let itself = "there is no rule UP604 that a comment could suppress";
    check(" underpin: allow UP604 -- why", Err(itself));
    let verb = "`underpin: deny` is nothing that a comment can say here";
    check(" underpin: deny UP402 -- why", Err(verb));
}

/// Which lines a comment in `text` reaches; it is the only one that begins with `# underpin`.
#[track_caller]
fn check_lines(text: &str, expect: &[u32]) {
    let (index, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("underpin:"))
        .unwrap();
    let sign = line.chars().position(|c| c == '#' || c == '/').unwrap();
    let place = at(
        u32::try_from(index + 1).unwrap(),
        u32::try_from(sign + 1).unwrap(),
    );
    let comment = line.split_once("underpin:").unwrap().1;
    let remark = format!("underpin:{comment}");
    let (allowed, malformed) = suppressions([Remark {
        place: &place,
        text: &remark,
    }]);
    assert_eq!(malformed, []);
    let texts = Texts::from([(Arc::from("a.tf"), text.to_owned())]);
    let lines = 1..=u32::try_from(text.lines().count()).unwrap();
    let reached = lines.filter(|line| {
        let mut finding = Finding::new(Code(402), Severity::Warn, "x".into(), String::new());
        finding.place = Some(at(*line, 3));
        let sorted = sort_out(vec![finding], &allowed, &texts, [], |_| true);
        sorted.suppressed.len() == 1
    });
    assert_eq!(reached.collect::<Vec<u32>>(), expect, "{text}");
}

#[test]
fn r5_4_a_comment_counts_for_its_line_or_for_the_next_with_content() {
    check_lines("a: b # underpin: allow UP402 -- x\nc: d\n", &[1]);
    check_lines("a: b\n# underpin: allow UP402 -- x\nc: d\ne: f\n", &[2, 3]);
    check_lines(
        "# underpin: allow UP402 -- x\n\n  // more\n---\nc: d\ne: f",
        &[1, 5],
    );
    check_lines("\t// underpin: allow UP402 -- x\n\tc = 1\n", &[1, 2]);
    // At the end of a file there is nothing to reach.
    check_lines("a: b\n# underpin: allow UP402 -- x", &[2]);
}

#[test]
fn nothing_is_said_of_rules_that_were_not_asked() {
    let place = at(1, 1);
    let (allowed, _) = suppressions([Remark {
        place: &place,
        text: "underpin: allow UP405, UP402 -- x",
    }]);
    let sorted = sort_out(Vec::new(), &allowed, &Texts::new(), [], |code| {
        code != Code(405)
    });
    let subjects: Vec<&str> = sorted
        .findings
        .iter()
        .map(|one| one.subject.as_str())
        .collect();
    assert_eq!(subjects, ["UP402"]);
}

proptest! {
    /// No comment makes it panic, and each that is meant for us is followed or told.
    #[test]
    fn every_comment_is_followed_or_told(text in "( ?underpin: ?)?[a-zA-Z0-9:, /-]{0,40}") {
        let place = at(1, 1);
        let (found, malformed) = suppressions([Remark { place: &place, text: &text }]);
        let is_ours = text.trim().starts_with("underpin:");
        prop_assert_eq!(is_ours, !found.is_empty() || !malformed.is_empty());
        prop_assert!(found.iter().all(|one| !one.reason.is_empty()));
    }
}
