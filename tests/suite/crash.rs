//! What is left of a server that has crashed, and what a worker must not believe of it.

use pgqueuer::{PgQueuer, store::Store};
use sqlx::PgPool;
use throwaway_postgres::{Postgres, Shutdown};

use crate::support::{claim, enqueue, ids, job, open_session};

async fn last_position(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT last_value FROM pgqueuer.positions")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Positions that a transaction took which was rolled back are given out again after a crash:
/// nothing has made the server write them down. A worker that has seen them pass must not take
/// what is enqueued there now for done.
#[tokio::test(flavor = "multi_thread")]
async fn positions_that_are_given_out_again_are_not_passed_by() {
    let mut postgres = Postgres::builder()
        .durable(true)
        // So that nothing is written down by chance.
        .setting("wal_writer_delay", "10s")
        .start()
        .unwrap();
    let pgq = PgQueuer::connect(&postgres.url("postgres")).await.unwrap();
    pgq.install().await.unwrap();
    let (store, pool): (&dyn Store, _) = (&**pgq.store(), pgq.pool().unwrap());
    let session = open_session(store).await;
    enqueue(store, job("mail")).await;
    assert_eq!(claim(store, session, &["mail"], 10).await.len(), 1);
    let mut taking = pool.begin().await.unwrap();
    sqlx::query("SELECT nextval('pgqueuer.positions') FROM generate_series(1, 500)")
        .execute(&mut *taking)
        .await
        .unwrap();
    taking.rollback().await.unwrap();
    for _ in 0..4 {
        let nothing = claim(store, session, &["mail"], 10).await;
        assert!(nothing.is_empty());
    }
    let before = last_position(pool).await;

    postgres.shut_down(Shutdown::Immediate).unwrap();
    postgres.start_again().unwrap();
    let pool = PgPool::connect(&postgres.url("postgres")).await.unwrap();
    assert!(
        last_position(&pool).await < before - 400,
        "or this proves nothing"
    );
    let again = PgQueuer::new(pool);
    let id = enqueue(&**again.store(), job("mail")).await;

    // Its connections are broken, so the first may fail.
    let claimed = loop {
        let request = pgqueuer::store::ClaimRequest {
            session,
            kinds: &["mail"],
            limit: 10,
            bounds: &[],
            look: pgqueuer::store::Look::Everywhere,
            has_freed: false,
        };
        if let Ok(claimed) = store.claim(&request).await {
            break claimed.jobs;
        }
    };
    assert_eq!(ids(&claimed), [id]);
}
