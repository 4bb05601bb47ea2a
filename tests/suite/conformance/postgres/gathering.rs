//! Tasks that enqueue at the same time share statements, and nothing else.

use std::{collections::BTreeSet, time::Duration};

use pgqueuer::{
    ErrorKind, JobId,
    store::{JobToEnqueue, RunAt},
};
use sqlx::{Executor as _, PgPool};
use tokio::task::JoinSet;

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{claim, enqueue, eventually, in_time, job, open_session},
};

postgres_only! {
    in_own_database:
    needs_fewer_transactions_than_tasks,
    keeps_the_jobs_of_a_task_together,
    lets_nobody_fail_for_the_job_of_another,
    tells_everybody_what_went_wrong,
    survives_tasks_that_give_up,
    waits_for_no_statement_that_hangs,
}

const TASKS: usize = 200;

/// Enqueues from many tasks at once; what each was told.
async fn enqueue_at_once(
    database: &Database,
    jobs: impl IntoIterator<Item = Vec<JobToEnqueue>>,
) -> Vec<(Vec<JobToEnqueue>, pgqueuer::Result<Vec<JobId>>)> {
    let mut tasks = JoinSet::new();
    for jobs in jobs {
        let pgq = database.pgq.clone();
        tasks.spawn(async move {
            let told = pgq.store().enqueue(&jobs).await;
            (jobs, told)
        });
    }
    in_time("all tasks", tasks.join_all()).await
}

fn delayed(kind: &'static str, seconds: u64) -> JobToEnqueue {
    JobToEnqueue {
        run_at: RunAt::After(Duration::from_secs(seconds)),
        ..job(kind)
    }
}

/// What the schema refuses, and no producer of this crate sends.
fn refused() -> JobToEnqueue {
    JobToEnqueue {
        kind: "k".repeat(300).into(),
        ..job("mail")
    }
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn needs_fewer_transactions_than_tasks(database: &Database) {
    enqueue(database.store(), job("mail")).await;

    let told = enqueue_at_once(database, (0..TASKS).map(|_| vec![job("mail")])).await;

    let ids: BTreeSet<JobId> = told
        .into_iter()
        .flat_map(|(_, told)| told.unwrap())
        .collect();
    assert_eq!(ids.len(), TASKS);
    // Every job has the number of the transaction that has inserted it.
    let transactions = count(
        database.pool(),
        "SELECT count(DISTINCT xmin::text) FROM pgqueuer.jobs",
    )
    .await;
    assert!(transactions < 100, "{transactions} transactions");
}

async fn keeps_the_jobs_of_a_task_together(database: &Database) {
    let jobs = (0..TASKS).map(|n| match n % 3 {
        0 => vec![job("mail"), job("letter"), delayed("mail", 60)],
        1 => vec![job("letter")],
        _ => vec![delayed("letter", 60), job("mail")],
    });

    let told = enqueue_at_once(database, jobs).await;

    let mut all = BTreeSet::new();
    let mut expected = 0;
    for (jobs, ids) in told {
        expected += jobs.len();
        let ids = ids.unwrap();
        assert_eq!(ids.len(), jobs.len());
        assert!(ids.is_sorted(), "{ids:?}");
        for (id, job) in ids.iter().zip(&jobs) {
            let record = database.pgq.get_job(*id).await.unwrap().unwrap();
            assert_eq!(record.kind, job.kind);
        }
        all.extend(ids);
    }
    assert_eq!(all.len(), expected);
}

async fn lets_nobody_fail_for_the_job_of_another(database: &Database) {
    let jobs = (0..TASKS).map(|n| match n % 10 {
        0 => vec![job("mail"), refused()],
        _ => vec![job("mail")],
    });

    let told = enqueue_at_once(database, jobs).await;

    for (jobs, told) in told {
        assert_eq!(told.is_err(), jobs.len() == 2, "{told:?}");
    }
    let enqueued = count(database.pool(), "SELECT count(*) FROM pgqueuer.jobs").await;
    assert_eq!(enqueued, (TASKS - TASKS / 10) as i64);
}

async fn tells_everybody_what_went_wrong(database: &Database) {
    database
        .pool()
        .execute("ALTER TABLE pgqueuer.jobs RENAME TO elsewhere")
        .await
        .unwrap();

    let told = enqueue_at_once(database, (0..TASKS).map(|_| vec![job("mail")])).await;

    for (_, told) in told {
        let error = told.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(format!("{error:?}").contains("pgqueuer.jobs"), "{error:?}");
    }
    let back = "ALTER TABLE pgqueuer.elsewhere RENAME TO jobs";
    database.pool().execute(back).await.unwrap();
}

/// Their jobs are enqueued, or not; those of all others are.
async fn survives_tasks_that_give_up(database: &Database) {
    let mut staying = JoinSet::new();
    for n in 0..TASKS {
        let pgq = database.pgq.clone();
        let task = async move { pgq.store().enqueue(&[job("mail")]).await.unwrap() };
        if n % 2 == 0 {
            staying.spawn(task);
        } else {
            let patience = Duration::from_micros(n as u64 * 10);
            tokio::spawn(tokio::time::timeout(patience, task));
        }
    }

    let ids = in_time("those who stay", staying.join_all()).await;

    assert_eq!(ids.concat().len(), TASKS / 2);
    enqueue(database.store(), job("mail")).await;
}

/// All statements of the handle wait for a lock, but for one that needs none of it.
async fn waits_for_no_statement_that_hangs(database: &Database) {
    enqueue(database.store(), job("mail")).await;
    // Only statements that add a lane wait for this.
    let mut lock = database.pool().begin().await.unwrap();
    lock.execute("CREATE UNIQUE INDEX ON pgqueuer.lanes (kind, priority)")
        .await
        .unwrap();
    let hanging: Vec<_> = ["one", "two"]
        .map(|kind| {
            let pgq = database.pgq.clone();
            tokio::spawn(async move { pgq.store().enqueue(&[job(kind)]).await })
        })
        .into();
    eventually("two statements wait for a lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        (count(database.pool(), waiting).await == 2).then_some(())
    })
    .await;

    in_time(
        "the job of an old lane",
        enqueue(database.store(), job("mail")),
    )
    .await;

    lock.rollback().await.unwrap();
    for hanging in hanging {
        hanging.await.unwrap().unwrap();
    }
    let session = open_session(database.store()).await;
    let found = claim(database.store(), session, &["one", "two", "mail"], 10).await;
    assert_eq!(found.len(), 4);
}
