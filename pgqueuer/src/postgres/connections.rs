//! How many connections this process has, for metrics.

use super::PostgresStore;

/// The connections of the application's pool, or those of a worker for one purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    pub(crate) purpose: &'static str,
    pub(crate) idle: usize,
    pub(crate) in_use: usize,
}

/// All connections of a store on PostgreSQL, but for those that listen.
#[derive(Clone, Debug)]
pub(crate) struct InUse {
    pub(crate) pool: Connections,
    /// How many the pool may have.
    pub(crate) pool_limit: u32,
    /// Those of workers.
    pub(crate) own: Vec<Connections>,
    /// How many of these were ever made: each time that one was lost, one more.
    pub(crate) made: u64,
}

impl PostgresStore {
    /// Asks nobody: it is known here.
    pub(crate) fn connections(&self) -> InUse {
        let places = [
            ("claim", &self.claiming),
            ("settle", &self.settling),
            ("control", &self.control),
            ("lease", &self.lease),
        ];
        let own = || {
            let begun = places.into_iter();
            begun.filter_map(|(purpose, own)| Some((purpose, own.get()?)))
        };
        let pool = self.pool();
        let idle = pool.num_idle();
        let size = usize::try_from(pool.size()).unwrap_or(usize::MAX);
        InUse {
            pool: Connections {
                purpose: "application",
                idle,
                in_use: size.saturating_sub(idle),
            },
            pool_limit: pool.options().get_max_connections(),
            own: own().map(|(purpose, own)| own.count(purpose)).collect(),
            made: own().map(|(_, own)| own.made()).sum(),
        }
    }
}
