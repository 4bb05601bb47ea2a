//! The seam, in memory. Each step is a method of [`Memory`](super::state::Memory).

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{MemoryStore, bell::MemoryBell, state::Memory};
use crate::{
    error::{Error, Result},
    job::JobId,
    limits::{Limits, Scope},
    schedule::Schedule,
    store::{
        Bell, ClaimKey, ClaimRequest, Claimed, Crash, Disposition, DueSchedules, Herald, Holds,
        Horizon, JobEnd, JobToEnqueue, KindRecord, MinuteToAdd, ProgressToNote, Promotion,
        SessionId, Settlement, Store, Tended, TickToMake, Ticked, WatcherId, Work, WorkerReport,
    },
    unique::{Enqueued, Unique},
};

#[async_trait]
impl Store for MemoryStore {
    // There is no schema: nothing to install, and nothing that could be wrong with it.
    async fn install(&self) -> Result<Vec<i32>> {
        Ok(Vec::new())
    }

    async fn installed_version(&self) -> Result<Option<i32>> {
        Ok(None)
    }

    async fn uninstall(&self) -> Result<()> {
        *self.lock() = Memory::default();
        Ok(())
    }

    async fn verify(&self) -> Result<()> {
        Ok(())
    }

    async fn warm_up(&self) {}

    async fn enqueue(&self, jobs: &[JobToEnqueue]) -> Result<Vec<JobId>> {
        let ids = self.lock().enqueue(jobs, self.clock.now());
        self.ring();
        Ok(ids)
    }

    async fn enqueue_unique(
        &self,
        jobs: &[(JobToEnqueue, Option<Unique>)],
    ) -> Result<Vec<Enqueued>> {
        let added = self.lock().enqueue_unique(jobs, self.clock.now())?;
        self.ring();
        Ok(added)
    }

    async fn forget_keys(&self, limit: u32) -> Result<u64> {
        Ok(self.lock().forget_keys(limit, self.clock.now()))
    }

    async fn open_session(&self, worker: &str, lease: Duration) -> Result<SessionId> {
        Ok(self.lock().open_session(worker, self.clock.now(), lease))
    }

    async fn renew_session(&self, session: SessionId, lease: Duration) -> Result<bool> {
        Ok(self.lock().renew_session(session, self.clock.now() + lease))
    }

    async fn close_session(&self, session: SessionId, _holds: Holds<'_>) -> Result<()> {
        if self.lock().close_session(session, self.clock.now()) > 0 {
            self.ring();
        }
        Ok(())
    }

    async fn rescue(&self) -> Result<Vec<Crash>> {
        let crashes = self.lock().rescue(self.clock.now());
        if !crashes.is_empty() {
            self.ring();
        }
        Ok(crashes)
    }

    async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        Ok(self.lock().claim(request, self.clock.now()))
    }

    async fn reconcile(&self, session: SessionId, known: &[ClaimKey]) -> Result<u64> {
        let given_back = self.lock().reconcile(session, known, self.clock.now());
        if given_back > 0 {
            self.ring();
        }
        Ok(given_back)
    }

    async fn settle(
        &self,
        session: SessionId,
        settlements: &[Settlement],
    ) -> Result<Vec<ClaimKey>> {
        let refused = self.lock().settle(session, settlements, self.clock.now());
        let ends = |it: &Settlement| matches!(it.disposition, Disposition::End { .. });
        if !settlements.iter().all(ends) {
            self.ring();
        }
        Ok(refused)
    }

    async fn begin(&self) -> Result<Box<dyn Work>> {
        Err(Error::config("a queue in memory has no transactions"))
    }

    async fn promote(&self, limit: u32) -> Result<Promotion> {
        let promotion = self.lock().promote(limit, self.clock.now());
        if promotion.promoted > 0 {
            self.ring();
        }
        Ok(promotion)
    }

    async fn has_bell(&self) -> Result<bool> {
        Ok(true)
    }

    async fn bell(&self) -> Result<Box<dyn Bell>> {
        Ok(Box::new(MemoryBell(self.rings.subscribe())))
    }

    // There is nobody whom a ring costs anything, and nothing is half-written.
    async fn arm_bell(&self, session: SessionId, armed: bool) -> Result<Horizon> {
        if let Some(session) = self.lock().sessions.get_mut(&session) {
            session.is_idle = armed;
        }
        Ok(Horizon::default())
    }

    async fn has_passed(&self, _horizon: Horizon) -> Result<bool> {
        Ok(true)
    }

    // There is nobody whom telling costs anything.
    async fn await_kinds(
        &self,
        watcher: Option<WatcherId>,
        _kinds: &[String],
        _lasts: Duration,
    ) -> Result<WatcherId> {
        Ok(watcher.unwrap_or(WatcherId(0)))
    }

    async fn herald(&self) -> Result<Box<dyn Herald>> {
        Ok(Box::new(self.lock().herald()))
    }

    async fn ends(&self, ids: &[JobId]) -> Result<Vec<JobEnd>> {
        Ok(self.lock().ends(ids, self.clock.now()))
    }

    async fn forget_watchers(&self, _limit: u32) -> Result<u64> {
        Ok(0)
    }

    async fn note_progress(&self, session: SessionId, progress: &[ProgressToNote]) -> Result<()> {
        self.lock()
            .note_progress(session, progress, self.clock.now());
        Ok(())
    }

    async fn forget_progress(&self, _limit: u32) -> Result<u64> {
        Ok(0)
    }

    async fn requeue_stranded(&self) -> Result<u64> {
        Ok(0)
    }

    async fn publish_kinds(&self, kinds: &[KindRecord]) -> Result<()> {
        self.lock().publish_kinds(kinds);
        Ok(())
    }

    async fn publish_limits(&self, limits: &[(Scope, Limits)]) -> Result<bool> {
        let is_changed = self.lock().publish_limits(limits);
        self.ring();
        Ok(is_changed)
    }

    async fn adopt(&self) -> Result<u64> {
        Ok(self.lock().adopt())
    }

    async fn forget_rates(&self, limit: u32) -> Result<u64> {
        Ok(self.lock().forget_rates(limit, self.clock.now()))
    }

    async fn publish_schedules(
        &self,
        schedules: &[(String, Schedule)],
    ) -> Result<Vec<(String, String)>> {
        Ok(self.lock().publish_schedules(schedules, self.clock.now()))
    }

    async fn due_schedules(&self, kinds: &[&str], declared: &[&str]) -> Result<DueSchedules> {
        Ok(self.lock().due_schedules(kinds, declared, self.clock.now()))
    }

    async fn tick(&self, ticks: &[TickToMake]) -> Result<Vec<Ticked>> {
        let ticked = self.lock().tick(ticks, self.clock.now());
        self.ring();
        Ok(ticked)
    }

    // Records are kept one by one, and forgotten one by one.
    async fn tend_history(&self) -> Result<Tended> {
        Ok(Tended::default())
    }

    async fn prune(&self, limit: u32) -> Result<u64> {
        Ok(self.lock().prune(limit, self.clock.now()))
    }

    async fn report(&self, session: SessionId, report: &WorkerReport) -> Result<()> {
        if let Some(session) = self.lock().sessions.get_mut(&session) {
            session.report = Some(report.clone());
        }
        Ok(())
    }

    /// They are counted when they are asked for.
    async fn fold_counts(&self, _limit: u32) -> Result<u64> {
        Ok(0)
    }

    async fn add_minutes(&self, minutes: &[MinuteToAdd]) -> Result<()> {
        self.lock().add_minutes(minutes, self.clock.now());
        Ok(())
    }

    async fn forget_minutes(&self, keep: Duration, limit: u32) -> Result<u64> {
        Ok(self.lock().forget_minutes(keep, limit, self.clock.now()))
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.clock.now())
    }

    async fn cancelled(&self, session: SessionId) -> Result<Vec<(ClaimKey, String)>> {
        Ok(self.lock().cancelled(session))
    }
}
