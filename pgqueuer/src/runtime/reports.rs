//! What a worker says of itself now and then, for those who look.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::warn;

use super::{SHORT_CALL, in_time, session::Sessions, spread};
use crate::{
    error::Chain,
    store::{Store, WorkerReport},
};

/// How often: so that what is shown is right within seconds.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// How often, if nothing has changed: a standby that was promoted may not have the last one.
const REPEAT_EVERY: Duration = Duration::from_secs(30);

/// Says how much it runs, when that has changed. Runs until it is aborted.
pub(super) async fn run(store: Arc<dyn Store>, sessions: Sessions, concurrency: usize) {
    let concurrency = u32::try_from(concurrency).unwrap_or(u32::MAX);
    let mut said = None;
    let mut said_at = Instant::now();
    loop {
        let session = sessions.current();
        let report = WorkerReport {
            concurrency,
            running: session.held_by_kind(),
            fronts: session.fronts.list(),
        };
        let is_news = said.as_ref() != Some(&(session.id, report.clone()));
        if is_news || said_at.elapsed() > REPEAT_EVERY {
            match in_time(SHORT_CALL, store.report(session.id, &report)).await {
                Ok(()) => (said, said_at) = (Some((session.id, report)), Instant::now()),
                Err(error) => {
                    warn!(error = %Chain(&error), "failed to report what the worker does");
                }
            }
        }
        tokio::time::sleep(spread(REPORT_EVERY, 0.2)).await;
    }
}
