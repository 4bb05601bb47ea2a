//! How long until the jobs of a killed worker have been run by another one, with the default
//! lease, and with a million other jobs in the table.

use std::time::{Duration, Instant};

use pgqueuer::prelude::*;
use sqlx::PgConnection;

use crate::{
    Result,
    load::{self, Foreign, Nap},
    server::Server,
};

/// How many jobs run when the worker is killed.
const RUNNING: i64 = 200;

/// How many others wait in the second round.
const OTHERS: usize = 1_000_000;

/// The default, and how much longer it may take.
const LEASE: f64 = 15.0;
const MARGIN: f64 = 5.0;

/// By how much the others may change what comes after the lease.
const CHANGE: f64 = 1.0;

const SOON: Duration = Duration::from_secs(60);
const SESSIONS: &str = "SELECT count(*) FROM pgqueuer.sessions";
const BEGAN: &str = "SELECT count(*) FROM chaos.ran WHERE what = 'began'";
const ENDED: &str = "SELECT count(DISTINCT job) FROM chaos.ran WHERE what = 'ended'";
const HISTORY: &str = "SELECT count(*) FROM pgqueuer.history WHERE kind = 'nap'";

/// By how often they ran.
const RUNS: &str = "
    SELECT runs, count(*) FROM (
        SELECT count(*) AS runs FROM chaos.ran WHERE what = 'began' GROUP BY job
    ) AS job
    GROUP BY runs ORDER BY runs";

/// Until the lease of the worker that was killed runs out.
const LEASE_LEFT: &str = "
    SELECT extract(epoch FROM expires_at - clock_timestamp())::float8
    FROM pgqueuer.sessions WHERE worker = 'victim'";

/// How long the rescue took on the server, as its log has it.
const RESCUE: &str = "Ends the sessions whose lease has run out";

/// Returns what missed the bar.
pub(crate) async fn measure() -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    println!("other jobs   all run again after   after the lease   rescue on the server   runs");
    let alone = one_crash(0, &mut wrong).await?;
    let crowded = one_crash(OTHERS, &mut wrong).await?;
    if crowded - alone > CHANGE {
        wrong.push(format!(
            "with {OTHERS} other jobs the rescue took {:.1} s longer",
            crowded - alone
        ));
    }
    Ok(wrong)
}

/// Returns how many seconds the rescue took on the server.
async fn one_crash(others: usize, wrong: &mut Vec<String>) -> Result<f64> {
    let server = Server::start().await?;
    let mut connection = server.connect().await?;
    for _ in 0..others / 10_000 {
        Foreign::enqueue_many(&mut connection, (0..10_000).map(|_| Foreign {})).await?;
    }
    let mut victim = load::worker(&server, "victim", "crash")?;
    Nap::enqueue_many(&mut connection, (0..RUNNING).map(|_| Nap {})).await?;
    until(&mut connection, BEGAN, RUNNING).await?;
    let _heir = load::worker(&server, "heir", "crash")?;
    until(&mut connection, SESSIONS, 2).await?;
    for set in [
        "ALTER SYSTEM SET log_min_duration_statement = 0",
        "SELECT pg_reload_conf()",
    ] {
        sqlx::raw_sql(set).execute(&mut connection).await?;
    }

    let killed = Instant::now();
    victim.kill().await?;
    let lease: f64 = sqlx::query_scalar(LEASE_LEFT)
        .fetch_one(&mut connection)
        .await?;
    let lease = killed.elapsed().as_secs_f64() + lease;
    until(&mut connection, ENDED, RUNNING).await?;
    let after = killed.elapsed().as_secs_f64();
    until(&mut connection, HISTORY, RUNNING).await?;

    let runs: Vec<(i64, i64)> = sqlx::query_as(RUNS).fetch_all(&mut connection).await?;
    let rescue = rescue_seconds(&server)?;
    let late = after - lease;
    let told: Vec<String> = runs
        .iter()
        .map(|(runs, jobs)| format!("{jobs} jobs ran {runs} times"))
        .collect();
    let told = told.join(", ");
    println!("{others:>10} {after:>19.1} s {late:>15.1} s {rescue:>20.3} s   {told}");
    if after > LEASE + MARGIN {
        wrong.push(format!(
            "{after:.1} s until all have run again, with {others} others"
        ));
    }
    if runs != [(2, RUNNING)] {
        wrong.push(format!("not all ran exactly once more: {told}"));
    }
    Ok(rescue)
}

/// The sum of what the statements took that have rescued.
fn rescue_seconds(server: &Server) -> Result<f64> {
    let log = std::fs::read_to_string(server.dir.join("server.log"))?;
    let mut seconds = 0.0;
    for line in log.lines().filter(|line| line.contains(RESCUE)) {
        let rest = line.split_once("duration: ").map_or("", |(_, rest)| rest);
        let milliseconds = rest.split_once(" ms").map_or("0", |(number, _)| number);
        seconds += milliseconds.parse::<f64>()? / 1000.0;
    }
    Ok(seconds)
}

/// Asks until the answer is that.
async fn until(connection: &mut PgConnection, query: &'static str, expected: i64) -> Result {
    let began = Instant::now();
    loop {
        let found: i64 = sqlx::query_scalar(query)
            .fetch_one(&mut *connection)
            .await?;
        if found == expected {
            return Ok(());
        }
        if began.elapsed() > SOON {
            return Err(format!("still {found} instead of {expected}: {query}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
