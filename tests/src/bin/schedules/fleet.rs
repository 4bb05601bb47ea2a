//! A server, schedules, and workers as processes that come and go.

use std::{
    env,
    process::Stdio,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use pgqueuer::{Missed, Overlap, PgQueuer, Schedule};
use sqlx::{Connection as _, PgConnection};
use throwaway_postgres::Postgres;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::{
    Result,
    jobs::{Note, TABLE},
};

pub(crate) struct Fleet {
    postgres: Postgres,
    pgq: PgQueuer,
    size: usize,
    workers: Vec<Child>,
    pub(crate) schedules: Vec<(String, Schedule)>,
    pub(crate) killed: usize,
    /// When no worker was there, for ten slots.
    pub(crate) outage: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// What the schedules do, one after another.
fn policies() -> [Schedule; 4] {
    let every_second = Schedule::new("every 1s");
    let by_the_clock = Schedule::new("* * * * * *").zone("Europe/Oslo");
    [
        every_second.clone().missed(Missed::All { up_to: 1000 }),
        by_the_clock.clone(),
        every_second.missed(Missed::Skip),
        by_the_clock.overlap(Overlap::Skip),
    ]
}

impl Fleet {
    /// A server that keeps what it has committed, so many workers, and so many schedules besides the
    /// one in the code.
    pub(crate) async fn start(size: usize, schedules: usize) -> Result<Self> {
        let postgres = Postgres::builder()
            .durable(true)
            .setting("max_connections", "300")
            .start()?;
        let pgq = PgQueuer::connect(&postgres.url("postgres")).await?;
        pgq.install().await?;
        let mut fleet = Self {
            postgres,
            pgq,
            size,
            workers: Vec::new(),
            schedules: Vec::new(),
            killed: 0,
            outage: None,
        };
        let mut connection = fleet.connect().await?;
        sqlx::query(TABLE).execute(&mut connection).await?;
        for number in 1..schedules {
            let schedule = policies()[number % 4].clone();
            let name = format!("schedule-{number}");
            // Longer than a slot, where they must not overlap.
            let millis = match schedule.overlap {
                Overlap::Skip => 2500,
                Overlap::Allow => 5,
            };
            fleet
                .pgq
                .create_schedule(&name, &schedule, Note { millis })
                .await?;
            fleet.schedules.push((name, schedule));
        }
        let in_the_code = Schedule::new("* * * * * *").missed(Missed::All { up_to: 1000 });
        fleet
            .schedules
            .push(("in_the_code".to_owned(), in_the_code));
        for _ in 0..size {
            fleet.start_one()?;
        }
        Ok(fleet)
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.postgres.url("postgres")).await?)
    }

    fn start_one(&mut self) -> Result {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["worker", "--concurrency", "50"])
            .env("DATABASE_URL", self.postgres.url("postgres"))
            .env("RUST_LOG", env::var_os("RUST_LOG").unwrap_or("off".into()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        self.workers.push(command.spawn()?);
        Ok(())
    }

    /// As `kill -9` does.
    async fn kill_one(&mut self) -> Result {
        if self.workers.is_empty() {
            return Ok(());
        }
        let chosen = fastrand::usize(..self.workers.len());
        let mut worker = self.workers.swap_remove(chosen);
        worker.kill().await?;
        self.killed += 1;
        Ok(())
    }

    /// Kills and starts workers, one at a time, and now and then all of them.
    pub(crate) async fn kill_at_random(&mut self, how_long: Duration) -> Result {
        let began = Instant::now();
        while began.elapsed() < how_long {
            sleep(Duration::from_millis(fastrand::u64(50..1500))).await;
            match fastrand::u32(..20) {
                0 => {
                    while !self.workers.is_empty() {
                        self.kill_one().await?;
                    }
                }
                1..10 => self.kill_one().await?,
                _ if self.workers.len() < self.size => self.start_one()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// As in an outage. It counts from a moment after the last one was killed, since what that has
    /// sent may be carried out still.
    pub(crate) async fn stop_all_for_ten_slots(&mut self) -> Result {
        while self.workers.len() < self.size {
            self.start_one()?;
        }
        self.all_have_ticked().await?;
        while !self.workers.is_empty() {
            self.kill_one().await?;
        }
        sleep(Duration::from_secs(1)).await;
        let from = self.pgq.now().await?;
        sleep(Duration::from_secs(11)).await;
        self.outage = Some((from, self.pgq.now().await?));
        for _ in 0..self.size {
            self.start_one()?;
        }
        self.all_have_ticked().await
    }

    /// Waits until each schedule has had a job for a slot that is still to come.
    async fn all_have_ticked(&self) -> Result {
        let now = self.pgq.now().await?;
        let began = Instant::now();
        loop {
            let listed = self.pgq.list_schedules().await?;
            if listed.iter().all(|it| it.last_slot > Some(now)) {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(120) {
                return Err(format!("they do not tick: {listed:?}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Pauses the schedules, and waits for the last job to be done.
    pub(crate) async fn come_to_rest(&mut self) -> Result {
        for (name, _) in &self.schedules {
            self.pgq.pause_schedule(name).await?;
        }
        let began = Instant::now();
        loop {
            let counts = self.pgq.count_jobs().await?;
            if counts.available + counts.running + counts.scheduled == 0 {
                return match counts.held {
                    0 => Ok(()),
                    held => Err(format!("{held} jobs are held").into()),
                };
            }
            if began.elapsed() > Duration::from_secs(120) {
                return Err(format!("the jobs do not come to an end: {counts:?}").into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
