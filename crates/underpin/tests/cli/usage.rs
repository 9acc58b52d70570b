//! Arguments that are wrong by themselves: exit code 2, before anything is read.

use crate::harness::{fixtures, underpin, underpin_in};

/// Runs in a folder without a stack file: wrong usage is told before any file is looked for.
#[track_caller]
fn check(arguments: &[&str], says: &str) {
    let ended = underpin_in(&fixtures().join("no-stack"), arguments).end();
    assert_eq!(ended.code, 2, "{}", ended.transcript());
    assert!(ended.stderr.contains(says), "{}", ended.transcript());
    assert_eq!(ended.stdout, "");
}

#[test]
fn values_that_cannot_be_meant() {
    let time = "write whole seconds, or a whole number with s, m or h, such as 10m";
    check(
        &["plan", "--accept", "UP101", "--reason", "x"],
        "write CODE:subject",
    );
    check(
        &["plan", "--accept", "UP101:", "--reason", "x"],
        "write CODE:subject",
    );
    check(
        &["plan", "--accept", "101:a/b", "--reason", "x"],
        "`101` is not a rule code",
    );
    check(
        &["plan", "--accept", "UP999:a/b", "--reason", "x"],
        "there is no rule UP999",
    );
    check(
        &["plan", "--accept", "UP101:a/b", "--reason", " "],
        "it is empty",
    );
    check(&["plan", "--var", "domain"], "write NAME=VALUE");
    check(&["plan", "--var", "=x"], "is no variable name");
    check(&["plan", "--var", "a b=x"], "is no variable name");
    check(
        &["plan", "--var", "namespace=x"],
        "it follows from stack and environment",
    );
    check(&["down", "--var", "a=x"], "unexpected argument '--var'");
    check(&["status", "--var", "a=x"], "unexpected argument '--var'");
    check(&["plan", "--environment", ""], "it is empty");
    check(&["plan", "--context", ""], "it is empty");
    check(&["plan", "--request-timeout", "0"], "0 is not in 1..=300");
    check(
        &["plan", "--output", "yaml"],
        "[possible values: text, json]",
    );
    check(&["up", "--deadline", "5x"], time);
    check(&["up", "--deadline", "-5"], "unexpected argument '-5'");
    check(&["up", "--deadline=-5"], time);
    check(&["up", "--deadline", "1.5m"], time);
    check(&["up", "--deadline", "0"], "longer than nothing");
    check(
        &["up", "--deadline", "18446744073709551615"],
        "the longest is 168h",
    );
    check(&["up", "--wait-timeout", "169h"], "the longest is 168h");
    check(&["up", "--lease", "1"], "1 is not in 4..=3600");
    check(&["import"], "--namespace <NAME>");
    check(&["import", "--namespace", ""], "it is empty");
    for from in ["", "foo", "helm", "helm=", "manifests=x"] {
        check(
            &["import", "--namespace", "shop", "--from", from],
            "write manifests, helm=RELEASE or selector=LABELS",
        );
    }
    check(
        &["import", "--namespace", "shop", "--from", "selector=(("],
        "`((` is not a label selector",
    );
    check(
        &["explain", "foo"],
        "`foo` is not a rule code such as UP101",
    );
    check(&["check"], "<PATH>...");
    check(&["plna"], "unrecognized subcommand 'plna'");
}

#[test]
fn acceptance_and_reason_come_together() {
    check(
        &["plan", "--accept", "UP101:namespace/shop"],
        "--reason <TEXT>",
    );
    check(&["plan", "--reason", "because"], "--accept <CODE:SUBJECT>");
}

/// An unset variable of a script is not consent to whatever environment there is.
#[test]
fn an_empty_environment_variable_is_not_a_choice() {
    let ended = underpin("single", "plan")
        .env("UNDERPIN_ENVIRONMENT", "")
        .end();
    assert_eq!(ended.code, 2, "{}", ended.transcript());
    assert!(
        ended.stderr.contains("it is empty"),
        "{}",
        ended.transcript()
    );
}
