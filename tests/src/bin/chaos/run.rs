//! A run: chaos for a while, then peace until nothing is left to do, then the checker.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use fastrand::Rng;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    checker::{Checker, print_counts},
    director::Director,
    fleet::Fleet,
    producers::{self, Produced},
    server::Server,
};

/// How many enqueue.
const PRODUCERS: u32 = 3;

/// How long workers may take to stop when nothing is in their way any more: the grace period,
/// the last words of settling, closing, and what else waits for the database.
const STOPPING: Duration = Duration::from_secs(60);

/// How long without a job that ends counts as stuck. Beyond any backoff, lease or poll here.
const STUCK: Duration = Duration::from_secs(60);

/// What is left to do: all but what is held, and the ticks, which go on.
const LEFT: &str = "SELECT count(*) FROM pgqueuer.jobs WHERE state <> 'held' AND kind <> 'tick'";

/// Returns what was found wrong.
pub(crate) async fn run(seed: u64, how_long: Duration) -> Result<Vec<String>> {
    let server = Server::start().await?;
    let logs = std::env::temp_dir().join(format!("chaos-{}", std::process::id()));
    std::fs::create_dir_all(&logs)?;
    let mut rng = Rng::with_seed(seed);
    let mut fleet = Fleet::new(&server, &logs);
    let produced = Arc::new(Produced::default());
    let enough = CancellationToken::new();
    let producing: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            tokio::spawn(producers::produce(
                server.url.clone(),
                rng.fork(),
                Arc::clone(&produced),
                enough.clone(),
            ))
        })
        .collect();

    let mut director = Director::new(&server, &mut fleet, rng.fork());
    director.direct(how_long).await?;
    let done = director.done;
    enough.cancel();
    for producer in producing {
        producer.await??;
    }

    eprintln!("chaos: enough; {} workers are left", fleet.workers.len());
    for index in 0..fleet.workers.len() {
        match rng.bool() {
            true => fleet.stop(index).await?,
            false => fleet.kill(index).await?,
        }
    }
    fleet.wait_for_all(STOPPING).await?;
    let mut connection = server.connect().await?;
    let mut wrong = finish(&mut fleet, &mut connection).await?;
    for index in 0..fleet.workers.len() {
        fleet.stop(index).await?;
    }
    fleet.wait_for_all(STOPPING).await?;

    let sure = produced
        .sure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut checker = Checker::new(&mut connection, &fleet, &produced);
    checker.note_sure(&sure).await?;
    wrong.extend(checker.check().await?);
    wrong.append(&mut fleet.wrong);
    print_counts(&mut connection, &fleet, &produced, &done).await?;
    if wrong.is_empty() {
        std::fs::remove_dir_all(&logs)?;
    } else {
        eprintln!("the logs of the workers: {}", logs.display());
    }
    Ok(wrong)
}

/// Runs fresh workers until nothing is left to do. Returns what is stuck, if anything is.
async fn finish(fleet: &mut Fleet, connection: &mut PgConnection) -> Result<Vec<String>> {
    let mut fewest = (i64::MAX, Instant::now());
    loop {
        fleet.reap()?;
        // Some jobs end their worker.
        while fleet.workers.len() < 3 {
            fleet.start().await?;
        }
        let left: i64 = sqlx::query_scalar(LEFT).fetch_one(&mut *connection).await?;
        if left == 0 {
            return Ok(Vec::new());
        }
        if left < fewest.0 {
            fewest = (left, Instant::now());
        }
        if fewest.1.elapsed() > STUCK {
            return Ok(vec![format!("{left} jobs are stuck")]);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
