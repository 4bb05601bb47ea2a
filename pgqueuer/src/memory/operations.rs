//! What people see of a queue, and do to it, in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    error::Result,
    job::JobId,
    limits::{LimitRecord, Scope, SetLimit},
    store::{
        Cancelled, Counts, Edit, HeldJob, HistoryFilter, HistoryPage, HistoryPlace, JobFilter,
        JobRecord, KindRecord, KindTotal, Meant, MinuteRecord, Operations, Overview, Requeue,
        Requeued, ScheduleRecord, ScheduleToChange, ScheduleToMake, StaleRecord, Step, Store,
    },
};

#[async_trait]
impl Operations for MemoryStore {
    async fn overview(&self) -> Result<Overview> {
        Ok(self.lock().overview(self.clock.now()))
    }

    async fn list_totals(&self) -> Result<Vec<KindTotal>> {
        Ok(self.lock().list_totals())
    }

    async fn recount(&self) -> Result<u64> {
        Ok(0)
    }

    async fn list_kinds(&self) -> Result<Vec<KindRecord>> {
        Ok(self.lock().list_kinds())
    }

    async fn set_limits(&self, scope: &Scope, limits: Option<&[SetLimit]>) -> Result<()> {
        self.lock().set_limits(scope, limits);
        self.adopt().await?;
        self.ring();
        Ok(())
    }

    async fn set_paused(&self, scope: &Scope, is_paused: bool) -> Result<bool> {
        let paused_at = is_paused.then(|| self.clock.now());
        let is_changed = self.lock().set_paused(scope, paused_at);
        self.ring();
        Ok(is_changed)
    }

    async fn list_limits(&self) -> Result<Vec<LimitRecord>> {
        Ok(self.lock().list_limits())
    }

    async fn list_schedules(&self) -> Result<Vec<ScheduleRecord>> {
        Ok(self.lock().list_schedules(self.clock.now()))
    }

    async fn create_schedule(&self, schedule: &ScheduleToMake) -> Result<bool> {
        Ok(self.lock().create_schedule(schedule, self.clock.now()))
    }

    async fn change_schedule(&self, name: &str, change: &ScheduleToChange) -> Result<bool> {
        Ok(self.lock().change_schedule(name, change, self.clock.now()))
    }

    async fn pause_schedule(&self, name: &str, is_paused: bool) -> Result<Option<bool>> {
        Ok(self
            .lock()
            .pause_schedule(name, is_paused, self.clock.now()))
    }

    async fn run_schedule(&self, name: &str) -> Result<Option<JobId>> {
        let id = self.lock().run_schedule(name, self.clock.now())?;
        self.ring();
        Ok(id)
    }

    async fn delete_schedule(&self, name: &str) -> Result<bool> {
        Ok(self.lock().delete_schedule(name))
    }

    async fn list_minutes(&self, last: Duration) -> Result<Vec<MinuteRecord>> {
        Ok(self.lock().list_minutes(last, self.clock.now()))
    }

    async fn get_job(&self, id: JobId) -> Result<Option<JobRecord>> {
        Ok(self.lock().get_job(id, self.clock.now()))
    }

    async fn list_jobs(
        &self,
        filter: &JobFilter,
        above: JobId,
        limit: u32,
    ) -> Result<Vec<JobRecord>> {
        Ok(self.lock().list_jobs(filter, above, limit))
    }

    async fn list_history(
        &self,
        filter: &HistoryFilter,
        below: Option<HistoryPlace>,
        limit: u32,
    ) -> Result<HistoryPage> {
        Ok(self
            .lock()
            .list_history(filter, below, limit, self.clock.now()))
    }

    async fn list_held(&self, kinds: Option<&[String]>, limit: u32) -> Result<Vec<HeldJob>> {
        Ok(self.lock().list_held(kinds, limit))
    }

    async fn list_stale(
        &self,
        waits: Duration,
        runs: Duration,
        limit: u32,
    ) -> Result<Vec<StaleRecord>> {
        Ok(self.lock().list_stale(waits, runs, limit, self.clock.now()))
    }

    async fn count_meant(&self, filter: &JobFilter, limit: u32) -> Result<Vec<Meant>> {
        Ok(self.lock().count_meant(filter, limit))
    }

    async fn cancel(
        &self,
        filter: &JobFilter,
        reason: &str,
        above: JobId,
        limit: u32,
    ) -> Result<Step<Cancelled>> {
        let now = self.clock.now();
        let step = self.lock().cancel(filter, reason, above, limit, now);
        self.ring();
        Ok(step)
    }

    async fn requeue(
        &self,
        filter: &JobFilter,
        how: &Requeue,
        above: JobId,
        limit: u32,
    ) -> Result<Step<Requeued>> {
        let now = self.clock.now();
        let step = self.lock().requeue(filter, how, above, limit, now);
        self.ring();
        Ok(step)
    }

    async fn discard(&self, filter: &JobFilter, above: JobId, limit: u32) -> Result<Step<u64>> {
        Ok(self.lock().discard(filter, above, limit, self.clock.now()))
    }

    async fn edit(
        &self,
        filter: &JobFilter,
        edit: &Edit,
        above: JobId,
        limit: u32,
    ) -> Result<Step<u64>> {
        let now = self.clock.now();
        let step = self.lock().edit(filter, edit, above, limit, now)?;
        self.ring();
        Ok(step)
    }

    async fn count_jobs(&self, kinds: Option<&[&str]>) -> Result<Counts> {
        Ok(self.lock().count_jobs(kinds))
    }
}
