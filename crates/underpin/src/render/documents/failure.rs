use schemars::JsonSchema;
use serde::Serialize;
use underpin_deploy::{Failure, NotReady};
use underpin_readiness::diagnosis::{EventReport, Log, PodReport};

use super::PlaceDocument;

/// Something that went wrong with an object.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FailureDocument<'a> {
    /// The object.
    object: String,
    /// What went wrong, and why: of what is not ready, the cause.
    message: &'a str,
    /// Where that is declared.
    place: Option<PlaceDocument>,
    /// Where it was waited for in vain.
    #[serde(flatten)]
    not_ready: Option<NotReadyDocument<'a>>,
}

impl<'a> From<&'a Failure> for FailureDocument<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            object: failure.key.to_string(),
            message: &failure.message,
            place: failure.place.as_ref().map(Into::into),
            not_ready: failure.not_ready.as_deref().map(Into::into),
        }
    }
}

/// What bears the cause out, where an object was waited for in vain.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NotReadyDocument<'a> {
    /// What the object says of itself, and how long it was waited for.
    state: &'a str,
    /// The way out, where one is known.
    help: Option<&'a str>,
    /// Pods that are not well.
    pods: Vec<PodDocument<'a>>,
    /// How many further ones there are.
    more_pods: usize,
    /// Warnings of the cluster, the newest first.
    events: Vec<EventDocument<'a>>,
    /// The end of the log that may tell more.
    log: Option<LogDocument<'a>>,
    /// What could not be read, and why.
    unread: &'a [String],
}

impl<'a> From<&'a NotReady> for NotReadyDocument<'a> {
    fn from(not_ready: &'a NotReady) -> Self {
        let diagnosis = &not_ready.diagnosis;
        Self {
            state: &not_ready.state,
            help: diagnosis.help.as_deref(),
            pods: diagnosis.pods.iter().map(Into::into).collect(),
            more_pods: diagnosis.more_pods,
            events: diagnosis.events.iter().map(Into::into).collect(),
            log: diagnosis.log.as_ref().map(Into::into),
            unread: &diagnosis.unread,
        }
    }
}

/// A pod that is not well.
#[derive(Serialize, JsonSchema)]
struct PodDocument<'a> {
    /// Its name.
    name: &'a str,
    /// What is wrong with it.
    trouble: &'a str,
    /// What the container itself wrote as it ended.
    said: Option<&'a str>,
    /// The container whose log may tell more.
    container: Option<&'a str>,
}

impl<'a> From<&'a PodReport> for PodDocument<'a> {
    fn from(pod: &'a PodReport) -> Self {
        let culprit = pod.culprit.as_ref();
        Self {
            name: &pod.name,
            trouble: &pod.trouble,
            said: pod.said.as_deref(),
            container: culprit.map(|culprit| culprit.container.as_str()),
        }
    }
}

/// A warning of the cluster.
#[derive(Serialize, JsonSchema)]
struct EventDocument<'a> {
    /// Of which object, such as `pod/web-1`.
    about: &'a str,
    /// Such as `FailedMount`.
    reason: &'a str,
    /// The words.
    message: &'a str,
    /// How often.
    count: i64,
    /// When last, in RFC 3339.
    last: &'a str,
}

impl<'a> From<&'a EventReport> for EventDocument<'a> {
    fn from(event: &'a EventReport) -> Self {
        Self {
            about: &event.about,
            reason: &event.reason,
            message: &event.message,
            count: event.count,
            last: &event.last,
        }
    }
}

/// The end of a log.
#[derive(Serialize, JsonSchema)]
struct LogDocument<'a> {
    /// The pod.
    pod: &'a str,
    /// The container.
    container: &'a str,
    /// Whether it is of an instance that has ended and was started anew.
    previous: bool,
    /// The last lines.
    lines: &'a [String],
}

impl<'a> From<&'a Log> for LogDocument<'a> {
    fn from(log: &'a Log) -> Self {
        Self {
            pod: &log.pod,
            container: &log.container,
            previous: log.previous,
            lines: &log.lines,
        }
    }
}
