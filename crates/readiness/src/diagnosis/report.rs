//! The cause of what is not ready, and what bears it out.

use underpin_model::{Mask, Object};

use super::{
    Culprit, EventReport, Family, Log, TemplateField, Trouble, event::warnings, help, log::shown,
    pod::Weight, pod_trouble,
};
use crate::{State, condition::joined, kinds::PODS_UNMADE};

/// Characters that are shown of a message; schedulers are verbose.
const MESSAGE_LIMIT: usize = 600;
/// Pods that are told of one by one.
pub const MAX_PODS: usize = 3;

/// Why an object is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Diagnosis {
    /// In plain words.
    pub cause: String,
    /// The way out, where one is known.
    pub help: Option<String>,
    /// The field of the pods' template that the cause is about.
    pub field: Option<TemplateField>,
    /// Pods that are not well, at most [`MAX_PODS`].
    pub pods: Vec<PodReport>,
    /// How many further ones there are.
    pub more_pods: usize,
    /// Warnings, the newest first.
    pub events: Vec<EventReport>,
    /// The end of the log that may tell more.
    pub log: Option<Log>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// What is wrong with one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodReport {
    /// Its name.
    pub name: String,
    /// In plain words.
    pub trouble: String,
    /// What the container itself wrote as it ended.
    pub said: Option<String>,
    /// The container whose log may tell more.
    pub culprit: Option<Culprit>,
}

/// Whether texts that containers wrote may be shown: only if the values are known that they must
/// not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// They may, masked.
    Shown,
    /// They may not.
    Withheld,
}

/// Finds the cause of what is not ready in the object's own state, its newest pods and the events
/// about any of them.
pub fn diagnose(state: &State, family: &Family<'_>, events: &[Object], texts: Texts) -> Diagnosis {
    let namespace = events.first().and_then(|event| event.key.namespace.clone());
    let mut events = warnings(events);
    if texts == Texts::Withheld {
        events.iter_mut().for_each(EventReport::withhold);
    }
    let mut troubled: Vec<(&Object, Trouble)> = family
        .pods
        .iter()
        .filter_map(|pod| Some((*pod, pod_trouble(pod)?)))
        .collect();
    // The most telling first; of those, by name.
    troubled.sort_by_key(|(_, trouble)| std::cmp::Reverse(trouble.weight));
    learn_of_images(&mut troubled, &events);
    let (cause, help) = cause(
        state,
        &troubled,
        family.pods.len(),
        &events,
        namespace.as_deref(),
    );
    let field = troubled.first().and_then(|(_, worst)| worst.field.clone());
    let more_pods = troubled.len().saturating_sub(MAX_PODS);
    let pods = troubled.into_iter().take(MAX_PODS);
    let pods = pods.map(|(pod, trouble)| PodReport {
        name: pod.key.name.clone(),
        trouble: trouble.cause,
        said: trouble.said.filter(|_| texts == Texts::Shown),
        culprit: trouble.culprit,
    });
    Diagnosis {
        cause,
        help,
        field,
        pods: pods.collect(),
        more_pods,
        events,
        log: None,
        unread: Vec::new(),
    }
}

/// Reasons of events that say why a pod does not start, where its status does not.
const OF_STARTING: &[&str] = &[
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
    "FailedCreatePodContainer",
    "NetworkNotReady",
    "Failed",
];
/// Reasons of events that say why a pod is not ready, where its status does not.
const OF_UNREADY: &[&str] = &["Unhealthy", "ProbeWarning", "BackOff"];
/// Reasons of events that say why there is no pod, or no volume.
const OF_MAKING: &[&str] = &[
    "FailedCreate",
    "FailedScheduling",
    "ProvisioningFailed",
    "FailedBinding",
    "BackoffLimitExceeded",
    "DeadlineExceeded",
];

fn cause(
    state: &State,
    troubled: &[(&Object, Trouble)],
    pods: usize,
    events: &[EventReport],
    namespace: Option<&str>,
) -> (String, Option<String>) {
    let told = |reasons: &[&str], pod: Option<&Object>| {
        let found = events.iter().find(|event| {
            reasons.contains(&event.reason.as_str())
                && pod.is_none_or(|pod| event.is_about_pod(&pod.key.name))
        })?;
        let cause = joined(&found.reason, &found.message);
        let help = help::of_event(&found.reason, &found.message, namespace);
        Some((cause, help))
    };
    let Some((pod, worst)) = troubled.first() else {
        return told(OF_MAKING, None).unwrap_or_else(|| (state.to_string(), None));
    };
    let by_event = match worst.weight {
        Weight::Starting => told(OF_STARTING, Some(pod)),
        Weight::Unready => told(OF_UNREADY, Some(pod)),
        _ => None,
    };
    let (mut cause, help) = by_event.unwrap_or_else(|| (worst.cause.clone(), worst.help.clone()));
    let alike = troubled
        .iter()
        .filter(|(_, other)| other.weight == worst.weight)
        .count();
    if pods > 1 {
        cause = format!("{cause} ({alike} of {pods} pods)");
    }
    (cause, help)
}

/// Says why images cannot be pulled, where the kubelet waits before it tries again: only the event
/// of the last attempt tells, and only of the pod that it is about.
fn learn_of_images(troubled: &mut [(&Object, Trouble)], events: &[EventReport]) {
    for (pod, trouble) in troubled {
        let attempt = events.iter().find(|event| {
            event.reason == "Failed"
                && event.message.contains("pull image")
                && event.is_about_pod(&pod.key.name)
        });
        let Some(attempt) = attempt else {
            continue;
        };
        if let Some(subject) = trouble.cause.strip_suffix(help::UNPULLABLE) {
            trouble.cause = format!("{subject}{}", help::image_lack(&attempt.message));
            trouble.help = Some(help::of_image(&attempt.message));
        }
    }
}

impl Diagnosis {
    /// What an object says of itself, without why its pods cannot be made where that is the cause
    /// anyway.
    pub fn beside<'s>(&self, state: &'s str) -> &'s str {
        match state.split_once(PODS_UNMADE) {
            Some((before, _)) if self.cause.starts_with("FailedCreate") => before,
            _ => state,
        }
    }

    /// The pod and container whose log may tell more.
    pub fn culprit(&self) -> Option<(&str, &Culprit)> {
        let pod = self.pods.first()?;
        Some((&pod.name, pod.culprit.as_ref()?))
    }

    /// The same without values that the mask knows, and without what a terminal would act on. The
    /// log was masked when it was cut.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        let clean = |text: String| shown(&mask.apply(&text), MESSAGE_LIMIT);
        Self {
            cause: clean(self.cause),
            help: self.help,
            pods: self
                .pods
                .into_iter()
                .map(|pod| PodReport {
                    trouble: clean(pod.trouble),
                    said: pod.said.map(clean),
                    ..pod
                })
                .collect(),
            events: self
                .events
                .into_iter()
                .map(|event| EventReport {
                    message: clean(event.message),
                    ..event
                })
                .collect(),
            unread: self.unread.into_iter().map(clean).collect(),
            ..self
        }
    }
}
