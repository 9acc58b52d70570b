//! Somebody at a shell with the stack of a shop: commands are run as they are typed, and all that is
//! done and seen is kept as it stands in the book.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use underpin_tests::{ControlPlane, Kubeconfig, fresh, program, with_filters, write_files};

/// The files of the stack.
const FILES: [(&str, &str); 3] = [
    ("underpin.yaml", include_str!("shop/underpin.yaml")),
    ("k8s/config.yaml", include_str!("shop/k8s/config.yaml")),
    ("k8s/web.yaml", include_str!("shop/k8s/web.yaml")),
];

/// The context that the stack names.
const CONTEXT: &str = "production";

/// What differs between the two clusters, and from one run to the next, besides what every snapshot
/// leaves out.
const VARIES: [(&str, &str); 6] = [
    (r"\(context (\w+), \[version\]\)", "(context $1, v1.33.0)"),
    (r"\[duration\]", "10 s"),
    (r"timeout 10 s", "timeout 10s"),
    (r"\[time\]", "2026-11-22T09:30:00Z"),
    (
        r"\bweb-[0-9a-f]{7,10}-[0-9a-z]{5}\b",
        "web-7c9f8d6b54-x2k9p",
    ),
    (r"\bweb-[0-9a-f]{7,10}\b", "web-7c9f8d6b54"),
];

/// Lines from the one before a place on in which somebody looks.
const NEAR: usize = 7;

/// Lines of progress of which the order is chance.
const PROGRESS: [&str; 4] = ["  created ", "  updated ", "  deleted ", "  deleting "];

/// A cluster of its own on which the shop runs, and a shell.
pub(crate) struct Session {
    cluster: ControlPlane,
    folder: TempDir,
    tools: TempDir,
    /// What is to be shown, as Markdown.
    shown: Vec<String>,
    /// What the last command printed.
    printed: String,
}

impl Session {
    /// A shop that is deployed.
    pub(crate) fn new() -> Result<Self> {
        let cluster = fresh()?;
        let folder = tempfile::Builder::new()
            .prefix("underpin-shop-")
            .tempdir()?;
        write_files(folder.path(), &FILES)?;
        let tools = tempfile::tempdir()?;
        symlink(program()?, tools.path().join("underpin"))?;
        symlink(cluster.kubectl(), tools.path().join("kubectl"))?;
        let session = Self {
            cluster,
            folder,
            tools,
            shown: Vec::new(),
            printed: String::new(),
        };
        session.takes(session.cluster.admin())?;
        session.quietly("underpin up --yes")?;
        Ok(session)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.tools.path().join("kubeconfig")
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &ControlPlane {
        &self.cluster
    }

    /// Lets somebody else sit down at the shell, with the context that the stack names.
    pub(crate) fn seats(&self, user: &str) -> Result<()> {
        self.takes(&self.cluster.user(user)?)
    }

    /// Takes a kubeconfig, with the context that the stack names.
    pub(crate) fn takes(&self, kubeconfig: &Kubeconfig) -> Result<()> {
        kubeconfig.write(&self.kubeconfig())?;
        let current = self.quietly("kubectl config current-context")?;
        let current = current.trim();
        self.quietly(&format!(
            "kubectl config rename-context {current} {CONTEXT}"
        ))?;
        Ok(())
    }

    /// Runs a line of a shell; both outputs in the order in which they came.
    fn run(&self, line: &str) -> Result<(Option<i32>, String)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = [self.tools.path().to_owned()].into_iter();
        let path = std::env::join_paths(paths.chain(std::env::split_paths(&path)))?;
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {line}")])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.tools.path())
            .env("KUBECONFIG", self.kubeconfig())
            .env("USER", "tester")
            .env("HOSTNAME", "testhost")
            .stdin(Stdio::null())
            .output()
            .context("run sh")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.code(), text))
    }

    /// Something that is done and not shown, and works.
    pub(crate) fn quietly(&self, line: &str) -> Result<String> {
        let (code, text) = self.run(line)?;
        ensure!(code == Some(0), "`{line}` ended with {code:?}\n{text}");
        Ok(text)
    }

    /// Waits until a command works.
    pub(crate) fn until(&self, line: &str) -> Result<()> {
        let limit = std::time::Duration::from_secs(30);
        underpin_tests::eventually(line, limit, || self.quietly(line).map(Some)).map(drop)
    }

    /// Changes a line of a file, or several that follow each other, without showing it.
    pub(crate) fn write(&self, file: &str, before: &str, after: &str) -> Result<()> {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path)?;
        ensure!(
            text.matches(before).count() == 1,
            "{file}: {before}\n{text}"
        );
        fs::write(path, text.replace(before, after))?;
        Ok(())
    }

    /// Adds objects to a file, without showing it.
    pub(crate) fn append(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.path().join(file);
        let known = fs::read_to_string(&path)?;
        fs::write(path, format!("{known}---\n{text}"))?;
        Ok(())
    }

    /// Runs a command that ends with `code`; it and all that it prints are shown.
    #[track_caller]
    pub(crate) fn types(&mut self, code: i32, line: &str) -> Result<()> {
        let (ended, text) = self.run(line)?;
        ensure!(
            ended == Some(code),
            "`{line}` should end with {code}, not {ended:?}\n{text}"
        );
        self.printed = text;
        let printed = settled(&self.printed);
        self.shown
            .push(format!("```console\n$ {line}\n{printed}```\n"));
        Ok(())
    }

    /// The same for a run that goes well: of what it prints only the last line is shown.
    #[track_caller]
    pub(crate) fn succeeds(&mut self, line: &str) -> Result<()> {
        let (ended, text) = self.run(line)?;
        ensure!(ended == Some(0), "`{line}` ended with {ended:?}\n{text}");
        let last = text.lines().last().unwrap_or_default();
        let before = if text.lines().count() > 1 {
            "  …\n"
        } else {
            ""
        };
        self.shown
            .push(format!("```console\n$ {line}\n{before}{last}\n```\n"));
        self.printed = text;
        Ok(())
    }

    /// Runs a command just as the last output gave it.
    #[track_caller]
    pub(crate) fn pastes(&mut self, line: &str) -> Result<()> {
        self.was_told(&format!("`{line}`"))?;
        self.types(0, line)
    }

    /// Changes what stands at a place that the last output named, `k8s/web.yaml:16:11`; shown as the
    /// change that it is.
    #[track_caller]
    pub(crate) fn mends(&mut self, place: &str, before: &str, after: &str) -> Result<()> {
        self.was_told(place)?;
        let mut parts = place.split(':');
        let (Some(file), Some(line)) = (parts.next(), parts.next()) else {
            bail!("{place} is no place");
        };
        let line: usize = line.parse()?;
        let text = fs::read_to_string(self.folder.path().join(file))?;
        // The place is where the mistake begins, the line after it, or the head of its object.
        let around: Vec<&str> = text
            .lines()
            .skip(line.saturating_sub(2))
            .take(NEAR)
            .collect();
        let first = before.lines().next().unwrap_or_default();
        ensure!(
            around.contains(&first),
            "{place} is not {first}: {around:?}"
        );
        self.write(file, &format!("{before}\n"), &changed(after))?;
        let lines = |mark: char, text: &str| -> String {
            text.lines().map(|line| format!("{mark}{line}\n")).collect()
        };
        let (out, into) = (lines('-', before), lines('+', after));
        self.shown
            .push(format!("```diff\n--- {file}\n{out}{into}```\n"));
        Ok(())
    }

    /// Fails unless the last output holds a text.
    #[track_caller]
    pub(crate) fn was_told(&self, text: &str) -> Result<()> {
        ensure!(self.is_told(text), "{text}:\n{}", self.printed);
        Ok(())
    }

    /// Whether the last output holds a text.
    pub(crate) fn is_told(&self, text: &str) -> bool {
        self.printed.contains(text)
    }

    /// Compares what was shown so far with the snapshot of that name, and begins anew.
    #[track_caller]
    pub(crate) fn page(&mut self, name: &str) {
        let text = std::mem::take(&mut self.shown).join("\n");
        assert!(!text.contains("swordfish"), "a secret is shown\n{text}");
        with_filters(&[], || {
            let mut settings = insta::Settings::clone_current();
            for (pattern, replacement) in VARIES {
                settings.add_filter(pattern, replacement);
            }
            settings.set_prepend_module_to_snapshot(false);
            settings.set_snapshot_path("pages");
            settings.bind(|| insta::assert_snapshot!(name, text));
        });
    }
}

/// The lines that take the place of some.
fn changed(after: &str) -> String {
    if after.is_empty() {
        String::new()
    } else {
        format!("{after}\n")
    }
}

/// What was printed, with what happened at once in one order.
fn settled(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_step = |line: &&&str| PROGRESS.iter().any(|start| line.starts_with(start));
    let mut start = 0;
    while start < lines.len() {
        let length = lines[start..].iter().take_while(is_step).count();
        lines[start..start + length].sort_unstable();
        start += length.max(1);
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
