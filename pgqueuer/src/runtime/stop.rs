//! When a worker stops.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};

/// The two steps of a stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// Claim nothing more; let running jobs finish.
    pub(crate) graceful: CancellationToken,
    /// Do not wait for running jobs.
    pub(crate) now: CancellationToken,
}

impl Stop {
    pub(crate) fn never() -> Self {
        Self {
            graceful: CancellationToken::new(),
            now: CancellationToken::new(),
        }
    }

    pub(crate) fn when(condition: impl Future<Output = ()> + Send + 'static) -> Self {
        let stop = Self::never();
        let graceful = stop.graceful.clone();
        tokio::spawn(async move {
            let done = graceful.clone();
            tokio::select! {
                () = condition => graceful.cancel(),
                // A worker that failed to start leaves nobody to be told.
                () = done.cancelled() => {}
            }
        });
        stop
    }

    /// At the first signal gracefully, at the second now.
    pub(crate) fn on_signals() -> Result<Self> {
        let mut signals = Signals::new().map_err(|error| {
            Error::new(ErrorKind::Config, "failed to listen for signals").because(error)
        })?;
        let stop = Self::never();
        let tokens = stop.clone();
        tokio::spawn(async move {
            signals.next().await;
            tokens.graceful.cancel();
            signals.next().await;
            tokens.now.cancel();
        });
        Ok(stop)
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            terminate: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}
