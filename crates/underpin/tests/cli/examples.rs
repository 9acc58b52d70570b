//! What we show to strangers works: the example and the README's stack.

use std::{fs, path::Path};

use crate::harness::underpin_in;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
}

#[track_caller]
fn check(folder: &Path) {
    let ended = underpin_in(folder, &["check", "."]).end();
    assert_eq!(ended.code, 0, "{}", ended.transcript());
    assert_eq!(ended.stdout, "1 stack file checked: nothing found\n");
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_examples_are_right() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("underpin.yaml").is_file() {
            check(&folder);
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// The stack file in the README, with a manifest that uses what it offers.
#[test]
fn the_stack_of_the_readme_is_right() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let stacks: Vec<&str> = readme
        .split("```")
        .filter_map(|block| block.strip_prefix("yaml\n"))
        .filter(|block| block.contains("kind: Stack"))
        .collect();
    assert!(!stacks.is_empty());
    for stack in stacks {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("k8s")).unwrap();
        fs::write(folder.path().join("underpin.yaml"), stack).unwrap();
        let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\ndata:\n  text: \
                        ${stack} ${environment} ${namespace} ${domain:-none} $${literal}\n";
        fs::write(folder.path().join("k8s/app.yaml"), manifest).unwrap();
        check(folder.path());
    }
}
