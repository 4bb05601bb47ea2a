//! Whether a limit of three ever is four, whoever is killed.

use std::time::Duration;

use crate::{
    Result,
    fleet::Fleet,
    jobs::{Keyed, Narrow},
    log::{most_at_once, read},
};
use pgqueuer::prelude::*;

const LIMIT: usize = 3;
const KEYS: i64 = 1000;

pub(crate) async fn of_the_kind(short: bool) -> Result<Vec<String>> {
    let mut fleet = Fleet::start("concurrency", 8).await?;
    let jobs = if short { 1000 } else { 10_000 };
    let pgq = fleet.connect().await?;
    Narrow::enqueue_many(&pgq, (0..jobs).map(|_| Narrow {})).await?;
    let kills = break_it(&mut fleet, &pgq).await?;
    judge("concurrency", &fleet, jobs, kills)
}

pub(crate) async fn of_each_key(short: bool) -> Result<Vec<String>> {
    let mut fleet = Fleet::start("keys", 8).await?;
    let jobs = if short { 1000 } else { 10_000 };
    let keys = if short { 100 } else { KEYS };
    let pgq = fleet.connect().await?;
    // Half of them of ten keys, so that these are at their limit.
    let key = |n: i64| if n % 2 == 0 { n / 2 % 10 } else { n / 2 % keys };
    Keyed::enqueue_many(&pgq, (0..jobs).map(|n| Keyed { key: key(n) })).await?;
    let kills = break_it(&mut fleet, &pgq).await?;
    judge("keys", &fleet, jobs, kills)
}

/// Kills a worker now and then, until all jobs are through. Returns how often.
async fn break_it(fleet: &mut Fleet, pgq: &PgQueuer) -> Result<usize> {
    loop {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(500..3000))).await;
        let counts = pgq.count_jobs().await?;
        if counts.available + counts.scheduled + counts.running == 0 {
            return Ok(fleet.killed.len());
        }
        fleet.replace_one().await?;
    }
}

fn judge(name: &str, fleet: &Fleet, jobs: i64, kills: usize) -> Result<Vec<String>> {
    let entries = read(&fleet.log())?;
    let most = most_at_once(&entries, &fleet.killed);
    let began = entries.iter().filter(|it| it.what == "began").count();
    let mut ended: Vec<i64> = entries
        .iter()
        .filter(|it| it.what == "ended")
        .map(|it| it.number)
        .collect();
    ended.sort_unstable();
    ended.dedup();
    let took = match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => (last.at - first.at) as f64 / 1e9,
        _ => 0.0,
    };
    println!(
        "{name}: {jobs} jobs, 8 workers, {kills} killed: at most {most} at once; {began} begun, {} ended, in {took:.1} s",
        ended.len()
    );
    let mut wrong = Vec::new();
    if most != LIMIT {
        wrong.push(format!("{name}: {most} ran at once, and {LIMIT} may"));
    }
    if ended.len() as i64 != jobs {
        wrong.push(format!("{name}: {} of {jobs} jobs have run", ended.len()));
    }
    Ok(wrong)
}
