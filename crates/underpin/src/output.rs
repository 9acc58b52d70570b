//! The only place that writes: results to standard output, everything else to standard error.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Where a command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document with a versioned schema.
    Json,
}

/// Writes a result. A closed pipe is no error: whoever read it has seen enough.
pub(crate) fn result(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a result piece by piece, as it is found out: it may be larger than what is good to hold.
pub(crate) fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a message. There is nobody to tell when standard error is closed.
pub(crate) fn message(text: &str) {
    above_live(|| {
        let mut err = anstream::stderr().lock();
        let _ = writeln!(err, "{text}");
    });
}

/// The lines below all messages that are drawn anew as things change, while there are any.
static LIVE: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// Between two drawings: time goes on even when nothing else does.
const LIVE_TICK: Duration = Duration::from_secs(1);

/// Whether lines can be drawn anew: on a terminal that is not one by name only.
pub(crate) fn is_live() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Draws these lines below all messages, in place of those before; none takes them away. Only for
/// a terminal, see [`is_live`].
pub(crate) fn live(headline: &str, details: &[String]) {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    if headline.is_empty() {
        if let Some(bar) = live.take() {
            bar.finish_and_clear();
        }
        return;
    }
    let bar = live.get_or_insert_with(|| {
        let bar = ProgressBar::new_spinner();
        // The template is fixed; what it shows by default would do as well.
        if let Ok(style) = ProgressStyle::with_template("{prefix} ({elapsed}){msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(LIVE_TICK);
        bar
    });
    bar.set_prefix(headline.to_owned());
    let details: String = details.iter().map(|line| format!("\n{line}")).collect();
    bar.set_message(details);
}

/// Writes with the drawn lines out of the way.
fn above_live(write: impl FnOnce()) {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    match &*live {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Asks a yes-or-no question on the terminal; no answer is no. `None` without a terminal.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{question} Only `yes` is taken as consent: ");
    let _ = err.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok()?;
    Some(answer.trim() == "yes")
}
