//! What nodes offer and pods ask for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pods;
use crate::{admission::Quantity, object};

/// Amounts by resource (`cpu`, `memory`, `pods`…), in billionths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts(BTreeMap<String, i128>);

/// One of a thing, in billionths.
const ONE: i128 = 1_000_000_000;

impl Amounts {
    /// A resource list; what is no quantity counts as nothing.
    fn of(list: Option<&Value>) -> Self {
        let list = list.and_then(Value::as_object);
        let amounts = list.into_iter().flatten().filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let amount = Quantity::parse(&text).ok()?;
            Some((name.clone(), amount.nano()))
        });
        Self(amounts.collect())
    }

    /// What a node offers to pods.
    pub(super) fn of_node(node: &Value) -> Self {
        Self::of(node.pointer("/status/allocatable"))
    }

    /// What a pod takes: the sum of its containers, or its biggest init container if that is
    /// more, its overhead, and a slot. Init containers that stay count as containers.
    pub(super) fn of_pod(pod: &Value) -> Self {
        let mut sum = Self::default();
        let mut initial = Self::default();
        for container in containers(pod, "containers") {
            sum.add(&Self::of(container.pointer("/resources/requests")));
        }
        for container in containers(pod, "initContainers") {
            let wanted = Self::of(container.pointer("/resources/requests"));
            if object::text(container, "/restartPolicy") == "Always" {
                sum.add(&wanted);
            } else {
                initial.raise_to(&wanted);
            }
        }
        sum.raise_to(&initial);
        sum.add(&Self::of(pod.pointer("/spec/overhead")));
        sum.0.insert("pods".to_owned(), ONE);
        sum
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let most = self.0.entry(name.clone()).or_default();
            *most = (*most).max(*amount);
        }
    }

    /// The resources of which too little is left, as the scheduler names them.
    pub(super) fn lacking(&self, used: &Self, wanted: &Self) -> Vec<String> {
        let of = |amounts: &Self, name: &str| amounts.0.get(name).copied().unwrap_or_default();
        let short = wanted.0.iter().filter(|(name, amount)| {
            **amount > 0 && of(used, name).saturating_add(**amount) > of(self, name)
        });
        short
            .map(|(name, _)| match name.as_str() {
                "pods" => "Too many pods".to_owned(),
                name => format!("Insufficient {name}"),
            })
            .collect()
    }

    /// Number of pods in a sum.
    pub(super) fn pods(&self) -> i128 {
        self.0.get("pods").copied().unwrap_or_default() / ONE
    }
}

fn containers<'p>(pod: &'p Value, field: &str) -> impl Iterator<Item = &'p Value> {
    let list = pod.get("spec").and_then(|spec| spec.get(field));
    list.and_then(Value::as_array).into_iter().flatten()
}

/// What the pods on each node take, those that have ended not counted.
pub(super) fn used<'p>(all: impl Iterator<Item = &'p Value>) -> BTreeMap<String, Amounts> {
    let mut used: BTreeMap<String, Amounts> = BTreeMap::new();
    for pod in all {
        let node = pods::node(pod);
        if !node.is_empty() && !pods::has_ended(pod) {
            used.entry(node.to_owned())
                .or_default()
                .add(&Amounts::of_pod(pod));
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(requests: &Value, initial: &Value, expect: &[&str]) {
        let node = json!({"status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "1"}}});
        let pod = json!({"spec": {
            "containers": [{"resources": {"requests": requests}}],
            "initContainers": [{"resources": {"requests": initial}}],
        }});
        let lacking = Amounts::of_node(&node).lacking(&Amounts::default(), &Amounts::of_pod(&pod));
        assert_eq!(lacking, expect);
    }

    #[test]
    fn a_pod_fits_if_every_resource_does() {
        check(
            &json!({"cpu": "1500m", "memory": "1024Mi"}),
            &json!({}),
            &[],
        );
        check(&json!({"cpu": "2001m"}), &json!({}), &["Insufficient cpu"]);
        check(
            &json!({}),
            &json!({"memory": "1025Mi"}),
            &["Insufficient memory"],
        );
        check(
            &json!({"example.com/gpu": 1}),
            &json!({}),
            &["Insufficient example.com/gpu"],
        );
    }

    #[test]
    fn a_full_node_takes_no_pod() {
        let node = json!({"status": {"allocatable": {"pods": "1"}}});
        let pod = json!({"spec": {"nodeName": "a"}});
        let used = used([&pod].into_iter());
        let lacking = Amounts::of_node(&node).lacking(&used["a"], &Amounts::of_pod(&pod));
        assert_eq!(lacking, ["Too many pods"]);
        assert_eq!(used["a"].pods(), 1);
    }
}
