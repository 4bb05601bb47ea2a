//! The store on PostgreSQL. Nothing outside this folder writes SQL.
//!
//! Each file here is one area: bind, run, map. The statements are in `sql/`, one to a file,
//! written for the schema `pgqueuer` and valid in psql as they stand.

mod application;
mod bell;
mod claim;
#[cfg(feature = "metrics")]
mod connections;
mod dedicated;
mod enqueue;
mod failure;
mod gather;
mod history;
mod hosts;
mod kinds;
mod lanes;
mod limits;
mod listener;
mod lookout;
mod migrate;
mod operate;
mod operations;
mod overview;
mod place;
mod purpose;
mod recent;
mod route;
mod rows;
mod schedules;
mod schema_name;
#[cfg(feature = "testing")]
mod scratch;
mod sessions;
mod settle;
mod statements;
mod store;
mod tables;
mod troubles;
mod upkeep;
mod waits;
mod work;

#[cfg(feature = "metrics")]
pub(crate) use connections::InUse;
pub(crate) use enqueue::{enqueue_on, enqueue_to, enqueue_unique_on, route_of};
pub(crate) use failure::failed_to;
pub use hosts::Hosts;
pub(crate) use operate::{cancel, discard, requeue};
pub(crate) use route::Route;
pub use schema_name::SchemaName;
#[cfg(feature = "testing")]
pub(crate) use scratch::Scratch;
pub(crate) use statements::Statements;
pub use tables::autovacuum_sql;
pub(crate) use work::PostgresWork;

use std::sync::{Arc, OnceLock};

use sqlx::PgPool;

use crate::store::ClaimKey;
#[cfg(doc)]
use crate::store::Store;
use application::ApplicationPool;
use dedicated::Dedicated;
use gather::Gathering;
use lanes::Lanes;
use lookout::{Lookout, Moves};
use purpose::Purpose;

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
