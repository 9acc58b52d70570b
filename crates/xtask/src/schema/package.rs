//! The Debian package that holds client-go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use underpin_fieldset::schema::table::Source;
use underpin_testenv::{build, cache};

/// The package's name, and the release with the newest one.
const PACKAGE: &str = "golang-k8s-client-go-dev";
const SUITE: &str = "sid";

/// Fetches the newest package into the cache; apt checks it. Returns the package's file.
pub(super) fn download() -> Result<PathBuf> {
    let work = cache::root()?.join("schema");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("clear {}", work.display()))?;
    }
    let debs = build::fetch_packages(SUITE, &[PACKAGE], &work)?;
    find(&debs)
}

/// The package itself, or the one in a folder.
pub(super) fn find(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).with_context(|| format!("list {}", path.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let package = path.extension().is_some_and(|extension| extension == "deb");
        if package && name.starts_with(&format!("{PACKAGE}_")) {
            found.push(path);
        }
    }
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => bail!("{} holds no {PACKAGE}_….deb", path.display()),
        many => bail!("{} holds {} of {PACKAGE}", path.display(), many.len()),
    }
}

/// Name and version, as the package says.
pub(super) fn source(deb: &Path) -> Result<Source> {
    let field = |name: &str| {
        let output = Command::new("dpkg-deb")
            .arg("-f")
            .arg(deb)
            .arg(name)
            .output()
            .context("run dpkg-deb")?;
        ensure!(
            output.status.success(),
            "{} is no package: {}",
            deb.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    Ok(Source {
        name: field("Package")?,
        version: field("Version")?,
    })
}

/// The text of one file in the package.
pub(super) fn text(deb: &Path, path: &str) -> Result<String> {
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .stdout(Stdio::piped())
        .spawn()
        .context("run dpkg-deb")?;
    let stream = archive.stdout.take().context("dpkg-deb's output")?;
    let output = Command::new("tar")
        .args(["-x", "-O", "-f", "-", path])
        .stdin(stream)
        .output()
        .context("run tar")?;
    // tar may stop reading early; what it found is what counts.
    archive.wait().context("wait for dpkg-deb")?;
    ensure!(
        output.status.success(),
        "{} holds no {path}: {}",
        deb.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).context("the file is not UTF-8")
}
