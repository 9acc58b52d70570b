//! `cargo xtask protobuf`: the numbers of the fields of Kubernetes' own kinds in their binary form,
//! as a committed table for the sandbox.
//!
//! They are read from the tags on the Go types in Debian's packages.

mod go;
mod table;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use underpin_testenv::{build, cache};

use go::Types;

/// The committed table, from the repository's root.
const TABLE: &str = "crates/sandbox/src/protobuf/messages.txt";
const SUITE: &str = "sid";
const DEBIAN: [&str; 2] = ["golang-k8s-api-dev", "golang-k8s-apimachinery-dev"];
/// Where the packages put Go sources.
const SOURCES: &str = "usr/share/gocode/src";

/// Folder of a Go package and the API version that its kinds have; none of what others use.
const PACKAGES: &[(&str, &str)] = &[
    ("k8s.io/apimachinery/pkg/apis/meta/v1", ""),
    ("k8s.io/api/core/v1", "v1"),
    (
        "k8s.io/api/admissionregistration/v1",
        "admissionregistration.k8s.io/v1",
    ),
    ("k8s.io/api/apps/v1", "apps/v1"),
    ("k8s.io/api/authentication/v1", "authentication.k8s.io/v1"),
    ("k8s.io/api/authorization/v1", "authorization.k8s.io/v1"),
    ("k8s.io/api/autoscaling/v1", "autoscaling/v1"),
    ("k8s.io/api/autoscaling/v2", "autoscaling/v2"),
    ("k8s.io/api/batch/v1", "batch/v1"),
    ("k8s.io/api/certificates/v1", "certificates.k8s.io/v1"),
    ("k8s.io/api/coordination/v1", "coordination.k8s.io/v1"),
    ("k8s.io/api/discovery/v1", "discovery.k8s.io/v1"),
    ("k8s.io/api/events/v1", "events.k8s.io/v1"),
    ("k8s.io/api/networking/v1", "networking.k8s.io/v1"),
    ("k8s.io/api/node/v1", "node.k8s.io/v1"),
    ("k8s.io/api/policy/v1", "policy/v1"),
    ("k8s.io/api/rbac/v1", "rbac.authorization.k8s.io/v1"),
    ("k8s.io/api/scheduling/v1", "scheduling.k8s.io/v1"),
    ("k8s.io/api/storage/v1", "storage.k8s.io/v1"),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder in which the packages are unpacked already; else they are downloaded by apt.
    #[arg(long, value_name = "FOLDER")]
    unpacked: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let unpacked = match &args.unpacked {
        Some(path) => path.clone(),
        None => download()?,
    };
    let mut types = Types::default();
    for (folder, version) in PACKAGES {
        let path = unpacked.join(SOURCES).join(folder);
        let entries = fs::read_dir(&path).with_context(|| format!("list {}", path.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            files.push(
                entry
                    .with_context(|| format!("list {}", path.display()))?
                    .path(),
            );
        }
        files.sort();
        for file in files.iter().filter(|file| is_source(file)) {
            let text =
                fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
            types
                .read(folder, version, &text)
                .with_context(|| format!("{}", file.display()))?;
        }
    }
    let text = table::render(&types)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(TABLE);
    fs::write(&path, &text).with_context(|| format!("write {}", path.display()))?;
    let line = format!(
        "{TABLE}: {} lines, {} bytes",
        text.lines().count(),
        text.len()
    );
    writeln!(io::stdout(), "{line}").context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".go") && !name.ends_with("_test.go") && !name.contains("generated")
}

fn download() -> Result<PathBuf> {
    let work = cache::root()?.join("protobuf");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("clear {}", work.display()))?;
    }
    build::fetch_packages(SUITE, &DEBIAN, &work)?;
    Ok(work.join("packages"))
}
