//! Progress on standard error: plain lines as things happen, and on a terminal, below them, how far
//! the wait is.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use underpin_deploy::{Event, Observer, Readiness, StepResult, WaveReadiness};
use underpin_model::{ObjectKey, wording};

use crate::output::{self, Format};

/// Objects that are told of below the messages; of more, only how many they are.
const LIVE_OBJECTS: usize = 8;

/// Prints progress. The result of a command is elsewhere, whatever its format.
pub(crate) struct Progress {
    /// Whether lines may be drawn anew.
    live: bool,
    told: Mutex<Told>,
}

/// What has been said, so that it is not said again.
#[derive(Default)]
struct Told {
    waiting: bool,
    /// The cause told last of each object, without its numbers.
    causes: BTreeMap<ObjectKey, String>,
}

impl Progress {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            live: format == Format::Text && output::is_live(),
            told: Mutex::default(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readiness(&self, readiness: &Readiness) {
        if self.live {
            output::live(&headline(readiness), &details(readiness));
            return;
        }
        for line in self.told().news(readiness) {
            output::message(&line);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live {
            output::live("", &[]);
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        let line = match event {
            // Reading and asking take a moment and say nothing of interest.
            Event::Reading | Event::DryRuns(_) => return,
            Event::Readiness(readiness) => return self.readiness(&readiness),
            Event::Waited => {
                if self.live {
                    output::live("", &[]);
                }
                return;
            }
            Event::LockHeld(lock) => {
                format!("locked by {} since {}; waiting", lock.who, lock.acquired)
            }
            Event::Wave { number, of, steps } => {
                format!("wave {number} of {of}: {}", wording::count(steps, "object"))
            }
            Event::Step {
                action,
                key,
                result,
            } => format!("  {}", step(action, &key.to_string(), &result)),
            Event::Waiting(what) => format!("waiting: {what}"),
            Event::Ready(key) => format!("  ready {key}"),
            Event::NotReady { key, why } => format!("  NOT READY {key}: {why}"),
            Event::Note(text) => format!("note: {text}"),
        };
        output::message(&line);
    }
}

impl Told {
    /// What is new, for a place where nothing can be drawn anew: only of what takes long, and not
    /// each time that a count goes up or down.
    fn news(&mut self, readiness: &Readiness) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.waiting {
            self.waiting = true;
            lines.push(format!(
                "waiting for {} to be ready",
                wording::count(readiness.pending.len(), "object")
            ));
        }
        for pending in readiness.pending.iter().filter(|pending| pending.late) {
            let gist: String = pending
                .why
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .collect();
            if self.causes.get(&pending.key) != Some(&gist) {
                lines.push(format!("  {}: {}", pending.key, pending.why));
                self.causes.insert(pending.key.clone(), gist);
            }
        }
        lines
    }
}

/// `waiting: 4 of 7 ready; wave 2: 1 of 3, wave 3: 3 of 4`.
fn headline(readiness: &Readiness) -> String {
    let sum = |count: fn(&WaveReadiness) -> usize| readiness.waves.iter().map(count).sum::<usize>();
    let all = format!(
        "waiting: {} of {} ready",
        sum(|it| it.ready),
        sum(|it| it.of)
    );
    if readiness.waves.len() < 2 {
        return all;
    }
    let waves = readiness.waves.iter().map(|wave| {
        let name = match wave.number {
            0 => "unchanged".to_owned(),
            number => format!("wave {number}"),
        };
        format!("{name}: {} of {}", wave.ready, wave.of)
    });
    format!("{all}; {}", waves.collect::<Vec<_>>().join(", "))
}

fn details(readiness: &Readiness) -> Vec<String> {
    let shown = readiness.pending.iter().take(LIVE_OBJECTS);
    let mut lines: Vec<String> = shown
        .map(|pending| format!("  {}: {}", pending.key, pending.why))
        .collect();
    let more = readiness.pending.len().saturating_sub(LIVE_OBJECTS);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
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

#[cfg(test)]
mod tests {
    use underpin_deploy::Pending;
    use underpin_model::GroupKind;

    use super::*;

    fn pending(name: &str, why: &str) -> Pending {
        Pending {
            key: ObjectKey::namespaced(GroupKind::new("apps", "Deployment"), "shop", name),
            why: why.to_owned(),
            late: true,
        }
    }

    fn wave(number: usize, ready: usize, of: usize) -> WaveReadiness {
        WaveReadiness { number, ready, of }
    }

    #[track_caller]
    fn check_news(told: &mut Told, pending: Vec<Pending>, expect: &[&str]) {
        let readiness = Readiness {
            waves: vec![wave(1, 0, pending.len())],
            pending,
        };
        assert_eq!(told.news(&readiness), expect);
    }

    #[test]
    fn in_a_pipe_only_what_is_new_is_told() {
        let mut told = Told::default();
        let early = Pending {
            late: false,
            ..pending("web", "0 of 3 pods available")
        };
        check_news(
            &mut told,
            vec![early],
            &["waiting for 1 object to be ready"],
        );
        check_news(
            &mut told,
            vec![pending("web", "0 of 3 pods available")],
            &["  deployment.apps/shop/web: 0 of 3 pods available"],
        );
        check_news(
            &mut told,
            vec![pending("web", "2 of 3 pods available")],
            &[],
        );
        let crash = "2 of 3 pods available: container web exited with code 1, 4 restarts";
        let line = format!("  deployment.apps/shop/web: {crash}");
        check_news(&mut told, vec![pending("web", crash)], &[&line]);
        check_news(
            &mut told,
            vec![pending("web", &crash.replace('4', "5"))],
            &[],
        );
    }

    #[test]
    fn on_a_terminal_each_wave_is_told_and_few_objects() {
        let many = (0..10).map(|n| pending(&format!("web{n}"), "0 of 1 pods available"));
        let readiness = Readiness {
            waves: vec![wave(2, 1, 3), wave(3, 3, 4)],
            pending: many.collect(),
        };
        assert_eq!(
            headline(&readiness),
            "waiting: 4 of 7 ready; wave 2: 1 of 3, wave 3: 3 of 4"
        );
        let details = details(&readiness);
        assert_eq!(details.len(), LIVE_OBJECTS + 1);
        assert_eq!(details[LIVE_OBJECTS], "  and 2 more");
    }
}
