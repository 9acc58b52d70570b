//! `underpin check`.

use std::fs;

use crate::harness::{check, underpin, underpin_in};

#[test]
fn what_is_right_and_what_is_wrong() {
    for (fixture, code) in [
        ("shop", 0),
        ("single", 0),
        ("standard-input", 0),
        // Secrets need no value without a cluster.
        ("secret", 0),
        ("undefined-variable", 1),
        ("duplicate", 1),
        ("not-objects", 1),
        ("one-document-broken", 1),
        ("no-manifests", 1),
        ("unknown-fields", 1),
        ("empty", 1),
        ("not-yaml", 1),
        ("two-documents", 1),
        // One broken file leaves the others readable.
        ("several", 1),
        // A folder is searched, whatever its name.
        ("folder", 1),
        ("no-stack", 1),
        ("collision", 3),
    ] {
        let name = format!("check_{}", fixture.replace('-', "_"));
        check(&name, code, underpin(fixture, "check ."));
    }
}

#[test]
fn paths() {
    check("check_file", 0, underpin("shop", "check underpin.yaml"));
    check("check_no_such_path", 1, underpin("shop", "check . nope"));
    check(
        "check_one_path_without_a_stack",
        1,
        underpin("", "check shop no-stack"),
    );
    check(
        "check_same_twice",
        0,
        underpin("", "check shop shop/underpin.yaml ./shop shop/../shop"),
    );
}

#[test]
fn as_json() {
    check(
        "check_json_good",
        0,
        underpin("", "check shop single --output json"),
    );
    check(
        "check_json_errors",
        1,
        underpin("undefined-variable", "check . --output json"),
    );
    check(
        "check_json_findings",
        3,
        underpin("collision", "check . --output json"),
    );
    check(
        "check_json_no_such_path",
        1,
        underpin("shop", "check nope --output json"),
    );
}

#[track_caller]
fn check_bytes(name: &str, code: i32, stack: &[u8], manifest: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("k8s")).unwrap();
    fs::write(folder.path().join("underpin.yaml"), stack).unwrap();
    fs::write(folder.path().join("k8s/app.yaml"), manifest).unwrap();
    check(name, code, underpin_in(folder.path(), &["check", "."]));
}

const STACK: &str = "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: { name: shop }\nspec:\n  \
                     sources:\n    - manifests: ./k8s\n  environments:\n    production: {}\n";
const MANIFEST: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\ndata:\n  text: |\n    \
                        one\n    two\n";

#[test]
fn bytes_that_are_no_text_and_line_ends_of_windows() {
    let windows = |text: &str| text.replace('\n', "\r\n").into_bytes();
    check_bytes("check_windows", 0, &windows(STACK), &windows(MANIFEST));
    let wrong = windows(&MANIFEST.replace("name: app", "name: 12"));
    check_bytes("check_windows_error", 1, &windows(STACK), &wrong);
    let marked = format!("\u{feff}{STACK}");
    check_bytes(
        "check_byte_order_mark",
        0,
        marked.as_bytes(),
        MANIFEST.as_bytes(),
    );
    check_bytes(
        "check_stack_not_utf8",
        1,
        b"kind: \xe9\n",
        MANIFEST.as_bytes(),
    );
    check_bytes(
        "check_manifest_not_utf8",
        1,
        STACK.as_bytes(),
        b"kind: \xe9\n",
    );
}

#[test]
fn very_long_values_are_no_problem() {
    let long = MANIFEST.replace("one", &"x".repeat(1 << 20));
    check_bytes("check_long", 0, STACK.as_bytes(), long.as_bytes());
}
