//! What people see of a queue, and do to it, on PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    PostgresStore, failed_to, history, kinds, limits, operate, overview, recent, schedules,
    troubles,
};
use crate::{
    error::Result,
    job::JobId,
    limits::{LimitRecord, Scope, SetLimit},
    store::{
        Cancelled, Counts, Edit, HeldJob, HistoryFilter, HistoryPage, HistoryPlace, JobFilter,
        JobRecord, KindRecord, KindTotal, Meant, MinuteRecord, Operations, Overview, Requeue,
        Requeued, ScheduleRecord, ScheduleToChange, ScheduleToMake, StaleRecord, Step,
    },
};

#[async_trait]
impl Operations for PostgresStore {
    async fn overview(&self) -> Result<Overview> {
        overview::overview(self).await
    }

    async fn list_totals(&self) -> Result<Vec<KindTotal>> {
        overview::list_totals(&self.pool, &self.statements).await
    }

    async fn recount(&self) -> Result<u64> {
        overview::recount(&self.pool, &self.statements).await
    }

    async fn list_kinds(&self) -> Result<Vec<KindRecord>> {
        kinds::list(&self.pool, &self.statements).await
    }

    async fn set_limits(&self, scope: &Scope, limits: Option<&[SetLimit]>) -> Result<()> {
        limits::set(&self.pool, &self.statements, scope, limits).await
    }

    async fn set_paused(&self, scope: &Scope, is_paused: bool) -> Result<bool> {
        limits::set_paused(&self.pool, &self.statements, scope, is_paused).await
    }

    async fn list_limits(&self) -> Result<Vec<LimitRecord>> {
        limits::list(&self.pool, &self.statements).await
    }

    async fn list_schedules(&self) -> Result<Vec<ScheduleRecord>> {
        schedules::list(&self.pool, &self.statements).await
    }

    async fn create_schedule(&self, schedule: &ScheduleToMake) -> Result<bool> {
        schedules::create(&self.pool, &self.statements, schedule).await
    }

    async fn change_schedule(&self, name: &str, change: &ScheduleToChange) -> Result<bool> {
        schedules::change(&self.pool, &self.statements, name, change).await
    }

    async fn pause_schedule(&self, name: &str, is_paused: bool) -> Result<Option<bool>> {
        schedules::pause(&self.pool, &self.statements, name, is_paused).await
    }

    async fn run_schedule(&self, name: &str) -> Result<Option<JobId>> {
        schedules::run(&self.pool, &self.statements, name).await
    }

    async fn delete_schedule(&self, name: &str) -> Result<bool> {
        schedules::delete(&self.pool, &self.statements, name).await
    }

    async fn list_minutes(&self, last: Duration) -> Result<Vec<MinuteRecord>> {
        history::list_minutes(&self.pool, &self.statements, last).await
    }

    async fn get_job(&self, id: JobId) -> Result<Option<JobRecord>> {
        operate::get(&self.pool, &self.statements, id).await
    }

    async fn list_jobs(
        &self,
        filter: &JobFilter,
        above: JobId,
        limit: u32,
    ) -> Result<Vec<JobRecord>> {
        let failed = failed_to("list jobs");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let route = lent.route();
        let connection = lent.connection();
        let listed =
            operate::list(connection, route, &self.statements, filter, above, limit).await?;
        lent.give_back().await.map_err(&failed)?;
        Ok(listed)
    }

    async fn list_history(
        &self,
        filter: &HistoryFilter,
        below: Option<HistoryPlace>,
        limit: u32,
    ) -> Result<HistoryPage> {
        recent::list(&self.pool, &self.statements, filter, below, limit).await
    }

    async fn list_held(&self, kinds: Option<&[String]>, limit: u32) -> Result<Vec<HeldJob>> {
        troubles::held(&self.pool, &self.statements, kinds, limit).await
    }

    async fn list_stale(
        &self,
        waits: Duration,
        runs: Duration,
        limit: u32,
    ) -> Result<Vec<StaleRecord>> {
        troubles::stale(&self.pool, &self.statements, waits, runs, limit).await
    }

    async fn count_meant(&self, filter: &JobFilter, limit: u32) -> Result<Vec<Meant>> {
        operate::count_meant(&self.pool, &self.statements, filter, limit).await
    }

    async fn cancel(
        &self,
        filter: &JobFilter,
        reason: &str,
        above: JobId,
        limit: u32,
    ) -> Result<Step<Cancelled>> {
        let failed = failed_to("cancel jobs");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let route = lent.route();
        let connection = lent.connection();
        let statements = &self.statements;
        let step =
            operate::cancel(connection, route, statements, filter, reason, above, limit).await?;
        lent.give_back().await.map_err(&failed)?;
        Ok(step)
    }

    async fn requeue(
        &self,
        filter: &JobFilter,
        how: &Requeue,
        above: JobId,
        limit: u32,
    ) -> Result<Step<Requeued>> {
        let failed = failed_to("requeue jobs");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let route = lent.route();
        let connection = lent.connection();
        let statements = &self.statements;
        let step =
            operate::requeue(connection, route, statements, filter, how, above, limit).await?;
        lent.give_back().await.map_err(&failed)?;
        Ok(step)
    }

    async fn discard(&self, filter: &JobFilter, above: JobId, limit: u32) -> Result<Step<u64>> {
        let failed = failed_to("discard jobs");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let route = lent.route();
        let connection = lent.connection();
        let step =
            operate::discard(connection, route, &self.statements, filter, above, limit).await?;
        lent.give_back().await.map_err(&failed)?;
        Ok(step)
    }

    async fn edit(
        &self,
        filter: &JobFilter,
        edit: &Edit,
        above: JobId,
        limit: u32,
    ) -> Result<Step<u64>> {
        operate::edit(&self.pool, &self.statements, filter, edit, above, limit).await
    }

    async fn count_jobs(&self, kinds: Option<&[&str]>) -> Result<Counts> {
        operate::count(&self.pool, &self.statements, kinds).await
    }
}
