//! How near to the ideal a limit of two comes.

use crate::{
    Result,
    fleet::Fleet,
    jobs::Paced,
    log::{most_at_once, now, read},
};
use pgqueuer::prelude::*;

const JOBS: usize = 200;
/// 200 jobs of 50 ms, two at a time.
const IDEAL: f64 = 5.0;
const BAR: f64 = 1.2;

pub(crate) async fn measure() -> Result<Vec<String>> {
    let fleet = Fleet::start("pace", 4).await?;
    let pgq = fleet.connect().await?;
    let began = now();
    Paced::enqueue_many(&pgq, (0..JOBS).map(|_| Paced {})).await?;
    fleet.until("SELECT count(*) FROM pgqueuer.jobs", 0).await?;
    let entries = read(&fleet.log())?;
    let last = entries.last().ok_or("nothing ran")?.at;
    let took = (last - began) as f64 / 1e9;
    let most = most_at_once(&entries, &fleet.killed);
    println!(
        "pace: {JOBS} jobs of 50 ms, 4 workers, 2 at a time: {took:.2} s, ideal {IDEAL} s, {:.2} times; at most {most} at once",
        took / IDEAL
    );
    let mut wrong = Vec::new();
    if took > IDEAL * BAR {
        wrong.push(format!("{took:.2} s is over {BAR} times the ideal"));
    }
    if most > 2 {
        wrong.push(format!("{most} ran at once, at most 2 may"));
    }
    Ok(wrong)
}
