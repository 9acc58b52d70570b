//! Generates the one file that the source package lacks, and compiles.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::step::Steps;

/// The compiler. Go 1.19 is the newest of Debian 12 that this tree was tried with.
pub(crate) const GO_PACKAGE: &str = "golang-1.19-go";
/// Its standard library.
pub(crate) const GO_SOURCE_PACKAGE: &str = "golang-1.19-src";
/// The three programs.
const PROGRAMS: [&str; 3] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];
/// Marks the packages whose types go into the generated file.
const MARKER: &str = "// +k8s:openapi-gen=";
/// Parts of the tree that carry the marker and do not belong into the API server.
const LEFT_OUT: [&str; 2] = ["code-generator", "sample-apiserver"];
/// Deepest folder looked into; the tree has 11 levels.
const DEEPEST: usize = 32;

/// Compiles the three programs into `out`.
pub(crate) fn compile(
    steps: &Steps,
    work: &Path,
    unpacked: &Path,
    tree: &Path,
    out: &Path,
) -> Result<()> {
    let go = Go::new(work, unpacked, tree)?;
    generate(steps, work, tree, &go)?;
    let flags = link_flags();
    for program in PROGRAMS {
        let mut build = go.command();
        build.args(["build", "-trimpath", "-ldflags", &flags, "-o"]);
        build.arg(out.join(program)).arg(format!("./cmd/{program}"));
        steps.run(program, &mut build)?;
        steps.say(&format!("{program} built"))?;
    }
    Ok(())
}

/// What server-side apply knows of the built-in types (`zz_generated.openapi.go`).
fn generate(steps: &Steps, work: &Path, tree: &Path, go: &Go) -> Result<()> {
    let generator = work.join("openapi-gen");
    let mut build = go.command();
    build
        .args(["build", "-o"])
        .arg(&generator)
        .arg("./vendor/k8s.io/kube-openapi/cmd/openapi-gen");
    steps.run("openapi-gen-build", &mut build)?;
    let mut packages = BTreeSet::new();
    for root in ["staging/src/k8s.io", "pkg"] {
        marked_packages(tree, Path::new(root), DEEPEST, &mut packages)?;
    }
    let packages: Vec<String> = packages.into_iter().collect();
    let mut run = go.prepare(Command::new(&generator));
    run.args(["--logtostderr", "-i", &packages.join(",")])
        .args([
            "-p",
            "k8s.io/kubernetes/pkg/generated/openapi",
            "-O",
            "zz_generated.openapi",
        ])
        .args([
            "-h",
            "vendor/k8s.io/code-generator/hack/boilerplate.go.txt",
            "-r",
        ])
        .arg(work.join("openapi-violations.report"));
    steps.run("openapi-gen", &mut run)?;
    steps.say("API descriptions generated")
}

/// Import paths of all packages below `dir` that carry the marker.
fn marked_packages(
    tree: &Path,
    dir: &Path,
    depth: usize,
    found: &mut BTreeSet<String>,
) -> Result<()> {
    let full = tree.join(dir);
    let entries = fs::read_dir(&full).with_context(|| format!("list {}", full.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", full.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry
            .file_type()
            .with_context(|| format!("look at {name}"))?;
        if kind.is_dir() && depth > 0 && !LEFT_OUT.contains(&name.as_str()) {
            marked_packages(tree, &dir.join(&name), depth - 1, found)?;
        } else if kind.is_file() && is_source(&name) {
            let path = entry.path();
            let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes);
            if text.lines().any(|line| line.starts_with(MARKER)) {
                found.insert(import_path(&dir.to_string_lossy()));
            }
        }
    }
    Ok(())
}

/// Whether a file is Go source that is compiled into programs. Names are case-sensitive for Go.
fn is_source(name: &str) -> bool {
    name.strip_suffix(".go")
        .is_some_and(|stem| !stem.ends_with("_test"))
}

fn import_path(dir: &str) -> String {
    match dir.strip_prefix("staging/src/") {
        Some(rest) => format!("k8s.io/kubernetes/vendor/{rest}"),
        None => format!("k8s.io/kubernetes/{dir}"),
    }
}

fn link_flags() -> String {
    let version = super::KUBERNETES_VERSION;
    let values = [
        ("gitVersion", version),
        ("gitMajor", "1"),
        ("gitMinor", "20"),
        ("gitTreeState", "archive"),
        ("gitCommit", "debian"),
        ("buildDate", "2021-01-13T00:00:00Z"),
    ];
    let mut flags = vec!["-s".to_owned(), "-w".to_owned()];
    for package in ["component-base/version", "client-go/pkg/version"] {
        for (name, value) in values {
            let variable = format!("k8s.io/kubernetes/vendor/k8s.io/{package}.{name}");
            flags.extend(["-X".to_owned(), format!("{variable}={value}")]);
        }
    }
    flags.join(" ")
}

/// The unpacked compiler and its environment: no network, no C, no module mode (the generator
/// of that time knows no modules).
struct Go {
    root: PathBuf,
    work: PathBuf,
    tree: PathBuf,
    path: std::ffi::OsString,
}

impl Go {
    fn new(work: &Path, unpacked: &Path, tree: &Path) -> Result<Self> {
        let root = unpacked.join("usr/lib/go-1.19");
        let own = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([root.join("bin")].into_iter().chain(env::split_paths(&own)))
            .context("search path")?;
        let temporary = work.join("tmp");
        fs::create_dir_all(&temporary)
            .with_context(|| format!("create {}", temporary.display()))?;
        Ok(Self {
            root,
            work: work.to_owned(),
            tree: tree.to_owned(),
            path,
        })
    }

    fn command(&self) -> Command {
        self.prepare(Command::new(self.root.join("bin/go")))
    }

    fn prepare(&self, mut command: Command) -> Command {
        command
            .current_dir(&self.tree)
            .env("GOROOT", &self.root)
            .env("GOPATH", self.work.join("go"))
            .env("GOCACHE", self.work.join("go-cache"))
            .env("GOTMPDIR", self.work.join("tmp"))
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("GOPROXY", "off")
            .env("GOENV", "off")
            .env("CGO_ENABLED", "0")
            .env("PATH", &self.path);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_paths() {
        assert_eq!(
            import_path("staging/src/k8s.io/api/core/v1"),
            "k8s.io/kubernetes/vendor/k8s.io/api/core/v1"
        );
        assert_eq!(import_path("pkg/kubelet"), "k8s.io/kubernetes/pkg/kubelet");
    }

    #[test]
    fn marked_packages_are_found_once_and_sorted() {
        let tree = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("pkg/b/doc.go", "// +k8s:openapi-gen=true\npackage b\n");
        put(
            "pkg/b/types.go",
            "package b\n// +k8s:openapi-gen=true\ntype T int\n",
        );
        put("pkg/a/x.go", "// +k8s:openapi-gen=true\n");
        put("pkg/c/only_test.go", "// +k8s:openapi-gen=true\n");
        put(
            "pkg/d/x.go",
            "  // +k8s:openapi-gen=true, not at the line's start\n",
        );
        put("pkg/code-generator/x.go", "// +k8s:openapi-gen=true\n");
        let mut found = BTreeSet::new();
        marked_packages(tree.path(), Path::new("pkg"), DEEPEST, &mut found).unwrap();
        let found: Vec<String> = found.into_iter().collect();
        assert_eq!(
            found,
            ["k8s.io/kubernetes/pkg/a", "k8s.io/kubernetes/pkg/b"]
        );
    }
}
