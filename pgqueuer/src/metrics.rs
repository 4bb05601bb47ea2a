//! Metrics for Prometheus (feature `metrics`).
//!
//! Two sorts in one exposition:
//!
//! - `pgqueuer_…` is of the whole queue, read from the database: the same whoever is asked.
//! - `pgqueuer_worker_…` and `pgqueuer_pool_…` are of this process: what its workers measure of
//!   themselves, and how many connections it has.
//!
//! The names and labels are a fixed set: [`FAMILIES`]. `docs/metrics.md` says what each means, and has queries
//! and alerts to begin with.
//!
//! In an application on axum (feature `axum`), the workers of which may run in the same process:
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # async fn serve(pgq: pgqueuer::PgQueuer) {
//! let application: axum::Router = axum::Router::new()
//!     // … its own routes …
//!     .merge(pgqueuer::metrics::router(&pgq));
//! # let _ = application; }
//! ```
//!
//! Elsewhere, [`Metrics::render`] makes the text. For a registry of the crate `prometheus` there is
//! [`Metrics::collector`].

#[cfg(feature = "axum")]
mod http;
mod names;
mod queue;
mod set;
mod worker;

#[cfg(feature = "axum")]
pub use http::router;
pub use names::{FAMILIES, Family, FamilyKind};
pub use worker::WorkerCollector;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::{TextEncoder, proto::MetricFamily};
use tokio::sync::Mutex;
use tracing::warn;

use crate::{
    error::{Chain, Error, ErrorKind, Result},
    handle::PgQueuer,
    runtime::in_time,
};
use queue::Queue;
use set::Set;

/// The type of what [`Metrics::render`] returns, for the header `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a scrape waits for the database: Prometheus waits for ten seconds, and what the process
/// knows by itself must get there.
const LONGEST_READ: Duration = Duration::from_secs(3);

/// How long a read goes on that nobody waits for: from a host that has fallen silent nothing comes.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// For so long, one read of the database does for all who ask.
const FRESH: Duration = Duration::from_secs(1);

/// Makes expositions for Prometheus. Cheap to clone; clones share what they read.
///
/// A scrape reads aggregates, however many jobs there are. Those that come at the same
/// time, or within a second, read once. When the database does not answer within three
/// seconds, `pgqueuer_up` is 0 and what is of the queue is missing; what is of the process is there.
///
/// ```
/// # use pgqueuer::prelude::*;
/// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use pgqueuer::metrics::Metrics;
///
/// let pgq = PgQueuer::in_memory();
/// SendWelcome { user_id: 42 }.enqueue(&pgq).await?;
/// let text = Metrics::new(&pgq).render().await;
/// let line = r#"pgqueuer_jobs{kind="send_welcome",queue="",state="available"} 1"#;
/// assert!(text.lines().any(|it| it == line));
/// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    pgq: PgQueuer,
    last: Arc<Mutex<Option<Read>>>,
}

/// What was read, and when.
type Read = (Instant, Arc<Queue>);

/// Waits until the queue is closed, which waits for its connections.
async fn closed(pgq: &PgQueuer) {
    match pgq.pool() {
        Some(pool) => pool.close_event().await,
        None => std::future::pending().await,
    }
}

fn ended() -> Error {
    Error::new(
        ErrorKind::Database,
        "the queue was closed while it was read",
    )
}

impl Metrics {
    /// Of this queue, and of the workers that were built on this handle or a clone of it.
    #[must_use]
    pub fn new(pgq: &PgQueuer) -> Self {
        Self {
            pgq: pgq.clone(),
            last: Arc::default(),
        }
    }

    /// Everything, in Prometheus' text format 0.0.4. It never fails: see [`Metrics`] for what it is
    /// without the database.
    pub async fn render(&self) -> String {
        let families = self.gather().await;
        // It fails only for a family without samples, which no set has.
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }

    /// The same as the crate `prometheus` 0.14 has it, to be encoded with others.
    pub async fn gather(&self) -> Vec<MetricFamily> {
        let read = tokio::time::timeout(LONGEST_READ, self.read()).await;
        let queue = match read {
            Ok(Ok(queue)) => Some(queue),
            Ok(Err(error)) => {
                warn!(error = %Chain(&error), "failed to read the queue for its metrics");
                None
            }
            Err(_) => {
                warn!("the database did not answer within {LONGEST_READ:?} for the metrics");
                None
            }
        };
        let mut set = Set::default();
        queue::add(&mut set, queue.as_deref());
        worker::add(&mut set, &self.pgq);
        set.into_families()
    }

    /// What is of this process alone, for a [`Registry`](prometheus::Registry) of yours. It asks no database.
    ///
    /// ```
    /// # let pgq = pgqueuer::PgQueuer::in_memory();
    /// let registry = prometheus::Registry::new();
    /// let collector = pgqueuer::metrics::Metrics::new(&pgq).collector();
    /// registry.register(Box::new(collector))?;
    /// # Ok::<(), prometheus::Error>(())
    /// ```
    #[must_use]
    pub fn collector(&self) -> WorkerCollector {
        WorkerCollector::new(self.pgq.clone())
    }

    /// One read at a time: who comes meanwhile waits for it, and takes what it brought.
    async fn read(&self) -> Result<Arc<Queue>> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((_, queue)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(Arc::clone(queue));
        }
        let pgq = self.pgq.clone();
        // A task, which goes on when a scrape has waited for long enough: the statement does so, too, as
        // long as somebody locks its table, and each scrape would leave another connection to it.
        let reading = tokio::spawn(async move {
            let reading = async {
                Ok(Queue {
                    overview: pgq.overview().await?,
                    totals: pgq.list_totals().await?,
                })
            };
            let queue = tokio::select! {
                queue = in_time(GIVEN_UP, reading) => Arc::new(queue?),
                () = closed(&pgq) => return Err(ended()),
            };
            *last = Some((Instant::now(), Arc::clone(&queue)));
            Ok(queue)
        });
        reading.await.map_err(|error| ended().because(error))?
    }
}
