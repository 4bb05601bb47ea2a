//! What a limited kind with a million waiting jobs costs the others.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use crate::{
    Result,
    fleet::Fleet,
    jobs::{Free, Limited, OfCustomer, RUN},
    log::{now, read},
};
use pgqueuer::{JobFilter, PgQueuer, prelude::*};

const CUSTOMERS: i64 = 10_000;

pub(crate) async fn measure(short: bool) -> Result<Vec<String>> {
    let backlog = if short { 20_000 } else { 1_000_000 };
    let jobs = if short { 20_000 } else { 100_000 };
    let mut wrong = claims_of_others(backlog, jobs).await?;
    wrong.extend(pickup_of_other_keys(backlog).await?);
    Ok(wrong)
}

/// One worker in this process, for both queues: how many jobs without limits it runs a second, alone,
/// beside a backlog of jobs that take long, and of such as take 20 ms, which it runs, too: 500 a second.
async fn claims_of_others(backlog: usize, jobs: usize) -> Result<Vec<String>> {
    let fleet = Fleet::start("nothing", 0).await?;
    let pgq = fleet.connect().await?;
    // The first is to warm up.
    run_free(&pgq, jobs).await?;
    let alone = median_of_five(&pgq, jobs).await?;
    fill(&pgq, backlog, 3000).await?;
    let slow = median_of_five(&pgq, jobs).await?;
    pgq.cancel(&JobFilter::kind("limited"), "").await?;
    fill(&pgq, backlog / 10, 20).await?;
    let fast = median_of_five(&pgq, jobs).await?;
    println!(
        "cost: {jobs} jobs without limits {alone:.0}/s; beside {backlog} that wait under a limit of ten, and take 3 s, \
         {slow:.0}/s ({:.2}); 20 ms, {fast:.0}/s ({:.2})",
        slow / alone,
        fast / alone
    );
    Ok(match slow / alone < 0.9 {
        true => vec![format!("cost: the others are down to {:.2}", slow / alone)],
        false => Vec::new(),
    })
}

async fn median_of_five(pgq: &PgQueuer, jobs: usize) -> Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(run_free(pgq, jobs).await?);
    }
    rates.sort_unstable_by(f64::total_cmp);
    Ok(rates[2])
}

async fn fill(pgq: &PgQueuer, backlog: usize, millis: u64) -> Result {
    for _ in 0..(backlog / 10_000).max(1) {
        Limited::enqueue_many(pgq, (0..10_000).map(|_| Limited { millis })).await?;
    }
    Ok(())
}

async fn run_free(pgq: &PgQueuer, jobs: usize) -> Result<f64> {
    for _ in 0..jobs / 10_000 {
        Free::enqueue_many(pgq, (0..10_000).map(|_| Free {})).await?;
    }
    let before = RUN.load(Relaxed);
    let worker = pgq
        .worker()
        .state(crate::log::Log::open("/dev/null".as_ref())?)
        .only_queues(["free", "cost"])
        .configure(|config| config.shutdown_grace = Duration::from_secs(1))
        .build()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let began = Instant::now();
    let running = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    while RUN.load(Relaxed) < before + jobs {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = began.elapsed().as_secs_f64();
    let _ = stop.send(());
    running.await??;
    Ok(jobs as f64 / took)
}

/// How long jobs of other keys wait, without and with a backlog of one key.
async fn pickup_of_other_keys(backlog: usize) -> Result<Vec<String>> {
    let fleet = Fleet::start("customers", 2).await?;
    let pgq = fleet.connect().await?;
    let idle = pickups(&fleet, &pgq).await?;
    for _ in 0..backlog / 10_000 {
        let jobs = (0..10_000).map(|_| OfCustomer {
            customer: 5000,
            sent: 0,
        });
        OfCustomer::enqueue_many(&pgq, jobs).await?;
    }
    let busy = pickups(&fleet, &pgq).await?;
    let [idle_half, idle_most] = idle;
    let [busy_half, busy_most] = busy;
    println!(
        "cost: pickup of {CUSTOMERS} keys, p50 {idle_half:.1} ms, p99 {idle_most:.1} ms; beside a backlog of {backlog} of \
         one key p50 {busy_half:.1} ms, p99 {busy_most:.1} ms ({:.2} times)",
        busy_most / idle_most
    );
    Ok(match busy_most > idle_most * 2.0 {
        true => vec![format!(
            "cost: p99 of the other keys is {:.2} times",
            busy_most / idle_most
        )],
        false => Vec::new(),
    })
}

/// The median and the 99th percentile, in milliseconds.
async fn pickups(fleet: &Fleet, pgq: &PgQueuer) -> Result<[f64; 2]> {
    let before = read(&fleet.log()).map(|it| it.len()).unwrap_or_default();
    let mut customers: Vec<i64> = (0..CUSTOMERS).collect();
    fastrand::shuffle(&mut customers);
    let of_interest = 1000;
    for customer in customers
        .into_iter()
        .filter(|it| *it != 5000)
        .take(of_interest)
    {
        let sent = i64::try_from(now())?;
        OfCustomer { customer, sent }.enqueue(pgq).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let entries = read(&fleet.log())?;
    let entries = entries.into_iter().skip(before).filter(|it| it.number > 0);
    let mut waited: Vec<f64> = entries
        .map(|it| (it.at as f64 - it.number as f64) / 1e6)
        .collect();
    if waited.len() < of_interest {
        return Err(format!("only {} of {of_interest} have run", waited.len()).into());
    }
    waited.sort_unstable_by(f64::total_cmp);
    Ok([waited[waited.len() / 2], waited[waited.len() * 99 / 100]])
}
