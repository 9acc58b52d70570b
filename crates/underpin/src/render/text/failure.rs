//! What went wrong, the cause first, then what bears it out.

use underpin_deploy::{Failure, NotReady};
use underpin_readiness::diagnosis::EventReport;

use crate::render::style;

/// One failure.
pub(super) fn failure(failure: &Failure) -> String {
    let mut text = format!(
        "{} {}: {}\n",
        style::error("failed:"),
        failure.key,
        failure.message
    );
    if let Some(place) = &failure.place {
        text.push_str(&format!("    at {place}\n"));
    }
    if let Some(not_ready) = &failure.not_ready {
        for line in evidence(failure, not_ready) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

fn evidence(failure: &Failure, not_ready: &NotReady) -> Vec<String> {
    let diagnosis = &not_ready.diagnosis;
    let mut lines = Vec::new();
    if not_ready.state != failure.message {
        lines.push(not_ready.state.clone());
    }
    for pod in &diagnosis.pods {
        // What the cause says already is not said again.
        lines.push(if failure.message.starts_with(&pod.trouble) {
            format!("pod {}", pod.name)
        } else {
            format!("pod {}: {}", pod.name, pod.trouble)
        });
        lines.extend(pod.said.iter().map(|said| format!("  it said: {said}")));
    }
    if diagnosis.more_pods > 0 {
        let pods = if diagnosis.more_pods == 1 {
            "pod"
        } else {
            "pods"
        };
        lines.push(format!("and {} more {pods}", diagnosis.more_pods));
    }
    let news = |event: &&EventReport| !failure.message.contains(&event.message);
    for event in diagnosis.events.iter().filter(news) {
        let times = match event.count {
            1 => String::new(),
            count => format!(" ({count} times)"),
        };
        let (about, reason, message) = (&event.about, &event.reason, &event.message);
        lines.push(format!("event of {about}: {reason}{times}: {message}"));
    }
    if let Some(log) = &diagnosis.log {
        let former = if log.previous {
            ", before it was restarted"
        } else {
            ""
        };
        let (pod, container) = (&log.pod, &log.container);
        lines.push(format!("log of pod {pod}, container {container}{former}:"));
        lines.extend(log.lines.iter().map(|line| format!("  | {line}")));
    }
    lines.extend(
        diagnosis
            .unread
            .iter()
            .map(|what| format!("could not be read: {what}")),
    );
    lines.extend(diagnosis.help.iter().map(|help| format!("help: {help}")));
    lines
}
