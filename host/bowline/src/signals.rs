//! Ctrl-C and SIGTERM: the first asks the run to stop, the second ends the program.

use crate::output::Output;
use tokio_util::sync::CancellationToken;

/// Cancels `stop` at the first signal. Comes back at the second: the caller then gives up
/// waiting, and what was recorded stays.
pub(crate) async fn watch(stop: &CancellationToken, output: &Output) {
    interrupted().await;
    output.note("stopping; once more to stop at once");
    stop.cancel();
    interrupted().await;
}

/// Comes with the next Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
