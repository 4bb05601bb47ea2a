//! The director: what fails, and when. All that is left to chance comes from the seed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fastrand::Rng;
use throwaway_postgres::Shutdown;

use crate::{Result, fleet::Fleet, proxy::Line, server::Server};

/// How many workers there are at most.
const WORKERS: usize = 4;

pub(crate) struct Director<'a> {
    pub(crate) server: &'a Server,
    pub(crate) fleet: &'a mut Fleet,
    pub(crate) rng: Rng,
    /// What was done, and how often.
    pub(crate) done: BTreeMap<&'static str, u64>,
    /// What has to be undone, for which worker, and when.
    undone: Vec<(Instant, String, Undo)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    Pause,
    Cut,
}

impl<'a> Director<'a> {
    pub(crate) fn new(server: &'a Server, fleet: &'a mut Fleet, rng: Rng) -> Self {
        Self {
            server,
            fleet,
            rng,
            done: BTreeMap::new(),
            undone: Vec::new(),
        }
    }

    /// Makes things fail for so long; then nothing is cut or paused any more.
    pub(crate) async fn direct(&mut self, how_long: Duration) -> Result {
        let began = Instant::now();
        while began.elapsed() < how_long {
            self.act().await?;
            let next = Instant::now() + Duration::from_millis(self.rng.u64(100..1500));
            while Instant::now() < next {
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.fleet.reap()?;
                self.undo(Instant::now()).await?;
            }
        }
        self.undo(Instant::now() + Duration::from_secs(3600)).await
    }

    async fn act(&mut self) -> Result {
        let present = self.fleet.workers.len();
        if present == 0 || (present < WORKERS && self.rng.u8(..2) == 0) {
            return self.fleet.start().await;
        }
        let chosen = self.rng.usize(..present);
        match self.rng.u8(..16) {
            0..2 => {
                self.count("kill -9");
                self.fleet.kill(chosen).await
            }
            2..4 if !self.fleet.workers[chosen].is_told_to_stop() => {
                self.count("SIGTERM");
                self.fleet.stop(chosen).await
            }
            4..7 => self.pause(chosen).await,
            7..11 => self.cut(chosen).await,
            11..14 => {
                let backends = self.rng.u32(1..8);
                let terminated = self.server.terminate(backends).await?;
                *self.done.entry("backends terminated").or_default() += u64::try_from(terminated)?;
                Ok(())
            }
            14 => self.restart().await,
            _ => Ok(()),
        }
    }

    /// Longer than a lease, half of the times.
    fn a_while(&mut self) -> Duration {
        let range = if self.rng.bool() {
            100..2500
        } else {
            3500..8000
        };
        Duration::from_millis(self.rng.u64(range))
    }

    async fn pause(&mut self, chosen: usize) -> Result {
        self.count("SIGSTOP");
        let until = Instant::now() + self.a_while();
        let worker = &self.fleet.workers[chosen];
        self.undone.push((until, worker.name.clone(), Undo::Pause));
        worker.send("-STOP").await
    }

    async fn cut(&mut self, chosen: usize) -> Result {
        let lines = [
            (Line::Closed, "cut: closed"),
            (Line::Silent, "cut: silent"),
            (Line::Deaf, "cut: replies lost"),
        ];
        let (line, name) = lines[self.rng.usize(..lines.len())];
        self.count(name);
        // A short one loses a reply, and no lease.
        let how_long = match self.rng.bool() {
            true => Duration::from_millis(self.rng.u64(20..500)),
            false => self.a_while(),
        };
        let until = Instant::now() + how_long;
        let worker = &self.fleet.workers[chosen];
        self.undone.push((until, worker.name.clone(), Undo::Cut));
        worker.proxy.set(line);
        Ok(())
    }

    async fn restart(&mut self) -> Result {
        let ways = [
            (Shutdown::Smart, "restart: smart"),
            (Shutdown::Fast, "restart: fast"),
            (Shutdown::Immediate, "restart: immediate"),
            (Shutdown::Immediate, "restart: immediate"),
        ];
        let (how, name) = ways[self.rng.usize(..ways.len())];
        self.count(name);
        self.server.restart(how).await
    }

    /// Undoes what is due by then.
    async fn undo(&mut self, by: Instant) -> Result {
        let (due, later) = std::mem::take(&mut self.undone)
            .into_iter()
            .partition(|(at, ..)| *at <= by);
        self.undone = later;
        for (_, name, undo) in due {
            let found = self.fleet.workers.iter().find(|it| it.name == name);
            match (found, undo) {
                (Some(worker), Undo::Pause) => worker.send("-CONT").await?,
                (Some(worker), Undo::Cut) => worker.proxy.heal().await,
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }
}
