//! Exit codes are a contract for scripts. Codes 4 to 7 need a cluster and are proven there; their
//! numbers are fixed here.

use underpin::Exit;

use crate::harness::underpin;

#[test]
fn numbers() {
    for (exit, number) in [
        (Exit::Done, 0),
        (Exit::Error, 1),
        (Exit::Usage, 2),
        (Exit::Blocked, 3),
        (Exit::Stopped, 4),
        (Exit::Busy, 5),
        (Exit::Pending, 6),
        (Exit::Warnings, 7),
    ] {
        assert_eq!(exit.code(), number);
    }
}

#[test]
fn of_runs() {
    for (fixture, arguments, code) in [
        ("shop", "check .", Exit::Done),
        ("shop", "--version", Exit::Done),
        ("shop", "explain", Exit::Done),
        ("empty", "check .", Exit::Error),
        ("shop", "plan -e nope", Exit::Error),
        ("shop", "plan -e production", Exit::Error),
        ("shop", "", Exit::Usage),
        ("shop", "plan --no-such-option", Exit::Usage),
        ("collision", "check .", Exit::Blocked),
    ] {
        let ended = underpin(fixture, arguments).end();
        assert_eq!(ended.code, i32::from(code.code()), "{}", ended.transcript());
    }
}

/// A program reads the exit code from the document too.
#[test]
fn in_documents() {
    for (fixture, arguments) in [
        ("shop", "check ."),
        ("empty", "check ."),
        ("collision", "check ."),
        ("shop", "check nope"),
        ("shop", "plan -e nope"),
        ("shop", "up -e production --yes"),
        ("shop", "down -e production --yes"),
        ("shop", "status -e production"),
        ("shop", "import -e production --namespace shop"),
        ("shop", "explain UP101"),
        ("shop", "explain UP999"),
    ] {
        let ended = underpin(fixture, &format!("{arguments} --output json")).end();
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(document["exit"], ended.code, "{}", ended.transcript());
        let command = arguments.split_whitespace().next().unwrap();
        assert_eq!(document["schema"], format!("underpin.dev/{command}/v1"));
        assert_eq!(ended.stderr, "", "one document per run, and nothing else");
    }
}
