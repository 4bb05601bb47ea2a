//! Producers: they enqueue one by one and in batches, in transactions that are committed or
//! rolled back, and write down in the same transaction what they have asked for.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use pgqueuer::{JobId, prelude::*};
use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;

use crate::{Result, jobs, ledger};

/// How often a job is asked for that ends its worker.
const DEADLY_EVERY: Duration = Duration::from_secs(6);

/// What the producers did.
#[derive(Default)]
pub(crate) struct Produced {
    pub(crate) committed: AtomicU64,
    pub(crate) rolled_back: AtomicU64,
    /// Transactions that failed: some of them may have been committed all the same.
    pub(crate) failed: AtomicU64,
    /// Jobs that were enqueued without a transaction, and whose reply was lost.
    pub(crate) in_doubt: AtomicU64,
    /// Jobs that were enqueued without a transaction.
    pub(crate) sure: Mutex<Vec<JobId>>,
    deadly: Mutex<Option<Instant>>,
}

/// Enqueues until told to stop.
pub(crate) async fn produce(
    url: String,
    mut rng: Rng,
    produced: Arc<Produced>,
    stop: CancellationToken,
) -> Result {
    let options: PgConnectOptions = url.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(2))
        .connect_lazy_with(options);
    while !stop.is_cancelled() {
        if rng.u8(..4) == 0 {
            enqueue_alone(&pool, &produced).await;
        } else if let Err(_lost) = enqueue_together(&pool, &mut rng, &produced).await {
            produced.failed.fetch_add(1, Relaxed);
        }
        let pause = Duration::from_millis(rng.u64(5..80));
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    pool.close().await;
    Ok(())
}

/// Without a transaction, as most programs do.
async fn enqueue_alone(pool: &PgPool, produced: &Produced) {
    match (jobs::Quick {}).enqueue(pool).await {
        Ok(id) => {
            let mut sure = produced.sure.lock().unwrap_or_else(PoisonError::into_inner);
            sure.push(id);
        }
        Err(_) => {
            produced.in_doubt.fetch_add(1, Relaxed);
        }
    }
}

async fn enqueue_together(pool: &PgPool, rng: &mut Rng, produced: &Produced) -> Result {
    let mut tx = pool.begin().await?;
    for _ in 0..rng.u8(1..4) {
        enqueue(&mut tx, rng, produced).await?;
    }
    // Now and then it takes long, so that its positions are far behind when it commits.
    if rng.u8(..20) == 0 {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..1500))).await;
    }
    if rng.u8(..5) == 0 {
        tx.rollback().await?;
        produced.rolled_back.fetch_add(1, Relaxed);
    } else {
        tx.commit().await?;
        produced.committed.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Enqueues something, and writes that down.
async fn enqueue(tx: &mut PgConnection, rng: &mut Rng, produced: &Produced) -> Result {
    let (few, milliseconds) = (rng.u16(1..4), rng.u64(..1500));
    match rng.u8(..100) {
        0..20 => {
            let job = jobs::Quick {}.options().priority(rng.i16(-1..2));
            one(tx, job).await
        }
        20..35 => many(tx, (0..rng.u8(1..60)).map(|_| jobs::Quick {})).await,
        35..40 => by_sql(tx).await,
        40..50 => one(tx, jobs::Slow { milliseconds }.options()).await,
        50..52 => {
            let milliseconds = rng.u64(2000..6000);
            one(tx, jobs::Slow { milliseconds }.options()).await
        }
        52..58 => {
            let due = Utc::now() + TimeDelta::milliseconds(rng.i64(0..6000));
            let id = jobs::Delayed {}
                .options()
                .run_at(due)
                .enqueue(&mut *tx)
                .await?;
            record::<jobs::Delayed>(tx, &[id], Some(due)).await
        }
        58..64 => one(tx, jobs::Flaky { failures: few }.options()).await,
        64..68 => one(tx, jobs::Panicky { panics: few }.options()).await,
        68..70 => one(tx, jobs::Overdue {}.options()).await,
        70..73 => one(tx, jobs::Doomed {}.options()).await,
        73..76 => one(tx, jobs::Dropped {}.options()).await,
        76..79 => one(tx, jobs::CalledOff {}.options()).await,
        79..84 => one(tx, jobs::Snoozy { times: few.into() }.options()).await,
        84..94 => {
            // Some are still at it when a worker wakes up that had them before.
            let milliseconds = match rng.u8(..3) {
                0 => rng.u64(1000..8000),
                _ => milliseconds / 4,
            };
            let job = jobs::Pay {
                failures: rng.u16(..3),
                milliseconds,
            };
            one(tx, job.options()).await
        }
        94..98 => many(tx, (0..few).map(|_| jobs::Narrow {})).await,
        _ if !is_time_for_deadly(produced) => Ok(()),
        98 => one(tx, jobs::Deadly {}.options()).await,
        _ => one(tx, jobs::Cursed {}.options()).await,
    }
}

fn is_time_for_deadly(produced: &Produced) -> bool {
    let mut last = produced
        .deadly
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let is_time = last.is_none_or(|at| at.elapsed() > DEADLY_EVERY);
    if is_time {
        *last = Some(Instant::now());
    }
    is_time
}

async fn one<J: Job>(tx: &mut PgConnection, job: pgqueuer::NewJob<J>) -> Result {
    let id = job.enqueue(&mut *tx).await?;
    record::<J>(tx, &[id], None).await
}

async fn many<J: Job>(tx: &mut PgConnection, jobs: impl Iterator<Item = J>) -> Result {
    let ids = J::enqueue_many(&mut *tx, jobs).await?;
    record::<J>(tx, &ids, None).await
}

async fn by_sql(tx: &mut PgConnection) -> Result {
    let id: i64 = sqlx::query_scalar("SELECT pgqueuer.enqueue('quick')")
        .fetch_one(&mut *tx)
        .await?;
    record::<jobs::Quick>(tx, &[JobId::from(id)], None).await
}

async fn record<J: Job>(
    tx: &mut PgConnection,
    ids: &[JobId],
    due: Option<DateTime<Utc>>,
) -> Result {
    ledger::ask(tx, ids, J::KIND, due).await?;
    Ok(())
}
