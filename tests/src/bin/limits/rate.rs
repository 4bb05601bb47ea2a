//! How smooth a rate is, with many workers.

use std::time::Duration;

use crate::{Result, fleet::Fleet, jobs::Rated, log::read};
use pgqueuer::prelude::*;
use sqlx::{Connection as _, PgConnection};

const RATE: usize = 200;
const WINDOW: u128 = 100_000_000;

pub(crate) async fn measure(short: bool) -> Result<Vec<String>> {
    let seconds = if short { 3 } else { 30 };
    let mut wrong = Vec::new();
    for workers in if short { vec![4] } else { vec![1, 8] } {
        let fleet = Fleet::start("rate", workers).await?;
        let pgq = fleet.connect().await?;
        let burst = Rated::OPTIONS.limits.rate.ok_or("it has a rate")?.burst;
        let more = RATE * (seconds + 5);
        Rated::enqueue_many(&pgq, (0..more).map(|_| Rated {})).await?;
        tokio::time::sleep(Duration::from_secs(seconds as u64 + 1)).await;
        let began: Vec<u128> = read(&fleet.log())?
            .into_iter()
            .filter(|it| it.what == "began")
            .map(|it| it.at)
            .collect();
        let first = *began.first().ok_or("nothing ran")?;
        let end = first + seconds as u128 * 1_000_000_000;
        let count = began.iter().filter(|at| **at < end).count();
        let most = most_in_window(&began);
        // By the clock that decides. The handlers begin a little later, not all by the same.
        let claimed = most_in_window(&claimed(&fleet).await?);
        let ideal = (RATE * seconds) as f64;
        println!(
            "rate: {workers} workers, 200/s with a burst of {burst}, {seconds} s: {count} of {ideal} ({:+.1} %); \
             in 100 ms at most {claimed} claimed and {most} begun",
            (count as f64 / ideal - 1.0) * 100.0
        );
        if (count as f64 / ideal - 1.0).abs() > 0.05 {
            wrong.push(format!(
                "rate: {count} runs instead of {ideal}, give or take 5 %"
            ));
        }
        let allowed = RATE / 10 + burst as usize;
        if claimed > allowed {
            wrong.push(format!(
                "rate: {claimed} claimed in 100 ms, at most {allowed} may"
            ));
        }
        if most > allowed + allowed / 4 {
            wrong.push(format!("rate: {most} begun in 100 ms, where {allowed} may"));
        }
    }
    Ok(wrong)
}

/// When they were claimed.
async fn claimed(fleet: &Fleet) -> Result<Vec<u128>> {
    let mut connection = PgConnection::connect(&fleet.url()).await?;
    let claimed: Vec<i64> = sqlx::query_scalar(
        "SELECT (extract(epoch FROM claimed_at) * 1000000)::bigint FROM pgqueuer.history ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await?;
    Ok(claimed
        .into_iter()
        .map(|it| u128::from(it.unsigned_abs()) * 1000)
        .collect())
}

fn most_in_window(times: &[u128]) -> usize {
    let in_window = |(place, at): (usize, &u128)| {
        times[place..]
            .iter()
            .take_while(|it| **it < at + WINDOW)
            .count()
    };
    times
        .iter()
        .enumerate()
        .map(in_window)
        .max()
        .unwrap_or_default()
}
