//! How attempts come to an end that do not end by themselves.

use std::{future::Future, pin::Pin, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Attempts;
use crate::{
    outcome::Outcome,
    runtime::{session::Session, verdict::End},
};

/// How long a handler may go on after it was cancelled, before it is dropped.
pub(in crate::runtime) const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// How long a handler may finish up whose job was cancelled: others do not wait for that.
const FINISH_UP: Duration = Duration::from_secs(30);

impl Attempts {
    /// How long cancelled handlers may take, and their results to find a place in a batch.
    const LAST_WAIT: Duration = Duration::from_secs(3);

    /// Lets a cancelled handler clean up. If it comes to a good end, that counts.
    pub(super) async fn after_cancel(
        &self,
        handler: &mut Pin<Box<impl Future<Output = End>>>,
        cut_off: End,
    ) -> End {
        tokio::select! {
            biased;
            end = handler => match end {
                // It failed because it was cancelled, for all we know.
                End::Outcome(Outcome::Failed(_) | Outcome::Retry(..)) => cut_off,
                finished => finished,
            },
            () = self.drop_now.cancelled() => cut_off,
            () = tokio::time::sleep(CANCEL_GRACE) => cut_off,
        }
    }

    /// Lets the handler of a job that was cancelled come to an end of its own. Whatever that is, the
    /// job is cancelled.
    pub(super) async fn finish_up(
        &self,
        handler: &mut Pin<Box<impl Future<Output = End>>>,
        session: &Session,
        reason: String,
    ) -> End {
        let stopped = async {
            self.cancel.cancelled().await;
            tokio::time::sleep(CANCEL_GRACE).await;
        };
        tokio::select! {
            biased;
            _ = handler => {}
            () = stopped => {}
            () = self.drop_now.cancelled() => {}
            () = session.lost.cancelled() => {}
            () = tokio::time::sleep(FINISH_UP) => {}
        }
        End::Cancelled(reason)
    }

    /// Waits for the running attempts: for the grace period, then cancelled, then dropped.
    pub(in crate::runtime) async fn finish(&self, grace: Duration, now: &CancellationToken) {
        self.running.close();
        let all_done = self.running.wait();
        tokio::pin!(all_done);
        tokio::select! {
            () = &mut all_done => return,
            () = tokio::time::sleep(grace) => {
                warn!(running = self.running(), "the grace period is over; cancelling the rest");
            }
            () = now.cancelled() => {
                warn!(running = self.running(), "told to stop at once; cancelling the rest");
            }
        }
        self.cancel.cancel();
        tokio::select! {
            () = &mut all_done => return,
            () = now.cancelled() => self.drop_now.cancel(),
            () = tokio::time::sleep(Self::LAST_WAIT) => {}
        }
        // A handler that blocks its thread cannot be dropped. Do not wait for it for ever:
        // its session ends, and another worker takes the job.
        if tokio::time::timeout(CANCEL_GRACE, all_done).await.is_err() {
            warn!(
                running = self.running(),
                "handlers do not end; leaving them behind"
            );
        }
    }
}
