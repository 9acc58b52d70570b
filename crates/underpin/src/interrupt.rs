//! Ctrl-C and SIGTERM: the first ends the run between two requests, the second ends the program.

use tokio::sync::watch;

use crate::output;

/// Turns signals into a flag. The second signal ends the process at once: nothing is lost, for the
/// next run continues.
pub(crate) fn flag() -> watch::Receiver<bool> {
    flag_of("stopping after the requests in flight; run again to continue (again to quit at once)")
}

/// The same with other words.
pub(crate) fn flag_of(words: &'static str) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        output::message(words);
        let _ = sender.send(true);
        signal().await;
        quit();
    });
    receiver
}

/// What asks the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C; at a terminal it reaches every program of the group by itself.
    Interrupt,
    /// SIGTERM; it reaches this program alone.
    Terminate,
}

/// Ends at the first signal, from the moment on when this is called.
pub(crate) fn stopped() -> impl Future<Output = Signal> {
    let stopped = tokio::spawn(signal());
    // It neither panics nor is aborted.
    async { stopped.await.unwrap_or(Signal::Terminate) }
}

#[expect(
    clippy::exit,
    reason = "the user asked twice; waiting for tasks is what they do not want"
)]
fn quit() {
    std::process::exit(i32::from(crate::Exit::Stopped.code()));
}

#[cfg(unix)]
async fn signal() -> Signal {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Signal::Interrupt,
        () = terminate => Signal::Terminate,
    }
}

#[cfg(not(unix))]
async fn signal() -> Signal {
    let _ = tokio::signal::ctrl_c().await;
    Signal::Interrupt
}
