//! The seam, on PostgreSQL: which area does what, and over which connection.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    PostgresStore, bell, bell::PostgresBell, claim, enqueue, failed_to, history, kinds, limits,
    listener::Listener, migrate, operate, overview, route::Route, schedules, sessions, settle,
    upkeep, waits::PostgresHerald, work::PostgresWork,
};
use crate::{
    error::Result,
    job::JobId,
    limits::{Limits, Scope},
    schedule::Schedule,
    store::{
        Bell, ClaimKey, ClaimRequest, Claimed, Crash, DueSchedules, Herald, Holds, Horizon, JobEnd,
        JobToEnqueue, KindRecord, MinuteToAdd, ProgressToNote, Promotion, SessionId, Settlement,
        Store, Tended, TickToMake, Ticked, WatcherId, Work, WorkerReport,
    },
    unique::{Enqueued, Unique},
};

#[async_trait]
impl Store for PostgresStore {
    async fn install(&self) -> Result<Vec<i32>> {
        let applied = migrate::install(self.pool(), &self.schema).await?;
        if !applied.is_empty() {
            // Now, when nobody waits, and not when the first worker starts.
            while !history::tend_with(&self.pool, &self.statements)
                .await?
                .is_idle()
            {}
        }
        Ok(applied)
    }

    async fn installed_version(&self) -> Result<Option<i32>> {
        migrate::installed_version(&self.pool, &self.schema).await
    }

    async fn uninstall(&self) -> Result<()> {
        migrate::uninstall(self.pool(), &self.schema).await
    }

    async fn verify(&self) -> Result<()> {
        migrate::verify(&self.pool, &self.schema, &self.statements).await
    }

    async fn warm_up(&self) {
        // What cannot be made now is made, or fails, when it is needed.
        let _ = tokio::join!(
            self.control().warm_up(),
            self.lease().warm_up(),
            claim::warm_up(self.claiming(), &self.statements),
            settle::warm_up(self.settling(), &self.statements),
        );
    }

    async fn enqueue(&self, jobs: &[JobToEnqueue]) -> Result<Vec<JobId>> {
        self.gathering.enqueue(jobs).await
    }

    async fn enqueue_unique(
        &self,
        jobs: &[(JobToEnqueue, Option<Unique>)],
    ) -> Result<Vec<Enqueued>> {
        let failed = failed_to("enqueue jobs");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let enqueuing = async {
            let route = lent.route();
            let added =
                enqueue::enqueue_unique(lent.connection(), route, &self.statements, jobs).await?;
            lent.give_back().await.map_err(&failed)?;
            Ok(added)
        };
        self.moves.cut(enqueuing).await
    }

    async fn forget_keys(&self, limit: u32) -> Result<u64> {
        let statement = &self.statements.forget_keys;
        let what = "forget keys of unique jobs";
        let forgetting = upkeep::forget(self.control(), statement, what, limit);
        self.moves.cut(forgetting).await
    }

    async fn open_session(&self, worker: &str, lease: Duration) -> Result<SessionId> {
        let opening = sessions::open(self, worker, lease);
        self.moves.cut(opening).await
    }

    async fn renew_session(&self, session: SessionId, lease: Duration) -> Result<bool> {
        let renewing = sessions::renew(self, session, lease);
        self.moves.cut(renewing).await
    }

    async fn close_session(&self, session: SessionId, holds: Holds<'_>) -> Result<()> {
        let closing = sessions::close(self, session, holds);
        self.moves.cut(closing).await
    }

    async fn rescue(&self) -> Result<Vec<Crash>> {
        let rescuing = sessions::rescue(self);
        self.moves.cut(rescuing).await
    }

    async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let claiming = claim::claim(self.claiming(), &self.statements, &self.lanes, request);
        self.moves.cut(claiming).await
    }

    async fn reconcile(&self, session: SessionId, known: &[ClaimKey]) -> Result<u64> {
        let reconciling = sessions::reconcile(self, session, known);
        self.moves.cut(reconciling).await
    }

    async fn settle(
        &self,
        session: SessionId,
        settlements: &[Settlement],
    ) -> Result<Vec<ClaimKey>> {
        let settling = settle::settle(self.settling(), &self.statements, session, settlements);
        self.moves.cut(settling).await
    }

    async fn begin(&self) -> Result<Box<dyn Work>> {
        let work = PostgresWork::begin(&self.pool, &self.statements).await?;
        Ok(Box::new(work))
    }

    async fn promote(&self, limit: u32) -> Result<Promotion> {
        let promoting = upkeep::promote(self.control(), &self.statements, limit);
        self.moves.cut(promoting).await
    }

    async fn has_bell(&self) -> Result<bool> {
        bell::can_be_heard(self.control()).await
    }

    async fn bell(&self) -> Result<Box<dyn Bell>> {
        if !self.has_bell().await? {
            return Err(bell::through_a_pooler());
        }
        let channel = self.schema.bell_channel();
        let listener = Listener::listen(self.pool(), &self.moves, &channel).await?;
        Ok(Box::new(PostgresBell(listener)))
    }

    async fn arm_bell(&self, session: SessionId, armed: bool) -> Result<Horizon> {
        let arming = bell::arm(self.claiming(), &self.statements, session, armed);
        self.moves.cut(arming).await
    }

    async fn has_passed(&self, horizon: Horizon) -> Result<bool> {
        let looking = bell::horizon(self.claiming(), &self.statements);
        let now = self.moves.cut(looking).await?;
        Ok(now.oldest >= horizon.0)
    }

    async fn await_kinds(
        &self,
        watcher: Option<WatcherId>,
        kinds: &[String],
        lasts: Duration,
    ) -> Result<WatcherId> {
        let saying = self.say_who_waits(watcher, kinds, lasts);
        self.moves.cut(saying).await
    }

    async fn herald(&self) -> Result<Box<dyn Herald>> {
        let route = self.pool.route().await.map_err(failed_to("listen"))?;
        if route != Route::Direct {
            return Err(bell::through_a_pooler());
        }
        let channel = self.schema.ends_channel();
        let listener = Listener::listen(self.pool(), &self.moves, &channel).await?;
        Ok(Box::new(PostgresHerald(listener)))
    }

    async fn ends(&self, ids: &[JobId]) -> Result<Vec<JobEnd>> {
        self.moves.cut(self.ends_of(ids)).await
    }

    async fn forget_watchers(&self, limit: u32) -> Result<u64> {
        let statement = &self.statements.forget_watchers;
        let what = "forget who has waited";
        let forgetting = upkeep::forget(self.control(), statement, what, limit);
        self.moves.cut(forgetting).await
    }

    async fn note_progress(&self, session: SessionId, progress: &[ProgressToNote]) -> Result<()> {
        self.moves.cut(self.note(session, progress)).await
    }

    async fn forget_progress(&self, limit: u32) -> Result<u64> {
        let statement = &self.statements.forget_progress;
        let what = "forget how far jobs were";
        let forgetting = upkeep::forget(self.control(), statement, what, limit);
        self.moves.cut(forgetting).await
    }

    async fn requeue_stranded(&self) -> Result<u64> {
        let looking = upkeep::requeue_stranded(self.control(), &self.statements);
        self.moves.cut(looking).await
    }

    async fn publish_kinds(&self, kinds: &[KindRecord]) -> Result<()> {
        let publishing = kinds::publish(self.control(), &self.statements, kinds);
        self.moves.cut(publishing).await
    }

    async fn publish_limits(&self, limits: &[(Scope, Limits)]) -> Result<bool> {
        let publishing = limits::publish(self.control(), &self.statements, limits);
        self.moves.cut(publishing).await
    }

    async fn adopt(&self) -> Result<u64> {
        let adopting = limits::adopt(self.control(), &self.statements);
        self.moves.cut(adopting).await
    }

    async fn forget_rates(&self, limit: u32) -> Result<u64> {
        let statement = &self.statements.forget_rates;
        let forgetting = upkeep::forget(self.control(), statement, "forget rates", limit);
        self.moves.cut(forgetting).await
    }

    async fn publish_schedules(
        &self,
        schedules: &[(String, Schedule)],
    ) -> Result<Vec<(String, String)>> {
        let publishing = schedules::publish(self.control(), &self.statements, schedules);
        self.moves.cut(publishing).await
    }

    async fn due_schedules(&self, kinds: &[&str], declared: &[&str]) -> Result<DueSchedules> {
        let looking = schedules::due(self.control(), &self.statements, kinds, declared);
        self.moves.cut(looking).await
    }

    async fn tick(&self, ticks: &[TickToMake]) -> Result<Vec<Ticked>> {
        let ticking = schedules::tick(self.control(), &self.statements, ticks);
        self.moves.cut(ticking).await
    }

    async fn tend_history(&self) -> Result<Tended> {
        let tending = history::tend(self.control(), &self.statements);
        self.moves.cut(tending).await
    }

    async fn prune(&self, limit: u32) -> Result<u64> {
        let statement = &self.statements.prune;
        let pruning = upkeep::forget(self.control(), statement, "prune the history", limit);
        self.moves.cut(pruning).await
    }

    async fn report(&self, session: SessionId, report: &WorkerReport) -> Result<()> {
        let reporting = overview::report(self.control(), &self.statements, session, report);
        self.moves.cut(reporting).await
    }

    async fn fold_counts(&self, limit: u32) -> Result<u64> {
        let folding = overview::fold(self.control(), &self.statements, limit);
        self.moves.cut(folding).await
    }

    async fn add_minutes(&self, minutes: &[MinuteToAdd]) -> Result<()> {
        let adding = history::add_minutes(self.control(), &self.statements, minutes);
        self.moves.cut(adding).await
    }

    async fn forget_minutes(&self, keep: Duration, limit: u32) -> Result<u64> {
        let forgetting = history::forget_minutes(self.control(), &self.statements, keep, limit);
        self.moves.cut(forgetting).await
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        operate::now(&self.pool, &self.statements).await
    }

    async fn cancelled(&self, session: SessionId) -> Result<Vec<(ClaimKey, String)>> {
        let looking = operate::cancelled(self.control(), &self.statements, session);
        self.moves.cut(looking).await
    }
}
