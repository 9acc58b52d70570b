//! Events: what controllers, schedulers and kubelets said of objects.

use std::collections::BTreeMap;

use serde_json::Value;
use underpin_model::Object;

/// Events that are shown of one object's family.
pub const MAX_EVENTS: usize = 5;

/// What was said of an object, once or many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventReport {
    /// Of which object: `pod/web-1`.
    pub about: String,
    /// `FailedMount`, `Unhealthy`.
    pub reason: String,
    /// The words.
    pub message: String,
    /// How often.
    pub count: i64,
    /// When last, in RFC 3339.
    pub last: String,
}

/// Reasons of events whose message ends with what a container answered.
const BY_CONTAINERS: &[&str] = &[
    "FailedPostStartHook",
    "FailedPreStopHook",
    "ProbeWarning",
    "Unhealthy",
];

impl EventReport {
    /// Whether it is about the pod of this name.
    pub(super) fn is_about_pod(&self, name: &str) -> bool {
        self.about.strip_prefix("pod/") == Some(name)
    }

    /// Leaves out of the message what a container answered.
    pub(super) fn withhold(&mut self) {
        if BY_CONTAINERS.contains(&self.reason.as_str()) {
            let end = self.message.find(':').unwrap_or(self.message.len());
            self.message.truncate(end);
        }
    }
}

/// What the recorder of events puts before one that stands for many.
const COMBINED: &str = "(combined from similar events): ";
/// What controllers put before the server's own words.
const CREATING: &str = "Error creating: ";

/// The words, without those of who handed them on.
fn words(message: &str) -> &str {
    let message = message.trim();
    let message = message.strip_prefix(COMBINED).unwrap_or(message);
    message.strip_prefix(CREATING).unwrap_or(message)
}

/// A message without the names that it quotes: each attempt to create a pod is about another one.
fn gist(message: &str) -> String {
    let outside = message.split('"').step_by(2);
    outside.collect::<Vec<_>>().join("\"…\"")
}

/// The warnings among events, each said once, the newest first, at most [`MAX_EVENTS`].
pub(super) fn warnings(events: &[Object]) -> Vec<EventReport> {
    let mut merged: BTreeMap<(String, String, String), EventReport> = BTreeMap::new();
    let warnings = events
        .iter()
        .filter(|event| event.text("/type") == Some("Warning"));
    for report in warnings.filter_map(report) {
        let key = (
            report.about.clone(),
            report.reason.clone(),
            gist(&report.message),
        );
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, report);
            }
            Some(known) => {
                known.count = known.count.saturating_add(report.count);
                if sortable(&report.last) > sortable(&known.last) {
                    known.last = report.last;
                    known.message = report.message;
                }
            }
        }
    }
    let mut reports: Vec<EventReport> = merged.into_values().collect();
    reports.sort_by(|a, b| sortable(&b.last).cmp(sortable(&a.last)));
    reports.truncate(MAX_EVENTS);
    reports
}

/// Times of one zone compare as texts, but for fractions of seconds before the `Z`.
fn sortable(time: &str) -> &str {
    time.strip_suffix('Z').unwrap_or(time)
}

fn report(event: &Object) -> Option<EventReport> {
    let kind = event.text("/involvedObject/kind")?.to_ascii_lowercase();
    let name = event.text("/involvedObject/name")?;
    let times = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ];
    let counts = ["/series/count", "/count"];
    let count = counts
        .iter()
        .find_map(|pointer| event.at(pointer).and_then(Value::as_i64));
    Some(EventReport {
        about: format!("{kind}/{name}"),
        reason: event.text("/reason").unwrap_or_default().to_owned(),
        message: words(event.text("/message").unwrap_or_default()).to_owned(),
        count: count.unwrap_or(1).max(1),
        last: times
            .iter()
            .find_map(|pointer| event.text(pointer))
            .unwrap_or_default()
            .to_owned(),
    })
}
