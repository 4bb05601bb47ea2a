//! What holds behind a pooler alone. `cargo xtask test --pgbouncer` runs it.

use pgqueuer::{ErrorKind, Job as _, State, job};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{claim, completed, enqueue, eventually, ids, job, open_session, settle},
};

postgres_only! {
    in_own_database, pooled:
    has_no_bell,
    leaves_nothing_behind_in_a_session,
    asks_who_enqueues_over_a_connection,
    forgets_its_marks_when_the_server_has_crashed,
    needs_no_transaction_of_a_user,
}

/// What the sessions that the pooler shares show of it, asked by so many clients at once that all of
/// them answer.
async fn ask_all_sessions(database: &Database, question: &'static str) -> Vec<String> {
    let mut clients = Vec::new();
    for _ in 0..database.application().options().get_max_connections() {
        let mut client = PgConnection::connect_with(&database.options).await.unwrap();
        client.execute("BEGIN").await.unwrap();
        clients.push(client);
    }
    let mut answers = Vec::new();
    for mut client in clients {
        let row = client.fetch_one(question).await.unwrap();
        answers.push(sqlx::Row::get(&row, 0));
        client.execute("COMMIT").await.unwrap();
    }
    answers
}

async fn has_no_bell(database: &Database) {
    assert!(!database.store().has_bell().await.unwrap());

    let Err(error) = database.store().bell().await else {
        panic!("there is a bell");
    };

    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("--no-listen"), "{error}");
}

#[job]
async fn note(pool: State<PgPool>) -> Result<(), sqlx::Error> {
    pool.execute("SELECT 1").await?;
    Ok(())
}

async fn leaves_nothing_behind_in_a_session(database: &Database) {
    Note::enqueue_many(&database.pgq, (0..100).map(|_| Note {}))
        .await
        .unwrap();
    Note {}.enqueue(database.application()).await.unwrap();
    let worker = database.pgq.worker().only_registered().register::<Note>();
    let report = worker.build().unwrap().drain().await.unwrap();
    assert_eq!(report.completed, 101);

    let prepared = "SELECT count(*)::text FROM pg_prepared_statements";
    let set = "SELECT count(*)::text FROM pg_settings \
               WHERE source = 'session' AND name IN ('statement_timeout', 'enable_seqscan')";
    for question in [prepared, set] {
        let answers = ask_all_sessions(database, question).await;
        assert!(answers.iter().all(|it| it == "0"), "{answers:?}");
    }
}

/// Whether it is in a transaction or not.
async fn asks_who_enqueues_over_a_connection(database: &Database) {
    let mut connection = PgConnection::connect_with(&database.options).await.unwrap();
    for _ in 0..10 {
        Note {}.enqueue(&mut connection).await.unwrap();
    }

    // Begun in a way that sqlx does not know of.
    connection.execute("BEGIN").await.unwrap();
    Note {}.enqueue(&mut connection).await.unwrap();
    let before = database.pgq.count_jobs().await.unwrap().available;
    connection.execute("ROLLBACK").await.unwrap();
    let after = database.pgq.count_jobs().await.unwrap().available;

    assert_eq!((before, after), (10, 10));
}

async fn needs_no_transaction_of_a_user(database: &Database) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let pool = database.application().clone();
        let pgq = database.pgq.clone();
        tasks.spawn(async move {
            Note {}.enqueue(&pool).await.unwrap();
            pgq.count_jobs().await.unwrap();
        });
    }
    tasks.join_all().await;

    assert_eq!(database.pgq.count_jobs().await.unwrap().available, 50);
}

/// As it does when a connection was lost; here none is. After a crash, statistics begin anew.
async fn forgets_its_marks_when_the_server_has_crashed(database: &Database) {
    let store = database.store();
    let session = open_session(store).await;
    // A position that is given out again. Marks wait for transactions of other cases, too; the few
    // jobs here do not make them worth sharing.
    let late = eventually("a job lies below the marks", async || {
        enqueue(store, job("mail")).await;
        while let claimed @ [_, ..] = &*claim(store, session, &["mail"], 10).await {
            let done: Vec<_> = claimed.iter().map(completed).collect();
            settle(store, session, &done).await;
        }
        let late = enqueue(store, job("mail")).await;
        let again = "UPDATE pgqueuer.jobs SET position = 1 WHERE claimed_by IS NULL";
        database.pool().execute(again).await.unwrap();
        let found = claim(store, session, &["mail"], 10).await;
        found.is_empty().then_some(late)
    })
    .await;

    let crash = "SELECT pg_stat_reset_shared('bgwriter')";
    database.pool().execute(crash).await.unwrap();

    let found = eventually("a claim finds it", async || {
        let found = claim(store, session, &["mail"], 10).await;
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(ids(&found.await), [late]);
}
