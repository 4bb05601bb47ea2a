//! `metrics`: the queue, for Prometheus.

use std::io;

use clap::Args;
use pgqueuer::metrics::Metrics;

use crate::{
    connection::{Database, IfRefused},
    exit::Failure,
    metrics_server::{MetricsServer, TokenArgs},
    output::Output,
};

/// Prints the metrics of the queue, as Prometheus reads them; or serves them.
///
/// What workers measure of themselves, they serve themselves: `worker --metrics`.
#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// Serve them at this address, under /metrics, until SIGINT or SIGTERM: 127.0.0.1:9464.
    ///
    /// Also while the database is away: then `pgqueuer_up` is 0.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    #[command(flatten)]
    token: TokenArgs,
}

pub(crate) async fn run(
    database: Database,
    args: MetricsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if let Some(address) = args.listen {
        let server = MetricsServer::bind(&address, args.token).await?;
        let told = told_to_stop()?;
        return server.serve_while(database.queue(), told).await;
    }
    let pgq = database.connect(IfRefused::GiveUp).await?;
    // It says what is wrong, where metrics only say that something is.
    pgq.verify().await?;
    output.text(&Metrics::new(&pgq).render().await)
}

/// Waits for the signal that a worker stops at, too.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate())?
    };
    #[cfg(windows)]
    let mut terminate = tokio::signal::windows::ctrl_break()?;
    Ok(async move {
        tokio::select! {
            // It fails only if it cannot listen, and then there is nothing to wait for.
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    })
}
