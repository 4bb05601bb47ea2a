//! Workers as processes: started, signalled, and asked afterwards how they ended.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

use crate::{Result, proxy::Proxy, server::Server};

/// One process.
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) proxy: Proxy,
    child: Child,
    log: PathBuf,
    is_killed: bool,
    told_to_stop: Option<Instant>,
}

impl Worker {
    /// Sends a signal. A process that has ended meanwhile does not mind.
    pub(crate) async fn send(&self, signal: &str) -> Result {
        if let Some(pid) = self.child.id() {
            let mut kill = Command::new("kill");
            kill.args([signal, &pid.to_string()]).stderr(Stdio::null());
            kill.status().await?;
        }
        Ok(())
    }

    pub(crate) fn is_told_to_stop(&self) -> bool {
        self.told_to_stop.is_some()
    }
}

/// All processes of a run.
pub(crate) struct Fleet {
    dir: PathBuf,
    socket: PathBuf,
    started: u32,
    pub(crate) workers: Vec<Worker>,
    /// Those that were told to stop, and may have given back what they had begun.
    pub(crate) graceful: Vec<String>,
    /// What no worker should have done.
    pub(crate) wrong: Vec<String>,
    pub(crate) tally: Tally,
}

/// What became of the processes.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) started: u32,
    pub(crate) not_started: u32,
    pub(crate) killed: u32,
    pub(crate) killed_by_jobs: u32,
    pub(crate) stopped: u32,
}

impl Fleet {
    pub(crate) fn new(server: &Server, dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            socket: server.socket(),
            started: 0,
            workers: Vec::new(),
            graceful: Vec::new(),
            wrong: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Starts a worker behind a proxy of its own. Every other one bounds a queue, which
    /// changes how it claims.
    pub(crate) async fn start(&mut self) -> Result {
        let number = self.started;
        self.started += 1;
        self.tally.started += 1;
        let name = format!("worker-{number}");
        let proxy = Proxy::start(self.socket.clone()).await?;
        let log = self.dir.join(format!("{name}.log"));
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["worker", "--format", "json", "--name", &name])
            .args(["--grace", "2s", "--concurrency", "40"])
            .args(["--queue", "default"])
            .args([
                "--queue",
                if number.is_multiple_of(2) {
                    "narrow=2"
                } else {
                    "narrow"
                },
            ])
            .env("DATABASE_URL", Server::url_at(proxy.port))
            .env("CHAOS_WORKER", &name)
            .env("CHAOS_NARROW", (number.is_multiple_of(2)).to_string())
            // The shortest that there is, so that much happens in a short run.
            .env("CHAOS_LEASE", "3")
            .env("RUST_LOG", "pgqueuer=info")
            // Panics are part of the plan.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(File::create(self.dir.join(format!("{name}.out")))?)
            .stderr(File::create(&log)?)
            .kill_on_drop(true);
        self.workers.push(Worker {
            name,
            proxy,
            child: command.spawn()?,
            log,
            is_killed: false,
            told_to_stop: None,
        });
        Ok(())
    }

    pub(crate) async fn kill(&mut self, index: usize) -> Result {
        self.workers[index].is_killed = true;
        self.workers[index].send("-KILL").await
    }

    /// Tells a worker to stop, which takes it a while.
    pub(crate) async fn stop(&mut self, index: usize) -> Result {
        let worker = &mut self.workers[index];
        worker.told_to_stop = Some(Instant::now());
        self.graceful.push(worker.name.clone());
        worker.send("-TERM").await
    }

    /// Buries those that have ended.
    pub(crate) fn reap(&mut self) -> Result {
        let mut index = 0;
        while index < self.workers.len() {
            match self.workers[index].child.try_wait()? {
                Some(status) => {
                    let worker = self.workers.swap_remove(index);
                    self.judge(&worker, status);
                }
                None => index += 1,
            }
        }
        Ok(())
    }

    /// Waits until all have ended; what does not is killed, and wrong.
    pub(crate) async fn wait_for_all(&mut self, limit: Duration) -> Result {
        let began = Instant::now();
        while !self.workers.is_empty() {
            self.reap()?;
            if began.elapsed() > limit {
                for worker in std::mem::take(&mut self.workers) {
                    let name = &worker.name;
                    self.wrong.push(format!(
                        "{name} has not stopped {limit:?} after it was told to"
                    ));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn judge(&mut self, worker: &Worker, status: ExitStatus) {
        use std::os::unix::process::ExitStatusExt as _;
        const SIGABRT: i32 = 6;
        const SIGKILL: i32 = 9;

        let log = fs::read_to_string(&worker.log).unwrap_or_default();
        let has_started = log.contains("worker started");
        match (status.code(), status.signal()) {
            (_, Some(SIGKILL)) if worker.is_killed => self.tally.killed += 1,
            (_, Some(SIGABRT)) => self.tally.killed_by_jobs += 1,
            (Some(0), _) if worker.is_told_to_stop() => self.tally.stopped += 1,
            // Told to stop, or without a database, while it was starting.
            (Some(_), _) | (_, Some(15)) if !has_started => self.tally.not_started += 1,
            _ => {
                let last = log.lines().last().unwrap_or_default();
                self.wrong
                    .push(format!("{} ended with {status}: {last}", worker.name));
            }
        }
    }

    /// The lines of all logs.
    pub(crate) fn logs(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for number in 0..self.started {
            let log = fs::read_to_string(self.dir.join(format!("worker-{number}.log")))?;
            lines.extend(log.lines().map(str::to_owned));
        }
        Ok(lines)
    }
}
