//! Colours, pipes and streams that cannot be written.

use std::{
    fs::OpenOptions,
    io::Read as _,
    process::{Command, Stdio},
};

use crate::harness::{check, fixtures, underpin};

#[test]
fn colours_only_where_they_are_wanted() {
    let coloured = |run: crate::harness::Run| run.end().stdout.contains('\u{1b}');
    let run = || underpin("collision", "check .");
    assert!(!coloured(run()), "a pipe");
    assert!(coloured(run().env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(run().env("NO_COLOR", "1")));
    assert!(!coloured(run().env("NO_COLOR", "1").env("TERM", "xterm")));
    let json = underpin("collision", "check . -o json").env("CLICOLOR_FORCE", "1");
    assert!(!coloured(json), "a document is never coloured");
}

#[test]
fn colours_as_they_are_sent() {
    let run = underpin("collision", "check .").env("CLICOLOR_FORCE", "1");
    let ended = run.end();
    let visible = ended.transcript().replace('\u{1b}', "^");
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("colours", visible);
    });
    // Without the colours it is the same text.
    let plain = check("colours_none", 3, underpin("collision", "check ."));
    assert_eq!(
        anstream::adapter::strip_str(&ended.stdout).to_string(),
        plain.stdout
    );
}

#[test]
fn whoever_reads_may_stop_reading() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_underpin"))
        .args(["explain", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert_eq!(said, "");
}

#[cfg(target_os = "linux")]
#[track_caller]
fn check_full(arguments: &[&str], says: &[&str]) {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_underpin"))
        .args(arguments)
        .current_dir(fixtures().join("no-stack"))
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for text in says {
        assert!(said.contains(text), "{said}");
    }
}

/// Nothing is lost without a word: neither a result nor an error.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let unwritten = "cannot write the result";
    check_full(&["explain"], &[unwritten]);
    check_full(&["explain", "-o", "json"], &[unwritten]);
    check_full(
        &["plan", "-o", "json"],
        &[unwritten, "there is no stack file underpin.yaml"],
    );
}
