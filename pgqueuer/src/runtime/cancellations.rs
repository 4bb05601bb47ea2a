//! Cancellations: what somebody has decided about jobs that run here.
//!
//! The bell tells that there are some, whether the worker sleeps or not; which they are is asked of
//! the store. Who hears no bell asks every second, while something runs.

use std::{sync::Arc, time::Duration};

use tracing::{debug, warn};

use super::{
    Patience, SHORT_CALL, attempt::Attempts, in_time, session::Sessions, wakeups::Wakeups,
};
use crate::{error::Chain, store::Store};

/// How often to ask without being told: a notification can be lost, and with a pooler there is none.
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_EVERY_WITHOUT_BELL: Duration = Duration::from_secs(1);

/// The shortest time between two questions, however often the bell rings.
const BETWEEN: Duration = Duration::from_millis(50);

/// Passes cancellations on to the attempts. Runs until it is aborted.
pub(super) async fn run(
    store: Arc<dyn Store>,
    sessions: Sessions,
    attempts: Attempts,
    mut wakeups: Wakeups,
) {
    let every = match wakeups.listens() {
        true => ASK_EVERY,
        false => ASK_EVERY_WITHOUT_BELL,
    };
    let mut patience = Patience::default();
    loop {
        wakeups.cancelled_within(every).await;
        if attempts.running() == 0 {
            continue;
        }
        let session = sessions.current();
        match in_time(SHORT_CALL, store.cancelled(session.id)).await {
            Ok(cancelled) => {
                patience.reset();
                for (key, reason) in cancelled {
                    if session.cancel(key, reason) {
                        debug!(job.id = %key.id, "told to cancel a job that runs");
                    }
                }
                tokio::time::sleep(BETWEEN).await;
            }
            Err(error) => {
                warn!(error = %Chain(&error), "failed to look for cancelled jobs");
                tokio::time::sleep(patience.next_wait()).await;
            }
        }
    }
}
