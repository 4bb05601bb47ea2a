//! The store on PostgreSQL. Nothing outside this folder writes SQL.
//!
//! Each file here is one area: bind, run, map. The statements are in `sql/`, one to a file,
//! written for the schema `pgqueuer` and valid in psql as they stand.

mod application;
mod bell;
mod claim;
mod dedicated;
mod enqueue;
mod failure;
mod gather;
mod history;
mod hosts;
mod lanes;
mod limits;
mod lookout;
mod migrate;
mod place;
mod purpose;
mod route;
mod rows;
mod schedules;
mod schema_name;
mod sessions;
mod settle;
mod statements;
mod upkeep;
mod work;

pub(crate) use enqueue::{enqueue_on, enqueue_to, enqueue_unique_on};
pub(crate) use failure::failed_to;
pub use hosts::Hosts;
pub use schema_name::SchemaName;
pub(crate) use statements::Statements;
pub(crate) use work::PostgresWork;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row as _, postgres::PgRow};

use crate::{
    error::{Error, Result},
    job::JobId,
    limits::{LimitRecord, Limits, Scope, SetLimit},
    store::{
        Bell, ClaimKey, ClaimRequest, Claimed, Counts, Crash, Holds, Horizon, JobRecord,
        JobToEnqueue, KindRecord, MinuteRecord, MinuteToAdd, NextTick, Promotion, ScheduleRecord,
        ScheduleToStore, SessionId, Settlement, Store, Tended, Tick, Work,
    },
    unique::{Enqueued, Unique},
};
use application::ApplicationPool;
use bell::PostgresBell;
use dedicated::Dedicated;
use gather::Gathering;
use lanes::Lanes;
use lookout::{Lookout, Moves};
use purpose::Purpose;
use route::Route;

/// Keeps jobs in PostgreSQL 14 or later.
#[derive(Debug)]
pub struct PostgresStore {
    schema: SchemaName,
    statements: Arc<Statements>,
    /// The application's pool: producers enqueue through it.
    pool: Arc<ApplicationPool>,
    /// Those who enqueue at the same time.
    gathering: Arc<Gathering>,
    /// For claims, and nothing else.
    claiming: OnceLock<Dedicated>,
    /// For results, and nothing else.
    settling: OnceLock<Dedicated>,
    /// The worker's connections for all else, so that handlers that use up the pool of the
    /// application cannot keep a worker from claiming and settling.
    control: OnceLock<Dedicated>,
    /// One connection for nothing but the lease: whatever the others wait for, it is renewed.
    lease: OnceLock<Dedicated>,
    lanes: Lanes,
    moves: Moves,
    /// If the database has several hosts.
    lookout: Option<Lookout>,
}

impl PostgresStore {
    /// Uses `schema` over `pool`. Connects to nothing yet.
    #[must_use]
    pub fn new(pool: PgPool, schema: SchemaName) -> Self {
        Self::with_moves(pool, schema, Moves::default())
    }

    fn with_moves(pool: PgPool, schema: SchemaName, moves: Moves) -> Self {
        let statements = Arc::new(Statements::render(&schema));
        let pool = Arc::new(ApplicationPool::new(pool, statements.route.clone()));
        let gathering = Gathering::new(Arc::clone(&pool), moves.clone(), Arc::clone(&statements));
        Self {
            gathering: Arc::new(gathering),
            statements,
            claiming: OnceLock::new(),
            settling: OnceLock::new(),
            control: OnceLock::new(),
            lease: OnceLock::new(),
            lanes: Lanes::default(),
            moves,
            lookout: None,
            pool,
            schema,
        }
    }

    /// Only workers need these connections, so only they make them.
    fn own<'a>(&self, place: &'a OnceLock<Dedicated>, purpose: Purpose) -> &'a Dedicated {
        place.get_or_init(|| {
            let pool = self.pool().clone();
            Dedicated::new(
                pool,
                self.moves.clone(),
                Arc::clone(&self.statements),
                purpose,
            )
        })
    }

    fn control(&self) -> &Dedicated {
        self.own(&self.control, Purpose::Control)
    }

    fn claiming(&self) -> &Dedicated {
        self.own(&self.claiming, Purpose::Jobs)
    }

    fn settling(&self) -> &Dedicated {
        self.own(&self.settling, Purpose::Jobs)
    }

    fn lease(&self) -> &Dedicated {
        self.own(&self.lease, Purpose::Lease)
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    /// The application's pool.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        self.pool.pool()
    }

    /// Closes the worker's own connections, and follows the database no more. The application's
    /// pool stays as it is.
    pub(crate) async fn close(&self) {
        if let Some(lookout) = &self.lookout {
            lookout.stop();
        }
        for own in [&self.claiming, &self.settling, &self.control, &self.lease] {
            if let Some(dedicated) = own.get() {
                dedicated.close().await;
            }
        }
    }
}

fn key_columns(keys: &[ClaimKey]) -> (Vec<i64>, Vec<i32>) {
    let columns = keys.iter().map(|key| (key.id.as_i64(), key.claim_number));
    columns.unzip()
}

/// The DDL that [`Store::install`] runs, for those who apply it by other means.
#[must_use]
pub fn ddl(schema: &SchemaName) -> String {
    migrate::ddl(schema)
}

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
        let forgetting = upkeep::forget_keys(self.control(), &self.statements, limit);
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
        let failed = failed_to("ask for a pooler");
        let lent = self.control().lend().await.map_err(&failed)?;
        let route = lent.route();
        lent.give_back().await.map_err(&failed)?;
        Ok(route == Route::Direct)
    }

    async fn bell(&self) -> Result<Box<dyn Bell>> {
        if !self.has_bell().await? {
            return Err(Error::config(
                "a pooler between this program and the database lets no notification through; \
                 set `listen` to false (`--no-listen`)",
            ));
        }
        let bell = PostgresBell::listen(self.pool(), &self.moves, &self.schema.channel()).await?;
        Ok(Box::new(bell))
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

    async fn requeue_stranded(&self) -> Result<u64> {
        let looking = upkeep::requeue_stranded(self.control(), &self.statements);
        self.moves.cut(looking).await
    }

    async fn publish_kinds(&self, kinds: &[KindRecord]) -> Result<()> {
        let publishing = schedules::publish_kinds(self.control(), &self.statements, kinds);
        self.moves.cut(publishing).await
    }

    async fn list_kinds(&self) -> Result<Vec<KindRecord>> {
        schedules::list_kinds(&self.pool, &self.statements).await
    }

    async fn publish_limits(&self, limits: &[(Scope, Limits)]) -> Result<()> {
        let publishing = limits::publish(self.control(), &self.statements, limits);
        self.moves.cut(publishing).await
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

    async fn adopt(&self) -> Result<u64> {
        let adopting = limits::adopt(self.control(), &self.statements);
        self.moves.cut(adopting).await
    }

    async fn forget_rates(&self, limit: u32) -> Result<u64> {
        let forgetting = limits::forget_rates(self.control(), &self.statements, limit);
        self.moves.cut(forgetting).await
    }

    async fn store_schedules(&self, schedules: &[ScheduleToStore]) -> Result<()> {
        let storing = schedules::store_schedules(self.control(), &self.statements, schedules);
        self.moves.cut(storing).await
    }

    async fn list_schedules(&self) -> Result<Vec<ScheduleRecord>> {
        schedules::list_schedules(&self.pool, &self.statements).await
    }

    async fn next_ticks(&self, kinds: &[&str]) -> Result<Vec<NextTick>> {
        let looking = schedules::next_ticks(self.control(), &self.statements, kinds);
        self.moves.cut(looking).await
    }

    async fn tick(&self, tick: &Tick) -> Result<Option<JobId>> {
        let ticking = schedules::tick(self.control(), &self.statements, tick);
        self.moves.cut(ticking).await
    }

    async fn tend_history(&self) -> Result<Tended> {
        let tending = history::tend(self.control(), &self.statements);
        self.moves.cut(tending).await
    }

    async fn prune(&self, limit: u32) -> Result<u64> {
        let pruning = history::prune(self.control(), &self.statements, limit);
        self.moves.cut(pruning).await
    }

    async fn add_minutes(&self, minutes: &[MinuteToAdd]) -> Result<()> {
        let adding = history::add_minutes(self.control(), &self.statements, minutes);
        self.moves.cut(adding).await
    }

    async fn list_minutes(&self, last: Duration) -> Result<Vec<MinuteRecord>> {
        history::list_minutes(&self.pool, &self.statements, last).await
    }

    async fn forget_minutes(&self, keep: Duration, limit: u32) -> Result<u64> {
        let forgetting = history::forget_minutes(self.control(), &self.statements, keep, limit);
        self.moves.cut(forgetting).await
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        let failed = failed_to("read the clock of the database");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let found = self
            .statements
            .now
            .query(lent.route())
            .try_map(|row: PgRow| row.try_get("now"))
            .fetch_one(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        Ok(found)
    }

    async fn get_job(&self, id: JobId) -> Result<Option<JobRecord>> {
        let failed = failed_to("read a job");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let found = self
            .statements
            .get_job
            .query(lent.route())
            .bind(id.as_i64())
            .try_map(|row| rows::job_record(&row))
            .fetch_optional(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        Ok(found)
    }

    async fn count_jobs(&self, kinds: Option<&[&str]>) -> Result<Counts> {
        let failed = failed_to("count jobs");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let found = self
            .statements
            .count_jobs
            .query(lent.route())
            .bind(kinds)
            .try_map(|row| rows::counts(&row))
            .fetch_one(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        Ok(found)
    }
}
