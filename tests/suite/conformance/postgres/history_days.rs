//! The history by days: which records go where, and how days come and go.

use std::time::Duration;

use pgqueuer::{
    JobOptions,
    prelude::*,
    store::{Ending, KindRecord, Store, Tended},
};
use sqlx::{Acquire as _, Executor as _, postgres::PgPoolOptions};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{ended, eventually, kind_record, open_session, running_job, settle, state},
};

postgres_only! {
    on_postgres:
    are_prepared_by_the_installation,
    are_prepared_for_each_retain_in_use,
    are_not_prepared_for_kinds_that_are_not_remembered,
    have_the_records_that_expire_in_them,
    leave_the_rest_to_the_default,
    are_not_prepared_once_the_default_has_begun_them,
    are_dropped_when_they_are_past,
    are_tended_by_one_at_a_time,
    are_tended_by_many_at_once,
    do_not_wait_for_those_who_read_for_long,
    are_removed_with_the_schema,
    are_begun_by_a_worker_before_its_first_result,
}

postgres_only! {
    on_postgres, not_pooled("settings of a session"):
    are_tended_by_a_role_that_may_not_create_tables,
    are_tended_by_nobody_who_was_not_granted_it,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn kept_for(kind: &str, retain: Duration) -> KindRecord {
    KindRecord {
        retain_seconds: i64::try_from(retain.as_secs()).unwrap(),
        ..kind_record(kind)
    }
}

/// Tends until there is nothing to do, and returns how much there was.
async fn tend(store: &dyn Store) -> Tended {
    let mut total = Tended::default();
    loop {
        let tended = store.tend_history().await.unwrap();
        if tended.is_idle() {
            return total;
        }
        total.created += tended.created;
        total.dropped += tended.dropped;
    }
}

/// The partitions, but for the default, by name.
async fn days(database: &Database) -> Vec<String> {
    let list = "SELECT child.relname::text FROM pg_inherits AS link \
                JOIN pg_class AS child ON child.oid = link.inhrelid \
                WHERE link.inhparent = 'pgqueuer.history'::regclass \
                  AND child.relname <> 'history_default' ORDER BY 1";
    let list = sqlx::query_scalar(database.sql(list));
    list.fetch_all(database.pool()).await.unwrap()
}

/// The names of `count` days, the first of which is `from` now.
async fn days_from_now(database: &Database, from: Duration, count: i32) -> Vec<String> {
    let name = "SELECT 'history_' || to_char((now() AT TIME ZONE 'UTC') \
                + make_interval(secs => $1) + make_interval(days => ahead), 'YYYYMMDD') \
                FROM generate_series(0, $2 - 1) AS ahead";
    let name = sqlx::query_scalar(name).bind(from.as_secs_f64());
    let name = name.bind(count);
    name.fetch_all(database.pool()).await.unwrap()
}

async fn execute(database: &Database, text: &str) {
    let done = database.pool().execute(database.sql(text)).await;
    done.unwrap();
}

/// Finishes a job whose record is kept for `retain`.
async fn finished(store: &dyn Store, retain: Duration) -> JobId {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    settle(store, session, &[ended(&job, Ending::Completed, retain)]).await;
    job.key.id
}

/// In which partition the record of a job is.
async fn place(database: &Database, id: JobId) -> String {
    let find = "SELECT class.relname::text FROM pgqueuer.history AS finished \
                JOIN pg_class AS class ON class.oid = finished.tableoid WHERE job_id = $1";
    let find = sqlx::query_scalar(database.sql(find)).bind(id.as_i64());
    find.fetch_one(database.pool()).await.unwrap()
}

/// Makes a day of the past, with a record in it.
async fn past_day(database: &Database, day: u32) -> JobId {
    execute(
        database,
        &format!(
            "CREATE TABLE pgqueuer.history_202001{day:02} PARTITION OF pgqueuer.history \
             FOR VALUES FROM ('2020-01-{day:02} 00:00+00') TO ('2020-01-{:02} 00:00+00')",
            day + 1
        ),
    )
    .await;
    let id = 1_000_000 + i64::from(day);
    execute(
        database,
        &format!(
            "INSERT INTO pgqueuer.history \
             (job_id, kind, enqueued_at, expires_at, ending, attempt, priority) \
             VALUES ({id}, 'mail', now(), '2020-01-{day:02} 12:00+00', 'completed', 1, 0)"
        ),
    )
    .await;
    id.into()
}

async fn are_prepared_by_the_installation(database: &Database) {
    let expected = days_from_now(database, JobOptions::DEFAULT.retain, 3).await;
    assert_eq!(days(database).await, expected);
}

async fn are_prepared_for_each_retain_in_use(database: &Database) {
    let store = database.store();
    let kinds = [
        kept_for("mail", DAY * 7),
        kept_for("letter", DAY * 7),
        kept_for("report", DAY * 30),
        kept_for("order", DAY * 365 * 100),
    ];
    store.publish_kinds(&kinds).await.unwrap();

    let tended = tend(store).await;

    let mut expected = days_from_now(database, DAY * 7, 3).await;
    expected.extend(days_from_now(database, DAY * 30, 3).await);
    expected.extend(days_from_now(database, DAY * 365 * 100, 3).await);
    assert_eq!(days(database).await, expected);
    assert_eq!((tended.created, tended.dropped), (6, 0));
    assert!(store.verify().await.is_ok());
}

async fn are_not_prepared_for_kinds_that_are_not_remembered(database: &Database) {
    let store = database.store();
    let never = kept_for("mail", Duration::ZERO);
    let odd = KindRecord {
        retain_seconds: i64::MAX,
        ..kind_record("report")
    };
    store.publish_kinds(&[never, odd]).await.unwrap();

    let tended = tend(store).await;

    assert!(tended.is_idle(), "{tended:?}");
}

async fn have_the_records_that_expire_in_them(database: &Database) {
    let store = database.store();
    let kinds = [kept_for("mail", DAY * 7), kept_for("report", DAY * 30)];
    store.publish_kinds(&kinds).await.unwrap();
    tend(store).await;

    let week = finished(store, DAY * 7).await;
    let month = finished(store, DAY * 30).await;

    let day_of_week = days_from_now(database, DAY * 7, 1).await;
    let day_of_month = days_from_now(database, DAY * 30, 1).await;
    assert_eq!(place(database, week).await, day_of_week[0]);
    assert_eq!(place(database, month).await, day_of_month[0]);
    assert_eq!(state(store, week).await.as_str(), "completed");
    assert_eq!(state(store, month).await.as_str(), "completed");
}

async fn leave_the_rest_to_the_default(database: &Database) {
    let store = database.store();
    let kinds = [kept_for("mail", DAY * 7)];
    store.publish_kinds(&kinds).await.unwrap();
    tend(store).await;

    let odd = finished(store, DAY * 3).await;
    let shortly = finished(store, Duration::from_millis(1)).await;
    let pruned = eventually("the record has expired", async || {
        let pruned = store.prune(100).await.unwrap();
        (pruned > 0).then_some(pruned)
    })
    .await;

    assert_eq!(pruned, 1);
    assert_eq!(place(database, odd).await, "history_default");
    assert_eq!(state(store, odd).await.as_str(), "completed");
    assert_eq!(store.get_job(shortly).await.unwrap(), None);
}

async fn are_not_prepared_once_the_default_has_begun_them(database: &Database) {
    let store = database.store();
    let early = finished(store, DAY * 30).await;
    let kinds = [kept_for("mail", DAY * 30)];
    store.publish_kinds(&kinds).await.unwrap();

    let tended = tend(store).await;
    let late = finished(store, DAY * 30).await;

    assert_eq!(tended.created, 2);
    assert_eq!(place(database, early).await, "history_default");
    assert_eq!(place(database, late).await, "history_default");
}

async fn are_dropped_when_they_are_past(database: &Database) {
    let store = database.store();
    let kinds = [kept_for("mail", Duration::from_secs(1))];
    store.publish_kinds(&kinds).await.unwrap();
    let first = past_day(database, 1).await;
    past_day(database, 2).await;
    let expired = store.get_job(first).await.unwrap();

    let tended = tend(store).await;

    assert_eq!(expired, None, "its partition was still there");
    assert_eq!((tended.created, tended.dropped), (3, 2));
    let mut expected = days_from_now(database, Duration::from_secs(1), 3).await;
    expected.extend(days_from_now(database, JobOptions::DEFAULT.retain, 3).await);
    assert_eq!(days(database).await, expected);
}

async fn are_tended_by_one_at_a_time(database: &Database) {
    let store = database.store();
    past_day(database, 1).await;
    let mut slow = database.pool().begin().await.unwrap();
    let tend_slowly = database.sql("SELECT dropped FROM pgqueuer.tend_history()");
    // Not seen by others until it is committed.
    let prepared = "INSERT INTO pgqueuer.kinds VALUES \
                    ('mail', 'default', 0, 1, 'hold', 3600, '[]', 'src/jobs.rs:1', 'mail')";
    slow.execute(database.sql(prepared)).await.unwrap();
    slow.execute(tend_slowly).await.unwrap();

    let meanwhile = store.tend_history().await.unwrap();
    slow.rollback().await.unwrap();
    let later = tend(store).await;

    assert!(meanwhile.is_idle(), "{meanwhile:?}");
    assert_eq!(later.dropped, 1);
}

async fn are_tended_by_many_at_once(database: &Database) {
    let store = database.store();
    let kinds = [kept_for("mail", DAY * 60), kept_for("report", DAY * 30)];
    store.publish_kinds(&kinds).await.unwrap();
    past_day(database, 1).await;

    let all = futures_util::future::join_all((0..4).map(|_| tend(store))).await;
    let rest = tend(store).await;

    let created: u32 = all.iter().map(|it| it.created).sum();
    let dropped: u32 = all.iter().map(|it| it.dropped).sum();
    assert_eq!(
        (created + rest.created, dropped + rest.dropped),
        (6, 1),
        "{all:?}"
    );
    assert_eq!(days(database).await.len(), 9);
}

async fn do_not_wait_for_those_who_read_for_long(database: &Database) {
    let store = database.store();
    past_day(database, 1).await;
    for read in [
        "SELECT count(*) FROM pgqueuer.history",
        "SELECT count(*) FROM pgqueuer.history_20200101",
    ] {
        let mut reader = database.pool().begin().await.unwrap();
        reader.execute(database.sql(read)).await.unwrap();

        let meanwhile = store.tend_history().await.unwrap();
        let job = finished(store, DAY).await;

        assert!(meanwhile.is_idle(), "{read}: {meanwhile:?}");
        assert_eq!(state(store, job).await.as_str(), "completed");
        reader.commit().await.unwrap();
    }
    assert_eq!(tend(store).await.dropped, 1);
}

/// What the guide says, and no more.
const GRANTS: &str = include_str!("../../../../docs/worker-role.sql");

/// A queue that is used by a role with these rights.
pub(super) async fn with_role(
    database: &Database,
    grants: &str,
    case: impl AsyncFnOnce(&PgQueuer),
) {
    // It goes through an option of the connection, which has no quotes.
    let name = database.schema.as_str();
    let plain = name
        .chars()
        .filter(|it| it.is_ascii_alphanumeric() || *it == '_');
    let role: String = "worker_".chars().chain(plain).collect();
    let create = format!("CREATE ROLE \"{role}\"");
    execute(database, &create).await;
    let grants = grants.replace("app_worker", &format!("\"{role}\""));
    let grants = grants.replace("app_viewer", &format!("\"{role}\""));
    let grants = grants.replace("app_producer", &format!("\"{role}\""));
    let grants = grants.replace(
        "SCHEMA pgqueuer",
        &format!("SCHEMA \"{}\"", database.schema),
    );
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let granted = sqlx::raw_sql(database.sql(&grants)).execute(&mut *transaction);
    granted.await.unwrap();
    transaction.commit().await.unwrap();
    let pool = PgPoolOptions::new()
        .connect_with(database.options.clone().options([("role", &role)]))
        .await
        .unwrap();
    let pgq = PgQueuer::with_schema(pool, database.schema.clone());

    case(&pgq).await;

    pgq.close().await;
    execute(database, &format!("DROP OWNED BY \"{role}\"")).await;
    execute(database, &format!("DROP ROLE \"{role}\"")).await;
}

async fn are_tended_by_a_role_that_may_not_create_tables(database: &Database) {
    past_day(database, 1).await;
    with_role(database, GRANTS, async |pgq| {
        let store = &**pgq.store();
        let create = database.sql("CREATE TABLE pgqueuer.mine ()");
        assert!(pgq.pool().unwrap().execute(create).await.is_err());
        store.verify().await.unwrap();
        let kinds = [kept_for("mail", DAY * 30)];
        store.publish_kinds(&kinds).await.unwrap();

        let tended = tend(store).await;
        let id = finished(store, DAY * 30).await;
        let odd = finished(store, DAY * 3).await;
        let pruned = store.prune(10).await.unwrap();
        let added = store.add_minutes(&[]).await;
        let forgotten = store.forget_minutes(DAY, 10).await;

        assert_eq!((tended.created, tended.dropped), (3, 1));
        assert_eq!(state(store, id).await.as_str(), "completed");
        assert_eq!(state(store, odd).await.as_str(), "completed");
        assert_eq!(pruned, 0);
        assert!(
            added.is_ok() && forgotten.is_ok(),
            "{added:?} {forgotten:?}"
        );
    })
    .await;
}

async fn are_tended_by_nobody_who_was_not_granted_it(database: &Database) {
    let usage = "GRANT USAGE ON SCHEMA pgqueuer TO app_worker;";
    with_role(database, usage, async |pgq| {
        let tended = pgq.store().tend_history().await;

        assert!(tended.is_err(), "{tended:?}");
    })
    .await;
}

async fn are_removed_with_the_schema(database: &Database) {
    let store = database.store();
    let kinds = [kept_for("mail", DAY * 30)];
    store.publish_kinds(&kinds).await.unwrap();
    tend(store).await;

    store.uninstall().await.unwrap();

    assert_eq!(store.install().await.unwrap(), [1]);
    assert_eq!(days(database).await.len(), 3);
}

#[job]
async fn greet() {}

async fn are_begun_by_a_worker_before_its_first_result(database: &Database) {
    let id = Greet {}.enqueue(&database.pgq).await.unwrap().id();
    let worker = database.pgq.worker().only_registered().register::<Greet>();

    worker.build().unwrap().drain().await.unwrap();

    // Seven days is what a job has by default.
    let expected = days_from_now(database, DAY * 7, 1).await;
    assert_eq!(place(database, id).await, expected[0]);
}
