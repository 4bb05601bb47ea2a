//! How many results wait to be written.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// How many results were handed in but not written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    count: AtomicUsize,
    /// Fires when it has become zero.
    none: Notify,
}

impl Unwritten {
    pub(super) fn add(&self) {
        self.count.fetch_add(1, SeqCst);
    }

    pub(super) fn subtract(&self, written: usize) {
        if self.count.fetch_sub(written, SeqCst) == written {
            self.none.notify_waiters();
        }
    }

    pub(super) async fn is_none(&self) {
        loop {
            // Made before the count is read, or it could miss the change.
            let none = self.none.notified();
            if self.count.load(SeqCst) == 0 {
                return;
            }
            none.await;
        }
    }
}
