//! Who is measured, and how each of them is run. Each of the three starts on a control plane of
//! its own: nobody lists another's objects.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use underpin_testenv::{Components, ControlPlane, Options};

use super::floors::Floor;
use super::meters::{AuditLog, Calls, run};
use super::workload::Workload;

/// Exit codes of `underpin plan --detailed-exitcode` and of `kubectl diff`, where there are changes.
const CHANGES_PENDING: i32 = 6;
const DIFFERENT: i32 = 1;

/// The controllers that run: namespaces can be used, and nothing else is written. Those that would
/// follow the generated objects (replica sets, endpoints, tokens) would take time from whoever is
/// measured at that moment.
const CONTROLLERS: &str = "--controllers=namespace,serviceaccount";

/// One thing that is measured. Its name is also the user as whom it speaks to the server, by whom
/// the server counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    UpFirst,
    PlanUnchanged,
    PlanChanged,
    UpAgain,
    ApplyFirst,
    DiffUnchanged,
    DiffChanged,
    ApplyAgain,
    Patches,
    DryRuns,
    Lists,
}

impl Contender {
    /// All, in the order in which they are told.
    pub(super) const ALL: [Self; 11] = [
        Self::UpFirst,
        Self::PlanUnchanged,
        Self::PlanChanged,
        Self::UpAgain,
        Self::ApplyFirst,
        Self::DiffUnchanged,
        Self::DiffChanged,
        Self::ApplyAgain,
        Self::Patches,
        Self::DryRuns,
        Self::Lists,
    ];

    /// A short name, for programs.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::UpFirst => "up-first",
            Self::PlanUnchanged => "plan-unchanged",
            Self::PlanChanged => "plan-changed",
            Self::UpAgain => "up-again",
            Self::ApplyFirst => "kubectl-apply-first",
            Self::DiffUnchanged => "kubectl-diff-unchanged",
            Self::DiffChanged => "kubectl-diff-changed",
            Self::ApplyAgain => "kubectl-apply-again",
            Self::Patches => "floor-patches",
            Self::DryRuns => "floor-dry-runs",
            Self::Lists => "floor-lists",
        }
    }

    /// What it is, for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::UpFirst => "underpin up --wait=false, first",
            Self::PlanUnchanged => "underpin plan, unchanged",
            Self::PlanChanged => "underpin plan, 10 % changed",
            Self::UpAgain => "underpin up, nothing to do",
            Self::ApplyFirst => "kubectl apply --server-side, first",
            Self::DiffUnchanged => "kubectl diff --server-side, unchanged",
            Self::DiffChanged => "kubectl diff --server-side, 10 % changed",
            Self::ApplyAgain => "kubectl apply --server-side, again",
            Self::Patches => "bare PATCHes that create, 8 in flight",
            Self::DryRuns => "bare dry-run PATCHes, 8 in flight",
            Self::Lists => "bare LISTs of the kinds, at once",
        }
    }
}

/// What one run of a contender has cost.
pub(super) struct Measurement {
    pub(super) contender: Contender,
    pub(super) microseconds: u128,
    /// Peak resident memory in KiB; none for what runs in this process.
    pub(super) memory: Option<u64>,
    pub(super) calls: Calls,
}

/// The programs and the files that they deploy.
pub(super) struct Subjects {
    components: Components,
    underpin: PathBuf,
    count: usize,
    dir: tempfile::TempDir,
}

impl Subjects {
    /// Writes the files: the same objects for all, and once more with 10 % changed.
    pub(super) fn create(components: &Components, underpin: &Path, count: usize) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("underpin-bench-")
            .tempdir()?;
        for changed in [false, true] {
            Workload::generate(count, changed).write(&dir.path().join(folder(changed)))?;
        }
        Ok(Self {
            components: components.clone(),
            underpin: underpin.to_owned(),
            count,
            dir,
        })
    }

    /// Runs everybody once.
    pub(super) fn round(&self) -> Result<Vec<Measurement>> {
        let mut found = Vec::new();
        self.underpin(&mut found)?;
        self.kubectl(&mut found)?;
        self.floors(&mut found)?;
        Ok(found)
    }

    fn underpin(&self, found: &mut Vec<Measurement>) -> Result<()> {
        let stage = Stage::start(&self.components)?;
        let runs: [(Contender, &[&str], bool, i32); 4] = [
            (
                Contender::UpFirst,
                &["up", "--yes", "--wait=false"],
                false,
                0,
            ),
            (
                Contender::PlanUnchanged,
                &["plan", "--detailed-exitcode"],
                false,
                0,
            ),
            (
                Contender::PlanChanged,
                &["plan", "--detailed-exitcode"],
                true,
                CHANGES_PENDING,
            ),
            (
                Contender::UpAgain,
                &["up", "--yes", "--wait=false"],
                false,
                0,
            ),
        ];
        for (contender, args, changed, expect) in runs {
            let mut command = Command::new(&self.underpin);
            let stack = self.dir.path().join(folder(changed)).join("underpin.yaml");
            command.args(args).arg("--file").arg(stack);
            found.push(stage.measure(contender, &mut command, expect)?);
        }
        Ok(())
    }

    fn kubectl(&self, found: &mut Vec<Measurement>) -> Result<()> {
        let stage = Stage::start(&self.components)?;
        let runs = [
            (Contender::ApplyFirst, "apply", false, 0),
            (Contender::DiffUnchanged, "diff", false, 0),
            (Contender::DiffChanged, "diff", true, DIFFERENT),
            (Contender::ApplyAgain, "apply", false, 0),
        ];
        for (contender, verb, changed, expect) in runs {
            let mut command = Command::new(&self.components.kubectl);
            let manifests = self.dir.path().join(folder(changed)).join("manifests");
            command
                .args([verb, "--server-side", "--filename"])
                .arg(manifests);
            found.push(stage.measure(contender, &mut command, expect)?);
        }
        Ok(())
    }

    fn floors(&self, found: &mut Vec<Measurement>) -> Result<()> {
        let stage = Stage::start(&self.components)?;
        let workload = Workload::generate(self.count, false);
        for contender in [Contender::Patches, Contender::DryRuns, Contender::Lists] {
            let kubeconfig = stage.control_plane.user(contender.id(), Some(MASTERS))?;
            let floor = Floor::connect(&kubeconfig)?;
            let elapsed = match contender {
                Contender::Lists => floor.lists(&Workload::collections()),
                _ => floor.patches(&workload, contender == Contender::DryRuns),
            }?;
            found.push(Measurement {
                contender,
                microseconds: elapsed.as_micros(),
                memory: None,
                calls: stage.audit.calls(contender.id())?,
            });
        }
        Ok(())
    }
}

/// Who belongs to it may do everything, and is not queued behind others.
const MASTERS: &str = "system:masters";

fn folder(changed: bool) -> &'static str {
    if changed { "changed" } else { "unchanged" }
}

/// A fresh control plane that counts, and a home folder for whoever runs on it.
struct Stage {
    /// Before the folder that its log is in.
    control_plane: ControlPlane,
    audit: AuditLog,
    dir: tempfile::TempDir,
}

impl Stage {
    fn start(components: &Components) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("underpin-bench-")
            .tempdir()?;
        let audit = AuditLog::create(dir.path(), &Contender::ALL.map(Contender::id))?;
        let options = Options {
            apiserver: audit.flags(),
            controller_manager: vec![CONTROLLERS.to_owned()],
            ..Options::default()
        };
        Ok(Self {
            control_plane: ControlPlane::start(components, &options)?,
            audit,
            dir,
        })
    }

    /// Runs a program as the contender's user. Caches and settings of this machine's user have no
    /// share in it: its home is empty at the first run, and keeps what earlier runs have cached.
    fn measure(
        &self,
        contender: Contender,
        command: &mut Command,
        expect: i32,
    ) -> Result<Measurement> {
        let dir = self.dir.path();
        let kubeconfig = dir.join("kubeconfig");
        self.control_plane
            .user(contender.id(), Some(MASTERS))?
            .write(&kubeconfig)?;
        command
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .env("HOME", dir)
            .env_remove("KUBECONFIG")
            .env_remove("KUBECTL_EXTERNAL_DIFF");
        let ran = run(command, dir, expect)?;
        Ok(Measurement {
            contender,
            microseconds: ran.elapsed.as_micros(),
            memory: Some(ran.memory),
            calls: self.audit.calls(contender.id())?,
        })
    }
}
