//! The source tree: unpack, patch, correct.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::step::Steps;

/// reflect2 1.0.2. The tree's own 1.0.1 builds with Go 1.18 and later and then crashes on the
/// first JSON body with a map in it.
pub(crate) const REFLECT_PACKAGE: &str = "golang-github-modern-go-reflect2-dev";
/// Where the tree and the package have it.
const REFLECT: &str = "github.com/modern-go/reflect2";
/// Makes server-side apply accept a Service port without `protocol`, as every release since
/// 1.21 does.
pub(crate) const PROTOCOL_DEFAULT: &str = "\t// +default=\"TCP\"\n";

/// Unpacks the source in a GOPATH, applies Debian's patches and our two corrections. Returns the
/// tree's root.
pub(crate) fn prepare(steps: &Steps, work: &Path, unpacked: &Path) -> Result<PathBuf> {
    let tree = work.join("go/src/k8s.io/kubernetes");
    fs::create_dir_all(&tree).with_context(|| format!("create {}", tree.display()))?;
    let path = search_path(unpacked)?;
    let original = only(&work.join("source"), ".orig.tar.gz")?;
    check_version(&original)?;
    let debian = only(&work.join("source"), ".debian.tar.xz")?;
    for (archive, strip) in [
        (original, "--strip-components=1"),
        (debian, "--strip-components=0"),
    ] {
        let mut tar = Command::new("tar");
        tar.arg("-xf")
            .arg(&archive)
            .arg(strip)
            .arg("-C")
            .arg(&tree)
            .env("PATH", &path);
        steps.run("unpack-source", &mut tar)?;
    }
    let patches = tree.join("debian/patches");
    let series = fs::read_to_string(patches.join("series")).context("list of Debian's patches")?;
    for name in series
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut patch = Command::new("patch");
        patch
            .args(["-s", "-p1", "-i"])
            .arg(patches.join(name))
            .current_dir(&tree)
            .env("PATH", &path);
        steps.run("patch", &mut patch)?;
    }
    let reflect = tree.join("vendor").join(REFLECT);
    fs::remove_dir_all(&reflect).with_context(|| format!("remove {}", reflect.display()))?;
    copy_tree(
        &unpacked.join("usr/share/gocode/src").join(REFLECT),
        &reflect,
    )?;
    default_protocol(&tree.join("staging/src/k8s.io/api/core/v1/types.go"))?;
    steps.say("source ready")?;
    Ok(tree)
}

/// The machine's programs first, then the unpacked ones.
fn search_path(unpacked: &Path) -> Result<OsString> {
    let own = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&own).chain([unpacked.join("usr/bin"), unpacked.join("bin")]);
    env::join_paths(all).context("search path")
}

fn only(dir: &Path, ending: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", dir.display()))?
            .path();
        if path.to_string_lossy().ends_with(ending) {
            return Ok(path);
        }
    }
    bail!("no *{ending} in {}", dir.display())
}

/// Debian calls it 1.20.5+really1.20.2. Another version would need another recipe.
fn check_version(archive: &Path) -> Result<()> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let version = super::KUBERNETES_VERSION.trim_start_matches('v');
    ensure!(
        name.contains(&format!("really{version}.")),
        "the archive now has {name}; this recipe builds {version} only"
    );
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| format!("list {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| format!("copy {}", source.display()))?;
        }
    }
    Ok(())
}

fn default_protocol(types: &Path) -> Result<()> {
    let text = fs::read_to_string(types).with_context(|| format!("read {}", types.display()))?;
    let changed = with_default(&text)
        .with_context(|| format!("{}: ServicePort.Protocol not found", types.display()))?;
    fs::write(types, changed).with_context(|| format!("write {}", types.display()))
}

/// Puts the default's marker before the field `Protocol` of `ServicePort`.
fn with_default(text: &str) -> Option<String> {
    let start = text.find("\ntype ServicePort struct {")?;
    let end = start + text[start..].find("\n}\n")?;
    let field =
        start + text[start..end].find("\tProtocol Protocol `json:\"protocol,omitempty\"")?;
    Some(format!(
        "{}{PROTOCOL_DEFAULT}{}",
        &text[..field],
        &text[field..]
    ))
}

#[cfg(test)]
mod tests {
    use super::with_default;

    #[test]
    fn the_marker_goes_before_the_field_of_the_right_type() {
        let field = "\tProtocol Protocol `json:\"protocol,omitempty\" x`\n";
        let text =
            format!("type A struct {{\n{field}}}\n\ntype ServicePort struct {{\n{field}}}\n");
        let expect = format!(
            "type A struct {{\n{field}}}\n\ntype ServicePort struct {{\n\t// +default=\"TCP\"\n{field}}}\n"
        );
        assert_eq!(with_default(&text), Some(expect));
        assert_eq!(with_default("type ServicePort struct {\n}\n"), None);
    }
}
