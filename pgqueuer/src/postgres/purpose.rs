//! What the connections of a worker are for, and what they are set to.

/// A setting and its value, as PostgreSQL names them.
pub(super) type Setting = (&'static str, &'static str);

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To claim or to settle: short statements, one at a time.
    Jobs,
    /// To renew the lease.
    Lease,
    /// All else.
    Control,
}

impl Purpose {
    pub(super) fn connections(self) -> usize {
        match self {
            Self::Jobs | Self::Lease => 1,
            // One for the upkeep and one for the schedules.
            Self::Control => 2,
        }
    }

    /// How long the server may work on a statement: a little less than the worker waits for its
    /// answer. A call that the worker alone gives up goes on at the server, where it waits for
    /// a lock, say; and with each new try there is one connection more.
    fn limit(self) -> Setting {
        let limit = match self {
            Self::Jobs => "12s",
            Self::Lease => "5s",
            Self::Control => "25s",
        };
        ("statement_timeout", limit)
    }

    /// What each transaction is to be set to.
    pub(super) fn transaction_settings(self) -> Vec<Setting> {
        let planner = match self {
            Self::Jobs => PLANNER,
            Self::Lease | Self::Control => &[],
        };
        [&[self.limit()], OWN, planner].concat()
    }

    /// What a session is to be set to that is ours alone.
    pub(super) fn session_settings(self) -> Vec<Setting> {
        [&self.transaction_settings(), OWN_SESSION].concat()
    }
}

/// What a database may have for a default, and should not for a worker.
///
/// - A claim takes rows that others have just changed, and a statement must see what those
///   before it have locked. Where the snapshot is older, both are errors.
/// - An upkeep that was cut off from the server must not keep its locks for hours.
const OWN: &[Setting] = &[
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// The same for what a session has and a transaction has not. A worker that is gone without a word
/// must not keep its connections for hours. (Keepalives have no effect on a Unix socket.)
const OWN_SESSION: &[Setting] = &[
    ("default_transaction_isolation", "read committed"),
    ("idle_session_timeout", "0"),
    ("tcp_keepalives_idle", "60"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "6"),
];

/// Claiming and settling have one good plan each, which reads an index. A planner that has no
/// statistics yet, or old ones, may think otherwise, so it is not left the choice.
const PLANNER: &[Setting] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];
