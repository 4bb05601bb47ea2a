//! A kit for testing code that enqueues, and handlers. Behind the feature `testing`, which belongs
//! into `[dev-dependencies]`.
//!
//! ```standalone_crate
//! use pgqueuer::{prelude::*, testing::{TestQueue, assert_enqueued}};
//!
//! #[job]
//! async fn send_reminder(user_id: i64, sent: State<Sent>) {
//!     sent.0.lock().unwrap().push(user_id);
//! }
//!
//! #[derive(Default)]
//! struct Sent(std::sync::Mutex<Vec<i64>>);
//!
//! // In a test: `#[pgqueuer::test] async fn a_reminder_comes_after_three_days(queue: TestQueue) {`
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> pgqueuer::Result<()> {
//! # tokio::time::pause();
//! # let queue = TestQueue::in_memory();
//! let sent = queue.state(Sent::default());
//!
//! SendReminder { user_id: 42 }.options().delay("3days").enqueue(&queue).await?;
//! assert_enqueued!(queue, SendReminder { user_id: 42 });
//!
//! queue.advance("3days").await?;
//! assert_eq!(*sent.0.lock().unwrap(), [42]);
//! # Ok(()) }
//! ```
//!
//! - [`#[pgqueuer::test]`](macro@crate::test) makes a test that has a [`TestQueue`] of its own, in
//!   memory or in a database.
//! - [`TestQueue::drain`] runs what is due, and [`TestQueue::advance`] moves the clock on and runs
//!   what becomes due meanwhile, without waiting for it.
//! - [`assert_enqueued!`](crate::testing::assert_enqueued) and
//!   [`assert_not_enqueued!`](crate::testing::assert_not_enqueued) look into a queue.
//! - [`run`] runs one job, without a queue, and returns its outcome.
//!
//! `docs/testing.md` shows all of it at work.

mod drain;
mod enqueued;
mod harness;
mod kinds;
mod queue;
mod run;
mod server;

pub use queue::TestQueue;
pub use run::{Run, run};

#[doc(inline)]
pub use crate::{assert_enqueued, assert_not_enqueued};

#[doc(hidden)]
pub use enqueued::{Listing, find};
#[doc(hidden)]
pub use harness::{TestResult, in_memory, on_postgres};
