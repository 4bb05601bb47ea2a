//! Every statement of this crate, rendered once for one schema.

use std::sync::{Arc, LazyLock};

use sqlx::{AssertSqlSafe, Postgres, postgres::PgArguments, query::Query};

use super::{purpose::Setting, route::Route, schema_name::SchemaName};

/// One SQL text. Cloning is cheap, and the text stays the same, so that prepared
/// statements are found again.
#[derive(Clone, Debug)]
pub(super) struct Statement(Arc<str>);

impl Statement {
    pub(super) fn render(text: &str, schema: &SchemaName) -> Self {
        Self(schema.render(text).into())
    }

    // Safe because the only dynamic part is a schema name that `SchemaName` has checked
    // and quoted. This is the one place that may say `AssertSqlSafe`.
    pub(super) fn text(&self) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(Arc::clone(&self.0))
    }

    /// The statement, to be prepared once for each connection; or each time, where nobody knows
    /// which session that was.
    pub(super) fn query<'q>(&self, route: Route) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(self.text()).persistent(route == Route::Direct)
    }

    /// To be prepared by the server and forgotten again.
    pub(super) fn check(&self) -> AssertSqlSafe<String> {
        let text = &self.0;
        AssertSqlSafe(format!(
            "PREPARE pgqueuer_check AS\n{text}\nDEALLOCATE pgqueuer_check;\n"
        ))
    }
}

macro_rules! statements {
    ($($name:ident),+ $(,)?) => {
        /// One field for each file in `sql/`.
        #[derive(Debug)]
        pub(crate) struct Statements {
            $(pub(super) $name: Statement,)+
        }

        impl Statements {
            pub(super) fn render(schema: &SchemaName) -> Self {
                Self {
                    $($name: Statement::render(
                        include_str!(concat!("sql/", stringify!($name), ".sql")),
                        schema,
                    ),)+
                }
            }

            /// All of them in one text.
            pub(super) fn check(&self) -> AssertSqlSafe<String> {
                let checks = self.all().into_iter().map(|(_, statement)| statement.check().0);
                AssertSqlSafe(checks.collect())
            }

            /// All of them, with their names.
            pub(super) fn all(&self) -> Vec<(&'static str, &Statement)> {
                vec![$((stringify!($name), &self.$name),)+]
            }
        }
    };
}

statements! {
    enqueue,
    enqueue_one,
    enqueue_alike,
    enqueue_unique,
    forget_keys,
    open_session,
    renew_session,
    lock_session,
    close_session,
    expired_sessions,
    rescue,
    lanes,
    claim,
    claim_alone,
    claim_bounded,
    claim_limited,
    share_lanes,
    horizon,
    requeue_stranded,
    arm_bell,
    give_back,
    reconcile,
    settle_end,
    settle_unrecorded,
    find_places,
    settle_keep,
    complete,
    await_kinds,
    ends,
    ended_before,
    forget_watchers,
    note_progress,
    forget_progress,
    promote,
    publish_kinds,
    list_kinds,
    publish_limits,
    set_limits,
    set_paused,
    list_limits,
    adopt,
    forget_rates,
    publish_schedules,
    list_schedules,
    due_schedules,
    tick,
    create_schedule,
    change_schedule,
    pause_schedule,
    run_schedule,
    delete_schedule,
    prune,
    tend_history,
    report,
    list_workers,
    backlog,
    fold_counts,
    recount,
    add_minutes,
    list_measures,
    list_totals,
    list_minutes,
    forget_minutes,
    now,
    takes_writes,
    get_job,
    list_jobs,
    list_jobs_held,
    history_parts,
    history_newest,
    list_history,
    list_held,
    list_stale,
    count_meant,
    cancel,
    cancelled,
    requeue,
    discard,
    edit,
    count_jobs,
    list_tables,
    route,
    server_life,
}

impl Statements {
    /// For the schema `pgqueuer`, which those use who have no handle but a connection.
    pub(crate) fn of_default_schema() -> &'static Self {
        static DEFAULT: LazyLock<Statements> =
            LazyLock::new(|| Statements::render(&SchemaName::default()));
        &DEFAULT
    }

    /// Begins a transaction behind a pooler, with settings for it alone, and asks for the life of
    /// the server. All in one round trip.
    pub(super) fn begin(&self, settings: &[Setting]) -> AssertSqlSafe<String> {
        let set = |(name, value): &Setting| format!("SET LOCAL {name} = '{value}'; ");
        let settings: String = settings.iter().map(set).collect();
        let life = &self.server_life.0;
        AssertSqlSafe(format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; {settings}\n{life}"
        ))
    }
}
