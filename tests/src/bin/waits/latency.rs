//! How long after the end of a handler whoever waits has its result. Both are in this process, and so
//! go by one clock.

use std::time::{Duration, Instant};

use pgqueuer::Job as _;
use pgqueuer_tests::program::Result;

use crate::{
    jobs::{Ends, NoteTheEnd},
    stage::Stage,
};

/// The bar: half of them within this time.
const HALF_WITHIN: Duration = Duration::from_millis(3);

pub(crate) async fn measure(jobs: u32) -> Result<Vec<String>> {
    let stage = Stage::set().await?;
    let ends = Ends::default();
    let worker = stage
        .pgq
        .worker()
        .only_registered()
        .register::<NoteTheEnd>();
    let worker = worker.state(ends.clone()).build()?;
    let working = tokio::spawn(worker.run_until(std::future::pending()));

    let mut delays = Vec::new();
    for number in 0..i64::from(jobs) {
        let handle = NoteTheEnd { number }.enqueue(&stage.pgq).await?;
        let result = handle.wait_for(Duration::from_secs(30)).await?;
        let arrived = Instant::now();
        if result != number {
            return Ok(vec![format!("job {number} brought {result}")]);
        }
        let ended = ends
            .take(number)
            .ok_or("the handler did not say when it ended")?;
        delays.push(arrived - ended);
        // Now and then after a pause, as on an idle system.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(1..20))).await;
    }
    working.abort();
    stage.pgq.close().await;

    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() - 1) * share / 100];
    println!(
        "latency: of {jobs} results, {:.2?} after the end of the handler half were there, {:.2?} 90 %, {:.2?} 99 %, {:.2?} all",
        at(50),
        at(90),
        at(99),
        at(100)
    );
    let is_late = at(50) > HALF_WITHIN;
    Ok(is_late
        .then(|| format!("half of the results took more than {HALF_WITHIN:?}"))
        .into_iter()
        .collect())
}
