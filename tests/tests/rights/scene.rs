//! A stack, and users who have the printed roles and nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use underpin_tests::{ControlPlane, Kubectl, Output, Proxy, Stack, Underpin};

/// A kind for each way to be declared: built-in and custom, in the home and in another namespace,
/// in none; a Secret; a workload that is waited for.
const STACK: &str = include_str!("stack.yaml");

/// The file that holds it.
const MANIFEST: &str = "app.yaml";

/// Claims lie in a namespace of their own: who is the first to deploy makes more there.
const STACK_FILE: &str = "\
apiVersion: underpin.dev/v1
kind: Stack
metadata: { name: NAME }
spec:
  claimsNamespace: NAME-claims
  sources: [{ manifests: app.yaml }]
  environments: { test: { namespace: NAME } }
";

/// The stack, declared on a cluster by its administrator.
pub(super) struct Scene<'c> {
    pub(super) name: String,
    pub(super) cluster: &'c ControlPlane,
    pub(super) admin: Kubectl,
    pub(super) project: Stack,
    users: TempDir,
}

/// Somebody who has roles, through a proxy that keeps what they ask for.
pub(super) struct Bearer {
    pub(super) name: String,
    pub(super) proxy: Proxy,
    program: Underpin,
}

impl<'c> Scene<'c> {
    pub(super) fn new(cluster: &'c ControlPlane, name: &str) -> Result<Self> {
        Self::declaring(cluster, name, &manifest(name))
    }

    pub(super) fn declaring(cluster: &'c ControlPlane, name: &str, manifest: &str) -> Result<Self> {
        let file = STACK_FILE.replace("NAME", name);
        let files = [("underpin.yaml", file.as_str()), (MANIFEST, manifest)];
        Ok(Self {
            name: name.to_owned(),
            cluster,
            admin: Kubectl::new(cluster),
            project: Stack::new(&cluster.kubeconfig(), &files)?,
            users: tempfile::tempdir()?,
        })
    }

    /// What `underpin rbac` prints for a bearer of its own, as YAML.
    pub(super) fn printed(&self, task: &str, options: &str) -> Result<String> {
        let user = self.user_name(task);
        let line = format!("rbac --for {task} --user {user} {options}");
        Ok(self.project.expect(0, &line)?.stdout)
    }

    /// The same as a List.
    pub(super) fn printed_list(&self, task: &str, options: &str) -> Result<Value> {
        let text = self.printed(task, &format!("{options} --output json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Applies manifests as the administrator, as a stranger would.
    pub(super) fn grant(&self, manifests: &str) -> Result<()> {
        let applied = self.admin.with_input(["apply", "-f", "-"], manifests)?;
        ensure!(applied.code == Some(0), "{}", applied.transcript());
        Ok(())
    }

    /// Somebody with exactly the roles that are printed for a task.
    pub(super) fn bearer(&self, task: &str, options: &str) -> Result<Bearer> {
        self.grant(&self.printed(task, options)?)?;
        self.user(task)
    }

    /// The user of a task, whatever roles they have.
    pub(super) fn user(&self, task: &str) -> Result<Bearer> {
        let name = self.user_name(task);
        let proxy = Proxy::start_as(&self.cluster.user(&name)?)?;
        let kubeconfig: PathBuf = self.users.path().join(&name);
        std::fs::copy(proxy.kubeconfig(), &kubeconfig)?;
        let program = self.project.through(&kubeconfig)?;
        Ok(Bearer {
            name,
            proxy,
            program,
        })
    }

    fn user_name(&self, task: &str) -> String {
        format!("{}-{task}", self.name)
    }
}

impl Bearer {
    pub(super) fn run(&self, line: &str) -> Result<Output> {
        self.proxy.clear();
        self.program.run(line.split_whitespace())
    }

    #[track_caller]
    pub(super) fn expect(&self, code: i32, line: &str) -> Result<Output> {
        let output = self.run(line)?;
        assert_eq!(
            output.code,
            Some(code),
            "{}: {line}\n{}",
            self.name,
            output.transcript()
        );
        Ok(output)
    }

    /// The requests of the last run that the server refused for want of a right.
    pub(super) fn refused(&self) -> BTreeSet<String> {
        let records = self.proxy.records().into_iter();
        let refused = records.filter(|record| record.upstream == Some(403));
        refused
            .map(|record| format!("{} {}", record.request.method, record.request.path))
            .collect()
    }
}

/// The stack's objects.
pub(super) fn manifest(name: &str) -> String {
    STACK.replace("NAME", name)
}

/// A set of texts.
pub(super) fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
