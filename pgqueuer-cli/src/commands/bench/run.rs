//! The measurements themselves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pgqueuer::{Job, PgQueuer, SchemaName, Worker, WorkerConfig};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    BenchArgs, Test,
    probe::{Board, Probe},
    progress::Progress,
    report::{Measured, Percentiles, Run},
    server::{Counters, Server},
};
use crate::exit::{ExitCode, Failure};

/// How long `sustain` runs before it counts.
const WARM_UP: Duration = Duration::from_secs(2);

/// How many jobs `sustain` lets wait.
const BACKLOG: u64 = 20_000;

/// How long a worker is given to fall asleep before `latency` and `burst` begin.
const FALL_ASLEEP: Duration = Duration::from_millis(1500);

/// How long jobs may stay behind once nothing more is enqueued.
const LONGEST_TAIL: Duration = Duration::from_secs(60);

pub(super) struct Bench {
    options: PgConnectOptions,
    schema: SchemaName,
    args: BenchArgs,
    queue: PgQueuer,
    server: Server,
}

/// A worker that runs in the background.
struct Running {
    stop: CancellationToken,
    ended: AbortOnDropHandle<pgqueuer::Result<pgqueuer::Report>>,
}

impl Running {
    fn start(worker: Worker) -> Self {
        let stop = CancellationToken::new();
        let run = worker.run_until(stop.clone().cancelled_owned());
        Self {
            stop,
            ended: AbortOnDropHandle::new(tokio::spawn(run)),
        }
    }

    async fn stop(self) -> Result<(), Failure> {
        self.stop.cancel();
        self.ended.await.map_err(unexpected)??;
        Ok(())
    }
}

fn unexpected(error: impl Into<pgqueuer::BoxError>) -> Failure {
    Failure::new(ExitCode::Unexpected, "the benchmark has failed").because(error)
}

/// What a test comes to: so many jobs in so many seconds.
struct Count {
    jobs: u64,
    seconds: f64,
    percentiles: Option<Percentiles>,
}

impl Bench {
    pub(super) async fn new(
        options: PgConnectOptions,
        schema: SchemaName,
        args: BenchArgs,
    ) -> Result<Self, Failure> {
        let queue = queue(&options, &schema, 1);
        let server = Server::read(queue.pool()).await.map_err(unexpected)?;
        Ok(Self {
            options,
            schema,
            args,
            queue,
            server,
        })
    }

    pub(super) fn queue(&self) -> &PgQueuer {
        &self.queue
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Removes what is there.
    pub(super) async fn remove(&self) -> Result<(), Failure> {
        if self.queue.installed_version().await?.is_some() {
            self.queue.uninstall().await?;
        }
        Ok(())
    }

    /// The runs of a test are spread over the whole time, so that a busy minute of the machine
    /// does not spoil all of one.
    pub(super) async fn run_all(&self) -> Result<Vec<Measured>, Failure> {
        let mut measured: Vec<Measured> = self
            .args
            .tests
            .iter()
            .map(|it| Measured::new(*it))
            .collect();
        for round in 1..=self.args.runs.get() {
            for test in &mut measured {
                let title = format!("{} {round}/{}", test.test.name(), self.args.runs);
                test.runs.push(self.measure(test.test, &title).await?);
            }
        }
        Ok(measured)
    }

    async fn measure(&self, test: Test, title: &str) -> Result<Run, Failure> {
        if self.args.no_history {
            self.measure_with::<Probe<false>>(test, title).await
        } else {
            self.measure_with::<Probe<true>>(test, title).await
        }
    }

    /// One run, on an empty queue.
    async fn measure_with<P: Probing>(&self, test: Test, title: &str) -> Result<Run, Failure> {
        self.remove().await?;
        self.queue.install().await?;
        let board = Arc::new(Board::new());
        let queue = queue(&self.options, &self.schema, self.args.producers);
        if test == Test::Drain {
            self.fill::<P>(&queue, None).await?;
        }
        let before = Counters::read(&self.options).await.map_err(unexpected)?;
        let progress = Progress::start(Arc::clone(&board), test.jobs(&self.args), title);
        let count = match test {
            Test::Enqueue => self.enqueue::<P>(&queue, &progress).await?,
            Test::Drain => self.drain::<P>(&queue, &board).await?,
            Test::Sustain => self.sustain::<P>(&queue, &board).await?,
            Test::Latency => self.latency::<P>(&queue, &board).await?,
            Test::Burst => self.burst::<P>(&queue, &board).await?,
        };
        let series = progress.finish();
        queue.close().await;
        if let Some(pool) = queue.pool() {
            pool.close().await;
        }
        let after = Counters::read(&self.options).await.map_err(unexpected)?;
        // Those of the warm-up have cost something, too.
        let handled = count.jobs.max(board.done());
        Ok(Run::new(
            &count.percentiles,
            count.jobs,
            count.seconds,
            after.per_job(before, handled),
            series,
        ))
    }

    fn worker<P: Probing>(&self, queue: &PgQueuer, board: &Arc<Board>) -> Result<Worker, Failure> {
        let config = WorkerConfig {
            concurrency: self.args.concurrency as usize,
            claim_batch: self.args.claim_batch as usize,
            settle_batch: self.args.settle_batch as usize,
            ..WorkerConfig::default()
        };
        let worker = queue.worker().only_registered().register::<P>();
        Ok(worker.state(Arc::clone(board)).config(config).build()?)
    }

    /// Enqueues all jobs, in batches.
    async fn fill<P: Probing>(
        &self,
        queue: &PgQueuer,
        progress: Option<&Progress>,
    ) -> Result<(), Failure> {
        let mut left = self.args.jobs;
        while left > 0 {
            let batch = left.min(self.args.batch);
            let probes = (0..batch).map(|_| P::make(self.args.payload, None));
            P::enqueue_many(queue, probes).await?;
            left -= batch;
            if let Some(progress) = progress {
                progress.add(batch.into());
            }
        }
        Ok(())
    }

    async fn enqueue<P: Probing>(
        &self,
        queue: &PgQueuer,
        progress: &Progress,
    ) -> Result<Count, Failure> {
        let began = Instant::now();
        self.fill::<P>(queue, Some(progress)).await?;
        Ok(Count {
            jobs: self.args.jobs.into(),
            seconds: began.elapsed().as_secs_f64(),
            percentiles: None,
        })
    }

    async fn drain<P: Probing>(
        &self,
        queue: &PgQueuer,
        board: &Arc<Board>,
    ) -> Result<Count, Failure> {
        let began = Instant::now();
        let report = self.worker::<P>(queue, board)?.drain().await?;
        Ok(Count {
            jobs: report.completed,
            seconds: began.elapsed().as_secs_f64(),
            percentiles: None,
        })
    }

    async fn sustain<P: Probing>(
        &self,
        queue: &PgQueuer,
        board: &Arc<Board>,
    ) -> Result<Count, Failure> {
        let running = Running::start(self.worker::<P>(queue, board)?);
        let (producing, producer) = (queue.clone(), Arc::clone(board));
        let (batch, payload) = (self.args.batch, self.args.payload);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let producing = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut enqueued = 0;
            // To the end of a call: one that is cut off leaves its connection in disorder.
            while !stopped.is_cancelled() {
                if enqueued - producer.done().min(enqueued) > BACKLOG {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                let probes = (0..batch).map(|_| P::make(payload, None));
                P::enqueue_many(&producing, probes).await?;
                enqueued += u64::from(batch);
            }
            Ok::<u64, pgqueuer::Error>(enqueued)
        }));
        tokio::time::sleep(WARM_UP).await;
        let (before, began) = (board.done(), Instant::now());
        tokio::time::sleep(self.args.duration).await;
        let (jobs, seconds) = (board.done() - before, began.elapsed().as_secs_f64());
        stop.cancel();
        let enqueued = producing.await.map_err(unexpected)??;
        self.all_done(board, enqueued).await?;
        running.stop().await?;
        Ok(Count {
            jobs,
            seconds,
            percentiles: None,
        })
    }

    async fn latency<P: Probing>(
        &self,
        queue: &PgQueuer,
        board: &Arc<Board>,
    ) -> Result<Count, Failure> {
        let running = Running::start(self.worker::<P>(queue, board)?);
        tokio::time::sleep(FALL_ASLEEP).await;
        let began = Instant::now();
        for probe in 1..=self.args.probes {
            P::make(self.args.payload, Some(board.stamp()))
                .enqueue(queue)
                .await?;
            // Uneven, so that it does not keep in step with anything.
            let pause = 5 + u64::from(probe) * 7919 % 16;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.all_done(board, self.args.probes.into()).await?;
        let seconds = began.elapsed().as_secs_f64();
        running.stop().await?;
        Ok(Count {
            jobs: self.args.probes.into(),
            seconds,
            percentiles: Some(Percentiles::of(&board.pickups())),
        })
    }

    async fn burst<P: Probing>(
        &self,
        queue: &PgQueuer,
        board: &Arc<Board>,
    ) -> Result<Count, Failure> {
        let running = Running::start(self.worker::<P>(queue, board)?);
        tokio::time::sleep(FALL_ASLEEP).await;
        let began = Instant::now();
        let mut producers = JoinSet::new();
        for _ in 0..self.args.producers {
            let (queue, board, args) = (queue.clone(), Arc::clone(board), self.args.clone());
            producers.spawn(async move {
                let mut enqueued = 0_u64;
                while began.elapsed() < args.duration {
                    let probe = P::make(args.payload, Some(board.stamp()));
                    probe.enqueue(&queue).await?;
                    enqueued += 1;
                }
                Ok::<u64, pgqueuer::Error>(enqueued)
            });
        }
        let mut enqueued = 0;
        while let Some(producer) = producers.join_next().await {
            enqueued += producer.map_err(unexpected)??;
        }
        let seconds = began.elapsed().as_secs_f64();
        self.all_done(board, enqueued).await?;
        running.stop().await?;
        Ok(Count {
            jobs: enqueued,
            seconds,
            percentiles: Some(Percentiles::of(&board.pickups())),
        })
    }

    /// Waits until so many were run. Percentiles of those that did run would flatter a queue
    /// that leaves some behind.
    async fn all_done(&self, board: &Board, jobs: u64) -> Result<(), Failure> {
        let began = Instant::now();
        while board.done() < jobs {
            if began.elapsed() > LONGEST_TAIL {
                return Err(unexpected(format!(
                    "{} of {jobs} jobs were not run within {LONGEST_TAIL:?}",
                    jobs - board.done()
                )));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// Both sorts of probes.
pub(super) trait Probing: Job {
    fn make(size: u32, sent: Option<u64>) -> Self;
}

impl<const RECORDED: bool> Probing for Probe<RECORDED> {
    fn make(size: u32, sent: Option<u64>) -> Self {
        Self::new(size, sent)
    }
}

fn queue(options: &PgConnectOptions, schema: &SchemaName, connections: u32) -> PgQueuer {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        // A round trip for each use, which is not what is to be measured.
        .test_before_acquire(false)
        .connect_lazy_with(options.clone());
    PgQueuer::with_schema(pool, schema.clone())
}
