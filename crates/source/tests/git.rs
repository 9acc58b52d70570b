//! Revisions of a repository that each test makes for itself.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::{fs, process::Command};

use camino::{Utf8Path, Utf8PathBuf};
use underpin_source::git::{GitError, export, is_revision};

/// A repository with two commits, `first` and the branch's head.
struct Repository {
    _folder: tempfile::TempDir,
    top: Utf8PathBuf,
}

fn git(folder: &Utf8Path, arguments: &[&str]) {
    let ended = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git runs");
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = Utf8PathBuf::from_path_buf(folder.path().join("repository")).unwrap();
        fs::create_dir_all(top.join("k8s/deep")).unwrap();
        git(&top, &["init", "--quiet", "--initial-branch", "main"]);
        fs::write(top.join("k8s/web.yaml"), "before\n").unwrap();
        fs::write(top.join("k8s/deep/bytes"), [0_u8, 255, 10, 10]).unwrap();
        fs::write(top.join("README"), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", top.join("k8s/link.yaml")).unwrap();
        git(&top, &["add", "."]);
        git(&top, &["commit", "--quiet", "-m", "first"]);
        git(&top, &["tag", "first"]);
        fs::write(top.join("k8s/web.yaml"), "after\n").unwrap();
        fs::write(top.join("k8s/nëw.yaml"), "new\n").unwrap();
        git(&top, &["add", "."]);
        git(&top, &["commit", "--quiet", "-m", "second"]);
        Self {
            _folder: folder,
            top,
        }
    }

    fn beside(&self, name: &str) -> Utf8PathBuf {
        self.top.with_file_name(name)
    }
}

fn paths(texts: &[&str]) -> Vec<Utf8PathBuf> {
    texts.iter().map(Utf8PathBuf::from).collect()
}

/// R5.3: files as they were, byte for byte; the work tree as it is.
#[test]
fn a_revision_is_written_as_it_was() {
    let repository = Repository::new();
    fs::write(repository.top.join("k8s/web.yaml"), "not committed\n").unwrap();
    let into = repository.beside("first");
    let exported = export(&repository.top, "first", &[], &into).unwrap();
    assert_eq!(
        exported.files,
        paths(&["README", "k8s/deep/bytes", "k8s/web.yaml"])
    );
    assert_eq!(exported.commit.len(), 40);
    assert_eq!(fs::read(into.join("k8s/web.yaml")).unwrap(), b"before\n");
    assert_eq!(
        fs::read(into.join("k8s/deep/bytes")).unwrap(),
        [0, 255, 10, 10]
    );
    let here = fs::read_to_string(repository.top.join("k8s/web.yaml")).unwrap();
    assert_eq!(here, "not committed\n");
    let head = repository.beside("head");
    let exported = export(&repository.top, "HEAD", &paths(&["k8s"]), &head).unwrap();
    assert_eq!(
        exported.files,
        paths(&["k8s/deep/bytes", "k8s/nëw.yaml", "k8s/web.yaml"])
    );
}

#[cfg(unix)]
#[test]
fn links_are_left_out_and_told() {
    let repository = Repository::new();
    let into = repository.beside("links");
    let exported = export(&repository.top, "first", &paths(&["k8s"]), &into).unwrap();
    let told: Vec<(&str, &str)> = exported
        .left_out
        .iter()
        .map(|out| (out.path.as_str(), out.reason))
        .collect();
    assert_eq!(
        told,
        [("k8s/link.yaml", "it is a link, and links are not followed")]
    );
    assert!(fs::symlink_metadata(into.join("k8s/link.yaml")).is_err());
}

/// Paths are those of the folder that one is in, as everywhere.
#[test]
fn a_folder_of_the_repository() {
    let repository = Repository::new();
    let folder = repository.top.join("k8s");
    let exported = export(&folder, "first", &[], &repository.beside("here")).unwrap();
    assert_eq!(exported.files, paths(&["k8s/deep/bytes", "k8s/web.yaml"]));
    let up = paths(&["../README"]);
    let exported = export(&folder, "first", &up, &repository.beside("up")).unwrap();
    assert_eq!(exported.files, paths(&["README"]));
}

#[test]
fn what_is_not_there_is_told() {
    let repository = Repository::new();
    let into = repository.beside("errors");
    let ask = |revision: &str, path: &str| {
        let error = export(&repository.top, revision, &paths(&[path]), &into);
        error.expect_err("it is not there").to_string()
    };
    assert_eq!(ask("nope", "k8s"), "the repository has no revision `nope`");
    assert_eq!(
        ask("--all", "k8s"),
        "the repository has no revision `--all`"
    );
    assert_eq!(ask("first", "nope"), "revision first has no nope");
    assert_eq!(
        ask("first", "k8s/nëw.yaml"),
        "revision first has no k8s/nëw.yaml"
    );
    assert_eq!(ask("first", "../x"), "../x is outside of the repository");
    assert_eq!(ask("first", "/etc"), "/etc is outside of the repository");
    assert!(!is_revision(&repository.top, "nope").unwrap());
    assert!(is_revision(&repository.top, "HEAD~1").unwrap());
    let outside = repository.top.parent().unwrap();
    assert!(matches!(
        is_revision(outside, "HEAD"),
        Err(GitError::NoRepository { .. })
    ));
}
