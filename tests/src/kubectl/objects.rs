//! Creating objects as other deployers do, and what scenarios ask about objects.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Kubectl;

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
