//! The JSON documents: one per command, each with its schema's name. What they hold is in
//! `documents`.

use underpin_deploy::{History, Imported, RevisionComparison, Status};
use underpin_plan::{Environment, Purpose, rules::Rule};

use super::{
    Ended, Judged,
    documents::{
        DiffDocument, DownDocument, ErrorDocument, FrozenDocument, HistoryDocument, ImportDocument,
        NothingRecordedDocument, ResultDocument, RulesDocument, RunDocument, SandboxDocument,
        ShownPlanDocument, StatusDocument, text,
    },
};
use crate::{Exit, commands::sandbox::Running, error::CommandError};

/// A command that failed.
pub(crate) fn error(command: &str, error: &CommandError) -> String {
    text(command, error.exit(), ErrorDocument::from(error))
}

/// A plan.
pub(crate) fn plan<'a>(exit: Exit, judged: impl Into<Judged<'a>>) -> String {
    shown_plan(exit, judged.into(), None)
}

/// A plan that was frozen into a file.
pub(crate) fn frozen_plan<'a>(
    exit: Exit,
    judged: impl Into<Judged<'a>>,
    file: &str,
    covers_secrets: bool,
) -> String {
    let frozen = FrozenDocument {
        file,
        covers_secrets,
    };
    shown_plan(exit, judged.into(), Some(frozen))
}

fn shown_plan(exit: Exit, judged: Judged<'_>, frozen: Option<FrozenDocument<'_>>) -> String {
    let plan = judged.into();
    text("plan", exit, ShownPlanDocument { plan, frozen })
}

/// What was done to an environment, newest first.
pub(crate) fn history(environment: &Environment, history: &History, limit: usize) -> String {
    let document = HistoryDocument::of(environment, history, limit);
    text("history", Exit::Done, document)
}

/// What differs between what two revisions applied.
pub(crate) fn diff(environment: &Environment, compared: &RevisionComparison) -> String {
    text("diff", Exit::Done, DiffDocument::of(environment, compared))
}

/// A teardown of what is not there.
pub(crate) fn nothing_recorded(environment: &Environment) -> String {
    let document = DownDocument::Nothing(NothingRecordedDocument::from(environment));
    text("down", Exit::Done, document)
}

/// A plan and what came of it: of `up` or `down`.
pub(crate) fn outcome(command: &str, exit: Exit, judged: Judged<'_>, ended: Ended<'_>) -> String {
    let document = RunDocument {
        plan: judged.into(),
        result: ResultDocument::of(judged, ended),
    };
    match judged.plan.purpose {
        Purpose::Up => text(command, exit, document),
        Purpose::Down => text(command, exit, DownDocument::Run(Box::new(document))),
    }
}

/// What an import recorded.
pub(crate) fn imported(environment: &Environment, imported: &Imported) -> String {
    let document = ImportDocument::of(environment, imported);
    text("import", Exit::Done, document)
}

/// What is recorded.
pub(crate) fn status(status: &Status) -> String {
    text("status", Exit::Done, StatusDocument::from(status))
}

/// A sandbox that has begun to run.
pub(crate) fn sandbox(running: &Running) -> String {
    text("sandbox", Exit::Done, SandboxDocument::from(running))
}

/// Rules.
pub(crate) fn rules(rules: &[&Rule]) -> String {
    text("explain", Exit::Done, RulesDocument::from(rules))
}
