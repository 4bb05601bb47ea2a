//! How unfinished jobs are counted without being read.

use std::time::Duration;

use futures_util::future::join_all;
use pgqueuer::{
    Counts, JobFilter, OnConflict, Unique, UniqueFor,
    store::{JobToEnqueue, RunAt},
};
use sqlx::Executor as _;

use super::{super::postgres_only, history_days::with_role};
use crate::{
    backend::Database,
    support::{LONG, enqueue, enqueue_many, job},
};

postgres_only! {
    on_postgres:
    are_folded_when_there_are_many,
    are_folded_when_that_spares_many,
    are_not_folded_by_who_has_written,
    have_a_mark_that_moves_on_another_server,
    are_right_while_many_fold_and_count_at_once,
    wait_for_a_transaction_that_is_slow_to_commit,
    are_not_read_where_they_were_folded,
    are_mended_after_jobs_were_deleted_by_hand,
    are_mended_once_by_two,
    are_those_of_what_was_committed,
}

postgres_only! {
    on_postgres, not_pooled("a role for a connection"):
    are_shown_to_a_role_that_only_looks,
    are_written_by_a_role_that_only_enqueues,
}

const LIMIT: u32 = 20_000;

async fn rows(database: &Database) -> i64 {
    let count = database.sql("SELECT count(*) FROM pgqueuer.counts");
    let rows = sqlx::query_scalar(count).fetch_one(database.pool()).await;
    rows.unwrap()
}

async fn mark(database: &Database) -> i64 {
    let low = database.sql("SELECT low FROM pgqueuer.counts_mark");
    let low = sqlx::query_scalar(low).fetch_one(database.pool()).await;
    low.unwrap()
}

/// As if the last mark had been long ago.
async fn let_the_mark_move(database: &Database) {
    let long_ago = database.sql("UPDATE pgqueuer.counts_mark SET moved_at = '-infinity'");
    sqlx::raw_sql(long_ago)
        .execute(database.pool())
        .await
        .unwrap();
}

async fn fold(database: &Database) -> u64 {
    database.store().fold_counts(LIMIT).await.unwrap()
}

async fn available(database: &Database) -> u64 {
    let kinds = database.pgq.overview().await.unwrap().kinds;
    kinds.iter().map(|it| it.counts.available).sum()
}

/// Writes that many rows which come to nothing.
async fn write_rows(database: &Database, rows: usize) {
    let write = format!(
        "INSERT INTO pgqueuer.counts (kind, available) \
         SELECT 'mail', CASE WHEN n % 2 = 0 THEN 1 ELSE -1 END FROM generate_series(1, {rows}) AS n"
    );
    let write = sqlx::raw_sql(database.sql(&write));
    write.execute(database.pool()).await.unwrap();
}

async fn are_folded_when_there_are_many(database: &Database) {
    enqueue_many(database.store(), &job("mail"), 3).await;
    enqueue(database.store(), job("report")).await;
    assert_eq!(fold(database).await, 0);
    assert_eq!(rows(database).await, 2);
    write_rows(database, 1000).await;

    assert_eq!(fold(database).await, 1002);

    assert_eq!((rows(database).await, available(database).await), (2, 4));
    write_rows(database, 1000).await;
    assert_eq!(database.store().fold_counts(700).await.unwrap(), 700);
    assert_eq!(available(database).await, 4);
}

async fn are_folded_when_that_spares_many(database: &Database) {
    let write = database.sql(
        "INSERT INTO pgqueuer.counts (kind, available) SELECT 'kind ' || n, 1 FROM generate_series(1, 600) AS n",
    );
    let take_back = database
        .sql("INSERT INTO pgqueuer.counts (kind, available) SELECT kind, -1 FROM pgqueuer.counts");
    let pool = database.pool();
    sqlx::raw_sql(write).execute(pool).await.unwrap();
    assert_eq!(fold(database).await, 0);
    write_rows(database, 502).await;
    assert_eq!(fold(database).await, 1102);
    assert_eq!(
        (rows(database).await, available(database).await),
        (600, 600)
    );

    sqlx::raw_sql(take_back).execute(pool).await.unwrap();
    // As many as the limit, which does not keep them from being folded.
    assert_eq!(database.store().fold_counts(600).await.unwrap(), 600);
    assert_eq!(available(database).await, 0);
}

async fn are_not_folded_by_who_has_written(database: &Database) {
    write_rows(database, 1000).await;
    let mut writer = database.pool().begin().await.unwrap();
    let write = database.sql("SELECT pgqueuer.enqueue('mail')");
    writer.execute(sqlx::raw_sql(write)).await.unwrap();
    let fold_it = database.sql("SELECT pgqueuer.fold_counts(20000)");
    let folded: i64 = sqlx::query_scalar(fold_it)
        .fetch_one(&mut *writer)
        .await
        .unwrap();
    writer.commit().await.unwrap();

    assert_eq!(folded, 0);
    assert_eq!(fold(database).await, 1001);
}

/// To which it came with a dump: there, transactions are counted anew.
async fn have_a_mark_that_moves_on_another_server(database: &Database) {
    let restore =
        database.sql("UPDATE pgqueuer.counts_mark SET candidate_xid = '9000000000000000000'");
    sqlx::raw_sql(restore)
        .execute(database.pool())
        .await
        .unwrap();

    are_not_read_where_they_were_folded(database).await;
}

async fn are_right_while_many_fold_and_count_at_once(database: &Database) {
    let enqueuing = (0..20).map(async |_| {
        for _ in 0..10 {
            enqueue(database.store(), job("mail")).await;
            write_rows(database, 200).await;
            fold(database).await;
            let_the_mark_move(database).await;
        }
    });

    join_all(enqueuing).await;

    assert_eq!(available(database).await, 200);
    write_rows(database, 1000).await;
    fold(database).await;
    assert!(rows(database).await < 500);
}

async fn wait_for_a_transaction_that_is_slow_to_commit(database: &Database) {
    let mut slow = database.pool().begin().await.unwrap();
    let enqueue = database.sql("SELECT pgqueuer.enqueue('mail')");
    slow.execute(sqlx::raw_sql(enqueue)).await.unwrap();
    for _ in 0..4 {
        write_rows(database, 1000).await;
        fold(database).await;
        let_the_mark_move(database).await;
    }
    assert_eq!(available(database).await, 0);

    slow.commit().await.unwrap();

    assert_eq!(available(database).await, 1);
    write_rows(database, 1000).await;
    assert_eq!(fold(database).await, 1001);
}

async fn are_not_read_where_they_were_folded(database: &Database) {
    write_rows(database, 1000).await;
    let written = database.sql("SELECT max(id) FROM pgqueuer.counts");
    let written: i64 = sqlx::query_scalar(written)
        .fetch_one(database.pool())
        .await
        .unwrap();

    // What is dead behind the mark costs nothing, whatever keeps vacuum from removing it. Others on this
    // server may hold it back for a while.
    while mark(database).await < written {
        write_rows(database, 1000).await;
        fold(database).await;
        let_the_mark_move(database).await;
    }

    assert_eq!(available(database).await, 0);
}

async fn are_mended_after_jobs_were_deleted_by_hand(database: &Database) {
    enqueue_many(database.store(), &job("mail"), 5).await;
    enqueue_many(database.store(), &job("report"), 5).await;
    let delete = database.sql("DELETE FROM pgqueuer.jobs WHERE kind = 'mail'");
    sqlx::raw_sql(delete)
        .execute(database.pool())
        .await
        .unwrap();
    assert_eq!(available(database).await, 10);

    assert_eq!(database.pgq.recount().await.unwrap(), 1);

    assert_eq!(available(database).await, 5);
    assert_eq!(database.pgq.recount().await.unwrap(), 0);
}

async fn are_mended_once_by_two(database: &Database) {
    enqueue_many(database.store(), &job("mail"), 2).await;
    let delete = database.sql("DELETE FROM pgqueuer.jobs");
    sqlx::raw_sql(delete)
        .execute(database.pool())
        .await
        .unwrap();
    let mut first = database.pool().begin().await.unwrap();
    let recount = database.sql("SELECT pgqueuer.recount()");
    let mended: i64 = sqlx::query_scalar(recount)
        .fetch_one(&mut *first)
        .await
        .unwrap();
    assert_eq!(mended, 1);

    let second = database.pgq.recount();
    let commit = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        first.commit().await.unwrap();
    };
    let (second, ()) = tokio::join!(second, commit);

    assert_eq!((second.unwrap(), available(database).await), (0, 0));
}

async fn are_those_of_what_was_committed(database: &Database) {
    let mut undone = database.pool().begin().await.unwrap();
    let enqueue = database.sql("SELECT pgqueuer.enqueue('mail')");
    undone.execute(sqlx::raw_sql(enqueue)).await.unwrap();
    undone.rollback().await.unwrap();

    assert_eq!(available(database).await, 0);
    assert_eq!(database.pgq.count_jobs().await.unwrap(), Counts::default());
}

/// What the guide says, and no more.
const VIEWER: &str = include_str!("../../../../docs/viewer-role.sql");
const PRODUCER: &str = include_str!("../../../../docs/producer-role.sql");

async fn are_shown_to_a_role_that_only_looks(database: &Database) {
    let id = enqueue(database.store(), job("mail")).await;
    with_role(database, VIEWER, async |pgq| {
        let overview = pgq.overview().await.unwrap();
        assert_eq!(overview.kinds[0].counts.available, 1);
        pgq.list_totals().await.unwrap();
        pgq.list_kinds().await.unwrap();
        pgq.list_limits().await.unwrap();
        pgq.list_schedules().await.unwrap();
        pgq.verify().await.unwrap();
        assert_eq!(
            pgq.list_jobs(&JobFilter::all(), None, 10)
                .await
                .unwrap()
                .len(),
            1
        );
        assert!(pgq.get_job(id).await.unwrap().is_some());
        assert!(pgq.cancel(&JobFilter::all(), "").await.is_err());
        // It may count, and not mend.
        assert_eq!(pgq.recount().await.unwrap(), 0);
        write_rows(database, 1).await;
        assert!(pgq.recount().await.is_err());
    })
    .await;
    assert_eq!(database.pgq.recount().await.unwrap(), 1);
}

async fn are_written_by_a_role_that_only_enqueues(database: &Database) {
    let later = JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    };
    let unique = Unique {
        key: "7".to_owned(),
        lasts: UniqueFor::Window(LONG),
        on_conflict: OnConflict::Skip,
    };
    let in_sql = "SELECT pgqueuer.enqueue('mail', unique_key => 'mine')";
    let unique_ones = PRODUCER.find("-- For unique jobs").unwrap();
    with_role(database, &PRODUCER[..unique_ones], async |pgq| {
        enqueue(&**pgq.store(), job("mail")).await;
        enqueue_many(&**pgq.store(), &job("mail"), 2).await;
        enqueue(&**pgq.store(), later.clone()).await;
        assert!(
            pgq.store()
                .enqueue_unique(&[(job("mail"), Some(unique.clone()))])
                .await
                .is_err()
        );
        assert!(pgq.get_job(1).await.is_err());
    })
    .await;
    with_role(database, PRODUCER, async |pgq| {
        let unique_one = [(job("mail"), Some(unique.clone()))];
        pgq.store().enqueue_unique(&unique_one).await.unwrap();
        for _ in 0..2 {
            let in_sql = sqlx::raw_sql(database.sql(in_sql));
            pgq.pool().unwrap().execute(in_sql).await.unwrap();
        }
        assert!(pgq.cancel(&JobFilter::all(), "").await.is_err());
    })
    .await;

    let mail = &database.pgq.overview().await.unwrap().kinds[0];
    assert_eq!((mail.counts.available, mail.counts.scheduled), (5, 1));
}
