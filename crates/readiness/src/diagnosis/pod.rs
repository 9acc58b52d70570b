//! What is wrong with a pod, by its own status.

use serde_json::Value;
use underpin_model::{Object, wording};

use super::help;
use crate::condition::{Condition, condition, joined};

/// What keeps a pod from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In plain words, the reason that Kubernetes gives first.
    pub cause: String,
    /// The same without the words of the runtime, where it has such: they may quote a command with
    /// the values of its arguments.
    brief: Option<String>,
    /// What the container itself wrote as it ended: it may hold anything.
    pub said: Option<String>,
    /// The way out, where one is known.
    pub help: Option<String>,
    /// The container whose log may tell more.
    pub culprit: Option<Culprit>,
    /// The field of the pod's template that it is about.
    pub field: Option<TemplateField>,
    /// How telling it is; of several troubles the most telling is reported.
    pub(crate) weight: Weight,
}

impl Trouble {
    /// The cause, where no secret that it might quote could be hidden.
    pub fn brief(&self) -> &str {
        self.brief.as_deref().unwrap_or(&self.cause)
    }

    /// Whether it tells more of a cause than another.
    pub(crate) fn is_more_telling_than(&self, other: &Self) -> bool {
        self.weight > other.weight
    }
}

/// A container of a pod's template, or its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateField {
    /// The container's name.
    pub container: String,
    /// Whether its image is meant.
    pub image: bool,
}

/// A container whose log may tell more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Its name.
    pub container: String,
    /// Whether it has been started anew, so that its former instance's log tells.
    pub previous: bool,
}

/// How telling a trouble is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// It has yet to start: an event may say what it waits for.
    Starting,
    /// It runs and is not ready: an event may say what its probes find.
    Unready,
    /// Something outside holds it back.
    Held,
    /// No node takes it.
    Unscheduled,
    /// It was ended from outside.
    Ended,
    /// A container has crashed.
    Crashed,
    /// A container cannot be made.
    Unmade,
    /// An image cannot be had.
    Image,
}

/// Reasons of waiting that are about the image.
const IMAGE_REASONS: &[&str] = &[
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];
/// Reasons of waiting that only say that it takes a moment.
const STARTING_REASONS: &[&str] = &["", "ContainerCreating", "PodInitializing"];

/// Reasons of an end whose message is the runtime's, not the container's own.
const RUNTIME_REASONS: &[&str] = &["ContainerCannotRun", "ContainerStatusUnknown", "StartError"];

/// What keeps a pod from being ready, if anything does and its status says so.
pub fn pod_trouble(pod: &Object) -> Option<Trouble> {
    if pod.text("/status/phase") == Some("Succeeded") {
        return None;
    }
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| {
            let initial = list == "initContainerStatuses";
            let found = pod.value.get("status").and_then(|status| status.get(list));
            let found = found.and_then(Value::as_array).into_iter().flatten();
            found.map(move |status| Container { status, initial })
        });
    let by_container = statuses.filter_map(|container| container.trouble(pod));
    let all = unscheduled(pod)
        .into_iter()
        .chain(ended_from_outside(pod))
        .chain(by_container)
        .chain(held_by_gates(pod));
    // The first of equally telling ones: containers start in order.
    all.reduce(|best, next| {
        if next.weight > best.weight {
            next
        } else {
            best
        }
    })
}

fn unscheduled(pod: &Object) -> Option<Trouble> {
    let refused = condition(pod, "PodScheduled").filter(Condition::is_false)?;
    let (weight, cause) = if refused.reason == "SchedulingGated" {
        (
            Weight::Held,
            "SchedulingGated: its scheduling gates hold it back".to_owned(),
        )
    } else {
        // What evicting others would help is of no use to whoever reads this.
        let text = refused.text();
        let told = text.split(" preemption: ").next().unwrap_or(&text);
        (Weight::Unscheduled, told.trim_end_matches('.').to_owned())
    };
    Some(Trouble {
        help: help::of_scheduling(&cause),
        cause,
        culprit: None,
        field: None,
        said: None,
        brief: None,
        weight,
    })
}

/// Evicted, past its deadline, on a node that is lost.
fn ended_from_outside(pod: &Object) -> Option<Trouble> {
    let reason = pod
        .text("/status/reason")
        .filter(|reason| !reason.is_empty())?;
    let message = pod.text("/status/message").unwrap_or_default();
    Some(Trouble {
        cause: joined(reason, message),
        help: None,
        culprit: None,
        field: None,
        said: None,
        brief: None,
        weight: Weight::Ended,
    })
}

/// Readiness gates are conditions that somebody else sets.
fn held_by_gates(pod: &Object) -> Option<Trouble> {
    let ready = condition(pod, "Ready").filter(|ready| ready.reason == "ReadinessGatesNotReady")?;
    Some(Trouble {
        cause: ready.text(),
        help: None,
        culprit: None,
        field: None,
        said: None,
        brief: None,
        weight: Weight::Held,
    })
}

/// The status of one container.
struct Container<'o> {
    status: &'o Value,
    initial: bool,
}

impl<'o> Container<'o> {
    fn text(&self, pointer: &str) -> &'o str {
        let found = self.status.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        self.status.pointer(pointer).and_then(Value::as_i64)
    }

    fn name(&self) -> &'o str {
        self.text("/name")
    }

    /// `container web`, `init container migrate`.
    fn label(&self) -> String {
        let kind = if self.initial {
            "init container"
        } else {
            "container"
        };
        format!("{kind} {}", self.name())
    }

    fn culprit(&self, previous: bool) -> Culprit {
        Culprit {
            container: self.name().to_owned(),
            previous,
        }
    }

    fn field(&self, image: bool) -> TemplateField {
        TemplateField {
            container: self.name().to_owned(),
            image,
        }
    }

    fn trouble(&self, pod: &Object) -> Option<Trouble> {
        if self.status.pointer("/state/waiting").is_some() {
            return Some(self.waiting(pod));
        }
        if let Some(ended) = self.status.pointer("/state/terminated") {
            let well = ended.get("exitCode").and_then(Value::as_i64) == Some(0);
            return (!well).then(|| self.crashed("/state/terminated", pod, false));
        }
        let ready = self.status.get("ready").and_then(Value::as_bool);
        let running = self.status.pointer("/state/running").is_some();
        if !running || ready != Some(false) {
            return None;
        }
        let restarted = self.number("/restartCount").unwrap_or(0) > 0
            && self.status.pointer("/lastState/terminated").is_some();
        if restarted {
            return Some(self.crashed("/lastState/terminated", pod, true));
        }
        if self.initial {
            return Some(Trouble {
                cause: format!("{} has not ended yet", self.label()),
                help: None,
                culprit: Some(self.culprit(false)),
                field: Some(self.field(false)),
                said: None,
                brief: None,
                weight: Weight::Unready,
            });
        }
        let starting = self.status.get("started").and_then(Value::as_bool) == Some(false);
        let what = if starting {
            "runs, and its startup probe has not succeeded yet"
        } else {
            "runs and is not ready"
        };
        Some(Trouble {
            cause: format!("{} {what}", self.label()),
            help: None,
            culprit: Some(self.culprit(false)),
            field: Some(self.field(false)),
            said: None,
            brief: None,
            weight: Weight::Unready,
        })
    }

    fn waiting(&self, pod: &Object) -> Trouble {
        let reason = self.text("/state/waiting/reason");
        let message = self.text("/state/waiting/message");
        if reason == "CrashLoopBackOff" {
            let mut crashed = self.crashed("/lastState/terminated", pod, true);
            crashed.cause = joined(reason, &crashed.cause);
            crashed.brief = crashed.brief.map(|brief| joined(reason, &brief));
            return crashed;
        }
        if IMAGE_REASONS.contains(&reason) {
            let image = self.image(pod);
            let lack = help::image_lack(message);
            let mut cause = format!("{reason}: image {image} of {} {lack}", self.label());
            if !message.is_empty() && !message.starts_with("Back-off pulling image") {
                cause = format!("{cause}: {message}");
            }
            return Trouble {
                help: Some(help::of_image(message)),
                cause,
                culprit: None,
                field: Some(self.field(true)),
                said: None,
                brief: None,
                weight: Weight::Image,
            };
        }
        if STARTING_REASONS.contains(&reason) {
            return Trouble {
                cause: joined(reason, &format!("{} has not started", self.label())),
                help: None,
                culprit: None,
                field: Some(self.field(false)),
                said: None,
                brief: None,
                weight: Weight::Starting,
            };
        }
        let brief = format!("{reason}: {} cannot be made", self.label());
        let cause = match message {
            "" => brief.clone(),
            message => format!("{reason}: {message} ({})", self.label()),
        };
        Trouble {
            help: help::of_making(message),
            cause,
            culprit: None,
            field: Some(self.field(false)),
            said: None,
            brief: Some(brief),
            weight: Weight::Unmade,
        }
    }

    /// The image as the pod's spec names it; the status may name it by digest.
    fn image(&self, pod: &'o Object) -> &'o str {
        let lists = ["/spec/initContainers", "/spec/containers"];
        let declared = lists
            .iter()
            .filter_map(|list| pod.at(list)?.as_array())
            .flatten()
            .find(|container| container.get("name").and_then(Value::as_str) == Some(self.name()))
            .and_then(|container| container.get("image")?.as_str());
        declared.unwrap_or_else(|| self.text("/image"))
    }

    /// What a container that has ended says; `previous` if another instance has taken its place.
    fn crashed(&self, at: &str, pod: &Object, previous: bool) -> Trouble {
        let reason = self.text(&format!("{at}/reason"));
        let message = self.text(&format!("{at}/message"));
        let code = self.number(&format!("{at}/exitCode"));
        let signal = self
            .number(&format!("{at}/signal"))
            .filter(|signal| *signal != 0);
        let limit = self.memory_limit(pod);
        let mut cause = format!(
            "{} {}",
            self.label(),
            help::ending(reason, code, signal, limit)
        );
        let restarts = self.number("/restartCount").unwrap_or(0);
        if restarts > 0 {
            let restarts = wording::count(restarts, "restart");
            cause = format!("{cause}, {restarts}");
        }
        let by_runtime = RUNTIME_REASONS.contains(&reason);
        let brief = by_runtime.then(|| cause.clone());
        if by_runtime && !message.is_empty() {
            cause = format!("{cause}: {message}");
        }
        Trouble {
            cause,
            said: Some(message.to_owned()).filter(|text| !by_runtime && !text.is_empty()),
            help: help::of_ending(reason, code),
            culprit: Some(self.culprit(previous && restarts > 0)),
            field: Some(self.field(false)),
            brief,
            weight: Weight::Crashed,
        }
    }

    fn memory_limit(&self, pod: &'o Object) -> Option<&'o str> {
        let containers = pod.at("/spec/containers")?.as_array()?;
        let own = containers
            .iter()
            .find(|container| container.get("name").and_then(Value::as_str) == Some(self.name()))?;
        own.pointer("/resources/limits/memory")?.as_str()
    }
}
