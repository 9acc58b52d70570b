//! Builds the components from Debian's packages: no root, nothing installed, nothing but apt's
//! own ways to fetch.
//!
//! Debian 12 has the newest complete source of kube-apiserver in any package archive, 1.20.2.
//! It is unmaintained: for tests on 127.0.0.1 only.

mod apt;
mod compile;
mod source;
mod step;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{Components, cache};
pub use apt::fetch_packages;
pub(crate) use apt::{KUBECTL_PACKAGE, KUBECTL_SUITE, SUITE};
use step::Steps;

/// The version that comes out.
pub const KUBERNETES_VERSION: &str = "v1.20.2";

/// Everything that decides what comes out; its hash names the cache folder. The first entry is
/// raised when the steps change in a way that the others do not show.
pub(crate) const RECIPE: &[&str] = &[
    "recipe 1",
    KUBERNETES_VERSION,
    SUITE,
    KUBECTL_SUITE,
    KUBECTL_PACKAGE,
    compile::GO_PACKAGE,
    source::REFLECT_PACKAGE,
    source::PROTOCOL_DEFAULT,
];

/// The components, built if they are neither in `$KUBEBUILDER_ASSETS` nor in the cache. Says on
/// standard error what it does.
///
/// A second builder waits for the first. An interrupted build leaves no half-filled folder.
/// Fails with the step, the end of its log and the log's path.
pub fn ensure() -> Result<Components> {
    if let Some(found) = Components::from_environment()? {
        return Ok(found);
    }
    let target = cache::current()?;
    if target.is_dir() {
        return Components::find();
    }
    let all = cache::control_planes()?;
    fs::create_dir_all(&all).with_context(|| format!("create {}", all.display()))?;
    let lock_path = all.join("build.lock");
    let lock = File::create(&lock_path).with_context(|| format!("open {}", lock_path.display()))?;
    if lock.try_lock().is_err() {
        writeln!(
            io::stderr(),
            "another build holds {}; waiting",
            lock_path.display()
        )
        .context("report progress")?;
        lock.lock()
            .with_context(|| format!("lock {}", lock_path.display()))?;
    }
    // The lock's last holder may have built it. The lock ends with `lock`.
    if !target.is_dir() {
        let work = all.join(format!("work-{}", cache::key()));
        build_into(&target, &work)?;
        fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))?;
    }
    Components::find()
}

fn build_into(target: &Path, work: &Path) -> Result<()> {
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("clear {}", work.display()))?;
    }
    let out = work.join("out");
    fs::create_dir_all(&out).with_context(|| format!("create {}", out.display()))?;
    let steps = Steps::begin(&work.join("log"))?;
    steps.say(&format!(
        "building the test control plane {KUBERNETES_VERSION} in {} (5 to 10 minutes, 2.5 GB)",
        work.display()
    ))?;
    let unpacked = apt::fetch(&steps, work)?;
    let tree = source::prepare(&steps, work, &unpacked)?;
    compile::compile(&steps, work, &unpacked, &tree, &out)?;
    install(&unpacked.join("usr/bin/etcd"), &out.join("etcd"))?;
    install_kubectl(&steps, &unpacked, &work.join("kubectl"), &out)?;
    Components::in_dir(&out).context("check what was built")?;
    fs::rename(&out, target).with_context(|| format!("move into {}", target.display()))?;
    steps.say(&format!("ready: {}", target.display()))
}

fn install(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The newer kubectl if it came and runs on this machine, else the one of the server's release.
fn install_kubectl(steps: &Steps, unpacked: &Path, newer: &Path, out: &Path) -> Result<()> {
    let runs = |path: &Path| {
        Command::new(path)
            .args(["version", "--client", "--output=json"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let newer = newer.join("usr/bin/kubectl");
    let plain = unpacked.join("usr/bin/kubectl");
    let chosen = if runs(&newer) {
        newer
    } else {
        steps.say("kubectl of the newer release is not usable here; taking the older one")?;
        plain
    };
    install(&chosen, &out.join("kubectl"))
}
