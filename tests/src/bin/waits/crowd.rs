//! Many who wait at once, over one connection, which is cut at random.

use std::{
    env,
    process::Stdio,
    time::{Duration, Instant},
};

use pgqueuer::{Job as _, JobHandle};
use pgqueuer_tests::program::Result;
use sqlx::{Connection as _, PgConnection};
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use crate::{jobs::Double, stage::Stage};

/// Far longer than a round takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// What the one who cuts has seen and done.
#[derive(Clone, Copy, Debug, Default)]
struct Cuts {
    cut: usize,
    /// The most connections that listened for ends at once.
    listened: usize,
}

pub(crate) async fn wait(waiters: i64, rounds: u32) -> Result<Vec<String>> {
    let stage = Stage::set().await?;
    let worker = start_worker(&stage)?;
    let (stop, stopped) = watch::channel(());
    let cutting = start_cutting(&stage, stopped).await?;

    let mut wrong = Vec::new();
    for round in 0..rounds {
        let began = Instant::now();
        // Some have ended before anybody waits, some while all do.
        let most = [0, 20, 1000][round as usize % 3];
        let jobs = (0..waiters).map(|number| Double {
            number,
            millis: fastrand::u64(0..=most),
        });
        let handles = Double::enqueue_many(&stage.pgq, jobs).await?;
        let results = tokio::time::timeout(DEADLINE, JobHandle::wait_all(&handles)).await;
        let Ok(results) = results else {
            wrong.push(format!(
                "round {round}: somebody still waits after {DEADLINE:?}"
            ));
            break;
        };
        for (number, result) in (0..).zip(results) {
            match result {
                Ok(doubled) if doubled == 2 * number => {}
                other => wrong.push(format!("round {round}, job {number}: {other:?}")),
            }
        }
        println!(
            "crowd: round {round}: {waiters} results after {:.2?}",
            began.elapsed()
        );
    }
    drop(stop);
    let cuts = cutting.await??;
    println!("crowd: {cuts:?}");
    if cuts.listened != 1 {
        wrong.push(format!("{} connections listened at once", cuts.listened));
    }
    if cuts.cut == 0 {
        wrong.push("no connection was cut".to_owned());
    }
    drop(worker);
    stage.pgq.close().await;
    Ok(wrong)
}

fn start_worker(stage: &Stage) -> Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["worker", "--concurrency", "1000"])
        .env("DATABASE_URL", stage.url())
        .env("RUST_LOG", env::var_os("RUST_LOG").unwrap_or("off".into()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Cuts the connection that listens for ends, again and again.
async fn start_cutting(
    stage: &Stage,
    mut stopped: watch::Receiver<()>,
) -> Result<JoinHandle<Result<Cuts>>> {
    let mut connection = PgConnection::connect(&stage.url()).await?;
    Ok(tokio::spawn(async move {
        let mut cuts = Cuts::default();
        loop {
            let pause = sleep(Duration::from_millis(fastrand::u64(5..400)));
            tokio::select! {
                _ = stopped.changed() => return Ok(cuts),
                () = pause => {}
            }
            let listening: Vec<i32> = sqlx::query_scalar(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %ends%'",
            )
            .fetch_all(&mut connection)
            .await?;
            cuts.listened = cuts.listened.max(listening.len());
            for pid in listening {
                let cut: bool = sqlx::query_scalar("SELECT pg_terminate_backend($1)")
                    .bind(pid)
                    .fetch_one(&mut connection)
                    .await?;
                cuts.cut += usize::from(cut);
            }
        }
    }))
}
