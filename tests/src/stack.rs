//! A stack on disk, and the program called in its folder.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use underpin_testenv::ControlPlane;

use crate::{Kubectl, Output, Underpin, write_files};

/// Options of every run that changes something: no question, and no waiting for others' locks
/// longer than a test may take.
const RUN: [&str; 3] = ["--yes", "--lock-wait", "60"];

/// A temporary folder with a stack file and what it names, and the program called in it.
#[derive(Debug)]
pub struct Stack {
    dir: TempDir,
    program: Underpin,
}

impl Stack {
    /// A folder with `files`, each a relative path and its text.
    pub fn new(control_plane: &ControlPlane, files: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("underpin-stack-")
            .tempdir()?;
        write_files(dir.path(), files)?;
        let program = Underpin::new(dir.path(), &control_plane.kubeconfig())?;
        Ok(Self { dir, program })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes one more file, or another text into one.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_files(self.path(), &[(name, text)])
    }

    /// The program, for anything that the other calls do not cover.
    pub fn program(&self) -> &Underpin {
        &self.program
    }

    /// Runs a command line, such as `plan -e production`; any exit code is an answer.
    pub fn run(&self, line: &str) -> Result<Output> {
        self.run_with(line, &[])
    }

    /// Like [`Stack::run`], with further arguments that may hold white space.
    pub fn run_with(&self, line: &str, further: &[&str]) -> Result<Output> {
        let mut args: Vec<&str> = line.split_whitespace().collect();
        args.extend(further);
        if matches!(args.first(), Some(&("up" | "down" | "import"))) {
            args.extend(RUN);
        }
        self.program.run(args)
    }

    /// Runs a command line and fails, with all that it wrote, unless it ends with `code`.
    pub fn expect(&self, code: i32, line: &str) -> Result<Output> {
        self.expect_with(code, line, &[])
    }

    /// Like [`Stack::expect`], with further arguments that may hold white space.
    pub fn expect_with(&self, code: i32, line: &str, further: &[&str]) -> Result<Output> {
        let output = self.run_with(line, further)?;
        ensure!(
            output.code == Some(code),
            "underpin {line} {further:?}: expected exit code {code}\n{}",
            output.transcript()
        );
        Ok(output)
    }
}

impl Kubectl {
    /// `kubectl create -f -`, as a deployer without claims does. Fails unless everything is new.
    pub fn create(&self, text: &str) -> Result<()> {
        let output = self.with_input(["create", "--validate=false", "-f", "-"], text)?;
        ensure!(
            output.code == Some(0),
            "kubectl create\n{}",
            output.transcript()
        );
        Ok(())
    }

    /// The same into a namespace, for objects that name none.
    pub fn create_in(&self, namespace: &str, text: &str) -> Result<()> {
        let args = ["create", "--validate=false", "-n", namespace, "-f", "-"];
        let output = self.with_input(args, text)?;
        ensure!(
            output.code == Some(0),
            "kubectl create\n{}",
            output.transcript()
        );
        Ok(())
    }

    /// `CODE:subject reason` of what was accepted, oldest first, as the stored claim
    /// `stack.environment` has it in its history.
    pub fn accepted(&self, claim: &str) -> Result<Vec<String>> {
        let map = self.get(&["configmap", claim, "-n", "underpin-system"])?;
        let data = map["data"].as_object().context("a claim has data")?;
        let texts = data.values().filter_map(Value::as_str);
        let parts: Vec<Value> = texts
            .filter_map(|text| serde_json::from_str(text).ok())
            .collect();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let records = parts.iter().flat_map(|part| list(&part["history"]));
        let accepted = records.flat_map(|record| list(&record["accepted"]));
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        Ok(accepted
            .map(|one| {
                let (code, subject) = (text(&one, "code"), text(&one, "subject"));
                format!("{code}:{subject} {}", text(&one, "reason"))
            })
            .collect())
    }

    /// `kind/name → uid` of the objects of some kinds in a namespace, sorted; what Kubernetes puts
    /// into every namespace is left out.
    pub fn uids(&self, namespace: &str, kinds: &str) -> Result<Vec<(String, String)>> {
        let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid";
        let args = ["get", kinds, "-n", namespace, "--no-headers", "-o", columns];
        let text = self.run(args)?;
        let mut uids: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (kind, name, uid) = (words.next()?, words.next()?, words.next()?);
                Some((format!("{kind}/{name}"), uid.to_owned()))
            })
            .filter(|(name, _)| {
                name != "ConfigMap/kube-root-ca.crt" && !name.starts_with("Secret/default-token-")
            })
            .collect();
        uids.sort();
        Ok(uids)
    }
}
