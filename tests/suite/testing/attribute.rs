//! `#[pgqueuer::test]`: in memory, and in a database of its own.

use std::{
    panic::{self, AssertUnwindSafe},
    time::Instant,
};

use pgqueuer::{__private::testing::on_postgres, Job as _, State, Tx, job, testing::TestQueue};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use super::{Notes, noting};

#[job]
async fn kit_write(number: i32, mut tx: Tx, notes: State<Notes>) -> Result<(), sqlx::Error> {
    let two = sqlx::query_scalar::<_, i32>("SELECT $1 + 1").bind(number);
    let two = two.fetch_one(&mut *tx).await?;
    notes.note(two.to_string());
    Ok(())
}

#[pgqueuer::test]
async fn each_has_a_queue_of_its_own(queue: TestQueue) {
    assert!(queue.pool().is_none());
    assert_eq!(queue.count_jobs().await.unwrap(), Default::default());
}

#[pgqueuer::test]
async fn the_clock_stands_still(queue: TestQueue) -> pgqueuer::Result<()> {
    let (began, before) = (Instant::now(), queue.now().await?);
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert!(began.elapsed().as_secs() < 60);
    assert_eq!((queue.now().await? - before).num_seconds(), 3600);
    Ok(())
}

#[pgqueuer::test]
#[should_panic(expected = "as it should")]
async fn other_attributes_stay(mut queue: TestQueue) {
    let _: &mut TestQueue = &mut queue;
    panic!("as it should");
}

#[pgqueuer::test(postgres)]
async fn jobs_with_a_transaction_run_on_postgresql(queue: TestQueue) -> pgqueuer::Result<()> {
    let notes = noting(&queue);
    queue.register::<KitWrite>();
    KitWrite { number: 1 }.enqueue(&queue).await?;
    // As an application does it, with nothing but a pool.
    KitWrite { number: 2 }
        .enqueue(queue.pool().expect("it has one"))
        .await?;

    let report = queue.drain().await?;

    assert_eq!(
        (report.completed, notes.lines()),
        (2, vec!["2".into(), "3".into()])
    );
    Ok(())
}

#[pgqueuer::test(postgres)]
async fn nobody_sets_the_clock_of_postgresql(queue: TestQueue) {
    let refused = queue.advance("1h").await.unwrap_err().to_string();
    assert!(refused.contains("cannot be set"), "{refused}");
}

/// Whether a database is there, by the options of a connection to it.
async fn exists(options: &PgConnectOptions) -> bool {
    let name = options.get_database().unwrap();
    let mut server = options
        .clone()
        .database("postgres")
        .connect()
        .await
        .unwrap();
    let found = sqlx::query_scalar("SELECT exists (SELECT FROM pg_database WHERE datname = $1)");
    found.bind(name).fetch_one(&mut server).await.unwrap()
}

fn options_of(queue: &TestQueue) -> PgConnectOptions {
    let options = queue.pool().unwrap().connect_options();
    PgConnectOptions::clone(&options)
}

#[test]
fn a_database_goes_when_its_test_passes_and_stays_when_it_fails() {
    let outside = tokio::runtime::Runtime::new().unwrap();
    let mut options = None;

    on_postgres(async |queue| options = Some(options_of(&queue)));
    assert!(!outside.block_on(exists(&options.take().unwrap())));

    let failed: Result<(), &str> = on_postgres(async |queue| {
        options = Some(options_of(&queue));
        Err("failed")
    });
    assert_eq!(failed, Err("failed"));
    assert!(outside.block_on(exists(&options.take().unwrap())));

    let panicking = AssertUnwindSafe(|| {
        on_postgres(async |queue| {
            options = Some(options_of(&queue));
            assert!(queue.pool().is_none(), "on purpose");
        });
    });
    panic::catch_unwind(panicking).unwrap_err();
    assert!(outside.block_on(exists(&options.take().unwrap())));
}
