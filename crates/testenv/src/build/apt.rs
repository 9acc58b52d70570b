//! Fetches packages through apt with a state of its own.
//!
//! The machine's apt configuration (proxies, certificates, transports) stays in force; its
//! sources and lists are only read.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::step::Steps;
use super::{compile, source};

/// The release with the last complete source of kube-apiserver (Debian 12).
pub(crate) const SUITE: &str = "bookworm";
/// A later release whose kubectl is nearer to what people use (Debian 13, kubectl 1.32).
pub(crate) const KUBECTL_SUITE: &str = "trixie";
/// The package that has it there.
pub(crate) const KUBECTL_PACKAGE: &str = "kubectl";
/// In the folder that packages are unpacked in: their files.
const DEBS: &str = "debs";
/// Names another archive than the machine's own.
const MIRROR_VARIABLE: &str = "DEBIAN_MIRROR";
/// Keys of the archive, from the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches and unpacks all packages and the source. Returns the folder that the packages are
/// unpacked in; the source's files are in `WORK/source`, the newer kubectl, if it came, in
/// `WORK/kubectl`.
pub(crate) fn fetch(steps: &Steps, work: &Path) -> Result<PathBuf> {
    let mirror = mirror()?;
    let apt = Apt::new(work, SUITE, &mirror)?;
    apt.update(steps).with_context(|| {
        format!("{mirror} is no archive with {SUITE}; {MIRROR_VARIABLE} names another")
    })?;
    let packages = [
        compile::GO_PACKAGE,
        compile::GO_SOURCE_PACKAGE,
        source::REFLECT_PACKAGE,
        "etcd-server",
        "kubernetes-client",
        // Unpacked and used from there when the machine has none.
        "patch",
        "xz-utils",
    ];
    let unpacked = work.join("packages");
    apt.packages(steps, &packages, &unpacked)?;
    apt.source(steps, "kubernetes", &work.join("source"))?;
    steps.say("packages fetched")?;

    let later = Apt::new(work, KUBECTL_SUITE, &mirror)?;
    let newer = later
        .update(steps)
        .and_then(|()| later.packages(steps, &[KUBECTL_PACKAGE], &work.join("kubectl")));
    if let Err(error) = newer {
        steps.say(&format!("no kubectl of {KUBECTL_SUITE}: {error:#}"))?;
    }
    Ok(unpacked)
}

/// Downloads packages of any one release, for other chores than the control plane, and returns the
/// folder with their files. `work` keeps apt's state and the logs.
///
/// Fails when no archive is known, or the archive has no such release or package.
pub fn fetch_packages(suite: &'static str, names: &[&str], work: &Path) -> Result<PathBuf> {
    let steps = Steps::begin(&work.join("log"))?;
    let apt = Apt::new(work, suite, &mirror()?)?;
    apt.update(&steps)?;
    let unpacked = work.join("packages");
    apt.packages(&steps, names, &unpacked)?;
    Ok(unpacked.join(DEBS))
}

/// `$DEBIAN_MIRROR`, else the Debian archive of the machine's apt sources.
fn mirror() -> Result<String> {
    if let Some(mirror) = env::var(MIRROR_VARIABLE)
        .ok()
        .filter(|value| !value.is_empty())
    {
        return Ok(mirror);
    }
    // One line per index that apt is configured for, whatever the syntax of the sources.
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(ORIGIN)|$(COMPONENT)|$(CODENAME)|$(REPO_URI)",
        ])
        .arg("Created-By: Packages")
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    choose(&text.unwrap_or_default()).with_context(|| {
        format!("apt knows no Debian archive here; name one with {MIRROR_VARIABLE}")
    })
}

/// The archive to take from apt's targets: Debian's main component, best of the wanted release.
/// Where the machine has no lists yet, apt knows no origin, and the address must tell.
fn choose(targets: &str) -> Option<String> {
    let rank = |line: &str| {
        let mut fields = line.splitn(4, '|');
        let (origin, component) = (fields.next()?, fields.next()?);
        let (codename, address) = (fields.next()?, fields.next()?.trim_end_matches('/'));
        let known = origin == "Debian" || origin.starts_with("$(") || origin.is_empty();
        let wanted = component == "main" && known && !codename.ends_with("-security");
        let rank = match (codename == SUITE, address.ends_with("/debian")) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) if origin == "Debian" => 2,
            (false, false) => return None,
        };
        (wanted && !address.ends_with("-security")).then(|| (rank, address.to_owned()))
    };
    targets
        .lines()
        .filter_map(rank)
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, address)| address)
}

/// apt for one release, with private state.
struct Apt {
    suite: &'static str,
    options: Vec<String>,
}

impl Apt {
    fn new(work: &Path, suite: &'static str, mirror: &str) -> Result<Self> {
        let state = work.join(format!("apt-{suite}"));
        for part in [
            "lists/partial",
            "cache/archives/partial",
            "parts",
            "preferences",
        ] {
            let path = state.join(part);
            fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        }
        let signed = if Path::new(KEYRING).exists() {
            format!("[signed-by={KEYRING}] ")
        } else {
            // Then the keys that apt trusts for all archives must do.
            String::new()
        };
        let sources = state.join("sources.list");
        let text =
            format!("deb {signed}{mirror} {suite} main\ndeb-src {signed}{mirror} {suite} main\n");
        fs::write(&sources, text).with_context(|| format!("write {}", sources.display()))?;
        let status = state.join("status");
        fs::write(&status, "").with_context(|| format!("write {}", status.display()))?;
        let at = |part: &str| state.join(part).display().to_string();
        let options = [
            format!("Dir::Etc::sourcelist={}", sources.display()),
            format!("Dir::Etc::sourceparts={}", at("parts")),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            format!("Dir::Etc::preferencesparts={}", at("preferences")),
            format!("Dir::State={}", state.display()),
            format!("Dir::State::lists={}", at("lists")),
            // Empty: what is installed here must not decide what is fetched.
            format!("Dir::State::status={}", status.display()),
            format!("Dir::Cache={}", at("cache")),
            // Run by root, apt would fetch as a user who cannot write here.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        let options = options
            .into_iter()
            .flat_map(|text| ["-o".to_owned(), text])
            .collect();
        Ok(Self { suite, options })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command
            .arg("-q")
            .args(&self.options)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn update(&self, steps: &Steps) -> Result<()> {
        steps.run(
            &format!("apt-update-{}", self.suite),
            self.command().arg("update"),
        )
    }

    /// Downloads packages and unpacks them, one over the other, in `to`.
    fn packages(&self, steps: &Steps, names: &[&str], to: &Path) -> Result<()> {
        let debs = to.join(DEBS);
        fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
        let step = format!("apt-download-{}", self.suite);
        steps.run(
            &step,
            self.command()
                .arg("download")
                .args(names)
                .current_dir(&debs),
        )?;
        let files = fs::read_dir(&debs).with_context(|| format!("list {}", debs.display()))?;
        for file in files {
            let path = file
                .with_context(|| format!("list {}", debs.display()))?
                .path();
            steps.run(
                "unpack",
                Command::new("dpkg-deb").arg("-x").arg(&path).arg(to),
            )?;
        }
        Ok(())
    }

    /// Downloads the files of a source package to `to`, checked by apt but not unpacked.
    fn source(&self, steps: &Steps, name: &str, to: &Path) -> Result<()> {
        fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
        let mut command = self.command();
        steps.run(
            "apt-source",
            command
                .args(["source", "--download-only", name])
                .current_dir(to),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[track_caller]
    fn check(targets: &[&str], expect: Option<&str>) {
        assert_eq!(choose(&targets.join("\n")).as_deref(), expect);
    }

    #[test]
    fn the_archive_with_the_wanted_release_comes_first() {
        check(
            &[
                "Debian|main|trixie|http://a.example/debian/",
                "Debian|main|bookworm|http://b.example/mirror/",
            ],
            Some("http://b.example/mirror"),
        );
    }

    #[test]
    fn a_later_debian_knows_its_archive_too() {
        check(
            &[
                "Debian|main|trixie-security|http://a.example/debian-security/",
                "Debian|main|trixie|http://a.example/debian/",
            ],
            Some("http://a.example/debian"),
        );
    }

    #[test]
    fn other_archives_are_passed_over() {
        check(&["Node Source|main|nodistro|https://n.example/x/"], None);
        check(&["Debian|contrib|bookworm|http://a.example/debian/"], None);
        check(&["", "|", "a|b|c"], None);
    }

    #[test]
    fn without_lists_the_address_tells() {
        check(
            &["$(ORIGIN)|main|$(CODENAME)|http://a.example/debian/"],
            Some("http://a.example/debian"),
        );
        check(
            &["$(ORIGIN)|main|$(CODENAME)|http://a.example/ubuntu/"],
            None,
        );
    }
}
