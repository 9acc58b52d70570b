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

/// The files for CI are YAML, and the program understands every command in them.
#[test]
fn the_files_for_ci_are_right() {
    let folder = fs::read_dir(root().join("examples/ci")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.push(root().join(".pre-commit-hooks.yaml"));
    let mut seen = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (documents, problems) = underpin_source::yaml::parse(&file.to_string_lossy(), &text);
        assert!(problems.is_empty() && !documents.is_empty(), "{problems:?}");
        for line in text.lines().filter(|line| !line.trim().starts_with('#')) {
            let Some((_, arguments)) = line.split_once(": underpin check ") else {
                continue;
            };
            let command = arguments
                .split(['>', '|'])
                .next()
                .unwrap()
                .replace("\"$BASE\"", "HEAD");
            // Help is printed once everything before it is understood.
            let mut all = vec!["check"];
            all.extend(command.split_whitespace());
            all.push("--help");
            let ended = underpin_in(root(), &all).end();
            assert_eq!(ended.code, 0, "{}", ended.transcript());
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
}
