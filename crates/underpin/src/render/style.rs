//! Colours, sparingly: actions, severities and headings. `anstream` drops them in a pipe.

use anstyle::{AnsiColor, Style};
use underpin_connect::Verdict;
use underpin_model::{Action, Severity};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const GREEN: Style = AnsiColor::Green.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();

pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

pub(crate) fn error(text: &str) -> String {
    paint(RED, text)
}

pub(crate) fn note(text: &str) -> String {
    paint(CYAN, text)
}

/// The mark of what is new.
pub(crate) fn added() -> String {
    mark(&Action::Create)
}

/// The mark of what is gone.
pub(crate) fn removed() -> String {
    mark(&Action::Delete)
}

/// The mark of what differs.
pub(crate) fn changed() -> String {
    mark(&Action::Update)
}

/// The mark of an action, one character wide.
pub(crate) fn mark(action: &Action) -> String {
    match action {
        Action::Create => paint(GREEN, "+"),
        Action::Update => paint(YELLOW, "~"),
        Action::Replace => paint(RED, "±"),
        Action::Delete => paint(RED, "-"),
        Action::Adopt => paint(CYAN, "@"),
        Action::Keep(_) => paint(DIM, "="),
    }
}

/// Whether a connection is allowed.
pub(crate) fn verdict(verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Allowed => GREEN,
        Verdict::Refused => RED,
        Verdict::Unknown => YELLOW,
    };
    paint(style, &verdict.to_string())
}

pub(crate) fn severity(severity: Severity, accepted: bool) -> String {
    match severity {
        Severity::Block if accepted => paint(YELLOW, "accepted"),
        Severity::Block => paint(RED, "blocked"),
        Severity::Warn => paint(YELLOW, "warning"),
        Severity::Note => paint(CYAN, "note"),
    }
}
