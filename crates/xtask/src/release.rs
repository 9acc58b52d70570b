//! The release's files agree with each other: what the workflow builds is what the manifest of krew
//! names and what the page on installing lists.

use std::{collections::BTreeSet, fs, io::ErrorKind, path::PathBuf, process::Command};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The targets of the workflow's matrix.
fn targets() -> BTreeSet<String> {
    let workflow = text(".github/workflows/release.yml");
    let rows = workflow.lines().filter_map(|line| {
        let (_, row) = line.split_once("- { target: ")?;
        row.split(',').next().map(str::to_owned)
    });
    rows.collect()
}

fn archive(target: &str) -> String {
    let ending = if target.contains("windows") {
        "zip"
    } else {
        "tar.gz"
    };
    format!("underpin-v1.2.3-{target}.{ending}")
}

/// The filled-in manifest, or what the script has against the checksums; `None` without bash.
fn manifest(targets: &[&String]) -> Option<Result<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    let sums = folder.path().join("SHA256SUMS");
    let lines: Vec<_> = targets
        .iter()
        .enumerate()
        .map(|(index, target)| format!("{index:064x}  {}\n", archive(target)))
        .collect();
    fs::write(&sums, lines.concat()).unwrap();
    let mut command = Command::new("bash");
    command.arg(root().join(".ci/krew-manifest"));
    command
        .args(["v1.2.3", "https://example.com/a/b"])
        .arg(&sums);
    match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        ended => {
            let ended = ended.unwrap();
            let [said, told] =
                [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
            Some(if ended.status.success() {
                Ok(said)
            } else {
                Err(told)
            })
        }
    }
}

#[test]
fn what_is_built_is_what_the_manifest_names() {
    let targets = targets();
    assert_eq!(targets.len(), 5, "{targets:?}");
    let template = text("packaging/krew/underpin.yaml");
    assert_eq!(template.matches("@SHA256:").count(), targets.len());
    let all: Vec<&String> = targets.iter().collect();
    let Some(filled) = manifest(&all) else {
        return;
    };
    let filled = filled.unwrap();
    for (index, target) in all.iter().enumerate() {
        let place = format!(
            "https://example.com/a/b/releases/download/v1.2.3/{}",
            archive(target)
        );
        let pair = format!("uri: \"{place}\"\n      sha256: \"{index:064x}\"\n");
        assert!(filled.contains(&pair), "{target}\n{filled}");
    }
    assert!(!filled.contains('@'), "{filled}");
    let incomplete = manifest(&all[1..]).unwrap().unwrap_err();
    assert!(incomplete.contains(&archive(all[0])), "{incomplete}");
}

#[test]
fn the_page_on_installing_lists_every_target() {
    let page = text("docs/install.md");
    for target in targets() {
        assert!(page.contains(&format!("`{target}`")), "{target}");
    }
}

#[test]
fn actions_are_pinned_by_commit() {
    let workflow = text(".github/workflows/release.yml");
    let used: Vec<_> = workflow
        .lines()
        .filter_map(|line| line.split_once("uses: "))
        .collect();
    assert!(!used.is_empty());
    for (_, action) in used {
        let (_, commit) = action.split_once('@').unwrap();
        let (commit, version) = commit.split_once(" # v").unwrap();
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_commit && !version.is_empty(), "{action}");
    }
}
