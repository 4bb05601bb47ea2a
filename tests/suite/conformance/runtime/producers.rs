//! Enqueueing, from wherever one is.

use futures_util::stream;
use pgqueuer::{ErrorKind, Job as _, JobId, PgQueuer, State, job, store::JobState};
use sqlx::Connection as _;

use super::{
    super::{postgres_only, runtime_cases},
    Journal, Running, drain, worker,
};
use crate::{
    backend::Database,
    support::{LONG, seconds_from_now, state},
};

runtime_cases! {
    enqueue_to_the_handle,
    enqueue_many_in_order,
    enqueue_none,
    enqueue_a_stream,
    enqueue_an_empty_stream,
    enqueue_nothing_of_a_stream_that_breaks_off,
    enqueue_many_with_options_of_their_own,
    enqueue_for_later,
    enqueue_for_a_time,
    keep_the_last_of_two_times,
}

runtime_cases! {
    not_pooled("LISTEN"):
    wake_an_idle_worker,
}

// These enqueue over a connection, and so to the schema `pgqueuer`.
postgres_only! {
    in_own_database:
    enqueue_to_a_pool,
    enqueue_to_a_connection,
    enqueue_in_a_transaction,
    enqueue_nothing_if_it_is_rolled_back,
    enqueue_nothing_if_a_batch_fails,
    enqueue_a_stream_to_a_pool,
    enqueue_a_stream_in_a_transaction,
    enqueue_many_in_a_transaction,
    enqueue_from_synchronous_code,
    enqueue_from_asynchronous_code_that_blocks,
}

#[job]
async fn note(number: u32, journal: State<Journal>) {
    journal.note(number.to_string());
}

async fn lines_after_a_drain(pgq: &PgQueuer) -> Vec<String> {
    let journal = Journal::default();
    drain(worker(pgq, &journal).concurrency(1).register::<Note>()).await;
    journal.lines()
}

async fn enqueue_to_the_handle(pgq: &PgQueuer) {
    let id = Note { number: 1 }.enqueue(pgq).await.unwrap().id();

    assert_eq!(state(&**pgq.store(), id).await, JobState::Available);
    assert_eq!(lines_after_a_drain(pgq).await, ["1"]);
}

async fn enqueue_many_in_order(pgq: &PgQueuer) {
    let notes = (1..=3).map(|number| Note { number });

    let ids = Note::enqueue_many(pgq, notes).await.unwrap();

    assert!(ids.is_sorted_by(|one, next| one.id() < next.id()));
    assert_eq!(lines_after_a_drain(pgq).await, ["1", "2", "3"]);
}

async fn enqueue_none(pgq: &PgQueuer) {
    let ids = Note::enqueue_many(pgq, []).await.unwrap();

    assert!(ids.is_empty());
}

/// Several chunks, and what is left over.
async fn enqueue_a_stream(pgq: &PgQueuer) {
    let notes = stream::iter((1..=2345).map(|number| Note { number }));

    let count = Note::enqueue_stream(pgq, notes).await.unwrap();

    assert_eq!(count, 2345);
    let expected: Vec<String> = (1..=2345).map(|number: u32| number.to_string()).collect();
    assert_eq!(lines_after_a_drain(pgq).await, expected);
}

async fn enqueue_an_empty_stream(pgq: &PgQueuer) {
    let count = Note::enqueue_stream(pgq, stream::empty()).await.unwrap();

    assert_eq!(count, 0);
}

#[job]
async fn repeat(letter: String) {
    let _ = letter;
}

async fn enqueue_nothing_of_a_stream_that_breaks_off(pgq: &PgQueuer) {
    let letters = (0..=1500).map(|number| Repeat {
        // The last is over the limit.
        letter: "x".repeat(if number == 1500 { 40 << 20 } else { 1 }),
    });

    let enqueued = Repeat::enqueue_stream(pgq, stream::iter(letters)).await;

    assert_eq!(enqueued.unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!(pgq.count_jobs().await.unwrap(), Default::default());
}

async fn enqueue_many_with_options_of_their_own(pgq: &PgQueuer) {
    let notes = [1, 2, 3].map(|number| {
        let priority = i16::try_from(number).unwrap();
        Note { number }.options().priority(priority)
    });

    pgqueuer::enqueue_many(pgq, notes).await.unwrap();

    assert_eq!(lines_after_a_drain(pgq).await, ["3", "2", "1"]);
}

async fn enqueue_for_later(pgq: &PgQueuer) {
    let before = pgq.now().await.unwrap();

    let text = Note { number: 1 }.options().delay("1h");
    let text = text.enqueue(pgq).await.unwrap().id();
    let duration = Note { number: 2 }.options().delay(LONG);
    let duration = duration.enqueue(pgq).await.unwrap().id();

    let after = pgq.now().await.unwrap();
    for id in [text, duration] {
        let record = pgq.get_job(id).await.unwrap().unwrap();
        let run_at = record.run_at.unwrap();
        assert_eq!(record.state, JobState::Scheduled);
        assert!((before + LONG..=after + LONG).contains(&run_at), "{run_at}");
    }
}

async fn enqueue_for_a_time(pgq: &PgQueuer) {
    let time = seconds_from_now(&**pgq.store(), 3600).await;

    let id = Note { number: 1 }
        .options()
        .run_at(time)
        .enqueue(pgq)
        .await
        .unwrap()
        .id();

    assert_eq!(pgq.get_job(id).await.unwrap().unwrap().run_at, Some(time));
}

async fn keep_the_last_of_two_times(pgq: &PgQueuer) {
    let time = seconds_from_now(&**pgq.store(), 3600).await;

    let both = Note { number: 1 }.options().delay("nonsense").run_at(time);
    let id = both.enqueue(pgq).await.unwrap().id();

    assert_eq!(pgq.get_job(id).await.unwrap().unwrap().run_at, Some(time));
}

async fn wake_an_idle_worker(pgq: &PgQueuer) {
    let journal = Journal::default();
    // It polls once an hour: only the bell can wake it.
    let config = pgqueuer::WorkerConfig {
        poll_interval: LONG,
        ..pgqueuer::WorkerConfig::default()
    };
    let running = Running::start(worker(pgq, &journal).config(config).register::<Note>());

    for number in 1..=20 {
        Note { number }.enqueue(pgq).await.unwrap();
        journal.wait_for(number as usize).await;
    }
    let soon = Note { number: 21 }.options().delay("20ms");
    soon.enqueue(pgq).await.unwrap();
    journal.wait_for(21).await;
    let report = running.stop().await;

    assert_eq!(report.completed, 21);
}

async fn enqueue_to_a_pool(database: &Database) {
    Note { number: 1 }
        .enqueue(database.application())
        .await
        .unwrap();
    let more = [2, 3].map(|number| Note { number });
    Note::enqueue_many(database.application(), more)
        .await
        .unwrap();

    assert_eq!(lines_after_a_drain(&database.pgq).await, ["1", "2", "3"]);
}

async fn enqueue_to_a_connection(database: &Database) {
    let mut connection = database.application().acquire().await.unwrap();

    Note { number: 1 }.enqueue(&mut *connection).await.unwrap();
    let mut alone = sqlx::PgConnection::connect_with(&database.options)
        .await
        .unwrap();
    Note { number: 2 }.enqueue(&mut alone).await.unwrap();

    assert_eq!(lines_after_a_drain(&database.pgq).await, ["1", "2"]);
}

async fn enqueue_in_a_transaction(database: &Database) {
    let mut transaction = database.application().begin().await.unwrap();
    let first = Note { number: 1 }.enqueue(&mut transaction).await.unwrap();
    Note { number: 2 }.enqueue(&mut *transaction).await.unwrap();

    let before = database.pgq.get_job(first).await.unwrap();
    transaction.commit().await.unwrap();

    assert_eq!(before, None, "nobody sees it before the commit");
    assert_eq!(lines_after_a_drain(&database.pgq).await, ["1", "2"]);
}

async fn enqueue_nothing_if_it_is_rolled_back(database: &Database) {
    let mut transaction = database.application().begin().await.unwrap();
    let id = Note { number: 1 }.enqueue(&mut transaction).await.unwrap();

    transaction.rollback().await.unwrap();

    assert_eq!(database.pgq.get_job(id).await.unwrap(), None);
    assert!(lines_after_a_drain(&database.pgq).await.is_empty());
}

async fn enqueue_nothing_if_a_batch_fails(database: &Database) {
    let fine = Note { number: 1 }.options();
    let wrong = Note { number: 2 }.options().delay("nonsense");

    let enqueued = pgqueuer::enqueue_many(database.application(), [fine, wrong]).await;

    assert!(enqueued.is_err());
    assert_eq!(database.pgq.count_jobs().await.unwrap(), Default::default());
}

async fn enqueue_a_stream_to_a_pool(database: &Database) {
    let notes = stream::iter((1..=1001).map(|number| Note { number }));

    let count = Note::enqueue_stream(database.application(), notes)
        .await
        .unwrap();

    assert_eq!(count, 1001);
    assert_eq!(lines_after_a_drain(&database.pgq).await.len(), 1001);
}

async fn enqueue_a_stream_in_a_transaction(database: &Database) {
    for is_kept in [false, true] {
        let notes = stream::iter((1..=1001).map(|number| Note { number }));
        let mut transaction = database.application().begin().await.unwrap();
        Note::enqueue_stream(&mut transaction, notes).await.unwrap();
        let before = database.pgq.count_jobs().await.unwrap();
        if is_kept {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let after = database.pgq.count_jobs().await.unwrap();

        assert_eq!(before.available, 0, "nobody sees it before the commit");
        assert_eq!(after.available, if is_kept { 1001 } else { 0 });
    }
}

async fn enqueue_many_in_a_transaction(database: &Database) {
    for is_kept in [false, true] {
        let notes = (1..=1500).map(|number| Note { number });
        let mut transaction = database.application().begin().await.unwrap();
        Note::enqueue_many(&mut transaction, notes).await.unwrap();
        // The connection is as good as before.
        Note { number: 1501 }
            .enqueue(&mut transaction)
            .await
            .unwrap();
        if is_kept {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        let after = database.pgq.count_jobs().await.unwrap();

        assert_eq!(after.available, if is_kept { 1501 } else { 0 });
    }
}

fn blocking_handle(database: &Database) -> pgqueuer::blocking::PgQueuer {
    use sqlx::ConnectOptions as _;
    let url = database.options.to_url_lossy().to_string();
    pgqueuer::blocking::PgQueuer::connect(&url).unwrap()
}

fn enqueue_blocking(pgq: &pgqueuer::blocking::PgQueuer) -> Vec<JobId> {
    let mut ids = vec![pgq.enqueue(Note { number: 1 }).unwrap()];
    let later = Note { number: 2 }.options().delay("1h");
    ids.push(pgq.enqueue(later).unwrap());
    ids.extend(
        pgq.enqueue_many([3, 4].map(|number| Note { number }))
            .unwrap(),
    );
    ids
}

async fn enqueue_from_synchronous_code(database: &Database) {
    let pgq = blocking_handle(database);
    let thread = std::thread::spawn(move || enqueue_blocking(&pgq));

    let ids = tokio::task::spawn_blocking(|| thread.join().unwrap())
        .await
        .unwrap();

    assert_eq!(state(database.store(), ids[1]).await, JobState::Scheduled);
    assert_eq!(lines_after_a_drain(&database.pgq).await, ["1", "3", "4"]);
}

/// Nobody should, but it must not panic, as blocking on a runtime within another does.
async fn enqueue_from_asynchronous_code_that_blocks(database: &Database) {
    let pgq = blocking_handle(database);

    enqueue_blocking(&pgq);
    drop(pgq);

    assert_eq!(lines_after_a_drain(&database.pgq).await, ["1", "3", "4"]);
}
