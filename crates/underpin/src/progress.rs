//! Progress: plain lines on standard error, as things happen.

use underpin_deploy::{Event, Observer, StepResult};

use crate::output::{self, Format};

/// Prints progress for people; silent when the output is for programs.
pub(crate) struct Progress {
    format: Format,
}

impl Progress {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        if self.format == Format::Json {
            return;
        }
        let line = match event {
            // Reading and asking take a moment and say nothing of interest.
            Event::Reading | Event::DryRuns(_) => return,
            Event::LockHeld(lock) => {
                format!("locked by {} since {}; waiting", lock.who, lock.acquired)
            }
            Event::Wave { number, of, steps } => {
                format!(
                    "wave {number} of {of}: {steps} object{}",
                    if steps == 1 { "" } else { "s" }
                )
            }
            Event::Step {
                action,
                key,
                result,
            } => format!("  {}", step(action, &key.to_string(), &result)),
            Event::Waiting(what) => format!("waiting: {what}"),
            Event::Note(text) => format!("note: {text}"),
        };
        output::message(&line);
    }
}

fn step(action: &str, key: &str, result: &StepResult) -> String {
    match result {
        StepResult::Done => format!("{} {key}", past(action)),
        StepResult::AlreadyDone => format!("{} {key} (already)", past(action)),
        StepResult::Terminating(held) => format!("deleting {key}, held by {held}"),
        StepResult::Kept(why) => format!("kept {key}: {why}"),
        StepResult::Failed(why) => format!("FAILED to {action} {key}: {why}"),
        StepResult::Skipped(why) => format!("skipped {key}: {why}"),
    }
}

fn past(action: &str) -> &'static str {
    match action {
        "create" => "created",
        "update" => "updated",
        "replace" => "replaced",
        "delete" => "deleted",
        "adopt" => "adopted",
        _ => "kept",
    }
}
