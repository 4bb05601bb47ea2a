//! The bell of the store in memory.

use async_trait::async_trait;
use tokio::sync::watch;

use crate::store::{Bell, Ring};

/// Counts rings.
pub(super) struct MemoryBell(pub(super) watch::Receiver<u64>);

#[async_trait]
impl Bell for MemoryBell {
    async fn rung(&mut self) -> Ring {
        if self.0.changed().await.is_err() {
            // The store is gone, and will never ring again.
            std::future::pending::<()>().await;
        }
        Ring::Anything
    }
}
