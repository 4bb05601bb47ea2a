//! Jobs that are not where their claim has put them: they are settled all the same.

use pgqueuer::store::{ClaimedJob, JobState, Place, Settlement};
use sqlx::Executor as _;

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{claim, completed, enqueue_many, job, open_session, settle, state},
};

postgres_only! {
    on_postgres:
    are_found_when_they_have_moved,
    are_found_when_nobody_knows_where_they_are,
    are_found_when_others_are_in_their_place,
    are_not_ended_in_the_place_of_others,
}

async fn claimed(database: &Database, count: usize) -> Vec<ClaimedJob> {
    let store = database.store();
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), count).await;
    claim(store, session, &["mail"], 100).await
}

/// Settles as the session that claimed; returns how many were refused.
async fn settle_all(database: &Database, settlements: &[Settlement]) -> usize {
    let sessions = database.sql("SELECT max(id) FROM pgqueuer.sessions");
    let newest: i64 = sqlx::query_scalar(sessions)
        .fetch_one(database.pool())
        .await
        .unwrap();
    let session = pgqueuer::store::SessionId(newest);
    settle(database.store(), session, settlements).await.len()
}

async fn states(database: &Database, jobs: &[ClaimedJob]) -> Vec<JobState> {
    let mut states = Vec::new();
    for job in jobs {
        states.push(state(database.store(), job.key.id).await);
    }
    states
}

async fn are_found_when_they_have_moved(database: &Database) {
    let jobs = claimed(database, 3).await;
    let touch =
        "UPDATE pgqueuer.jobs SET headers = '{}' WHERE id <> (SELECT min(id) FROM pgqueuer.jobs)";
    database.pool().execute(database.sql(touch)).await.unwrap();

    let settlements: Vec<Settlement> = jobs.iter().map(completed).collect();
    let refused = settle_all(database, &settlements).await;

    assert_eq!(refused, 0);
    assert_eq!(states(database, &jobs).await, [JobState::Completed; 3]);
}

async fn are_found_when_nobody_knows_where_they_are(database: &Database) {
    let jobs = claimed(database, 3).await;

    let unknown = |job| Settlement {
        place: Place::default(),
        ..completed(job)
    };
    let settlements: Vec<Settlement> = jobs.iter().map(unknown).collect();
    let refused = settle_all(database, &settlements).await;

    assert_eq!(refused, 0);
    assert_eq!(states(database, &jobs).await, [JobState::Completed; 3]);
}

/// As after VACUUM FULL, which puts every row somewhere else.
async fn are_found_when_others_are_in_their_place(database: &Database) {
    let jobs = claimed(database, 3).await;
    let places: Vec<Place> = jobs.iter().map(|it| it.place).collect();

    let settlements: Vec<Settlement> = (0..3)
        .map(|index| Settlement {
            place: places[(index + 1) % 3],
            ..completed(&jobs[index])
        })
        .collect();
    let refused = settle_all(database, &settlements).await;

    assert_eq!(refused, 0);
    assert_eq!(states(database, &jobs).await, [JobState::Completed; 3]);
}

async fn are_not_ended_in_the_place_of_others(database: &Database) {
    let jobs = claimed(database, 2).await;

    let wrong = Settlement {
        place: jobs[1].place,
        ..completed(&jobs[0])
    };
    let refused = settle_all(database, &[wrong]).await;

    assert_eq!(refused, 0);
    let expected = [JobState::Completed, JobState::Running];
    assert_eq!(states(database, &jobs).await, expected);
}
