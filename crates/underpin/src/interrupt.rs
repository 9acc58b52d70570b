//! Ctrl-C and SIGTERM: the first ends the run between two requests, the second ends the program.

use tokio::sync::watch;

use crate::output;

/// Turns signals into a flag. The second signal ends the process at once: nothing is lost, for the
/// next run continues.
pub(crate) fn flag() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal().await;
        output::message(
            "stopping after the requests in flight; run again to continue (again to quit at once)",
        );
        let _ = sender.send(true);
        signal().await;
        quit();
    });
    receiver
}

#[expect(
    clippy::exit,
    reason = "the user asked twice; waiting for tasks is what they do not want"
)]
fn quit() {
    std::process::exit(i32::from(crate::Exit::Stopped.code()));
}

#[cfg(unix)]
async fn signal() {
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
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
