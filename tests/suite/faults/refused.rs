//! The server lets nobody in: it has too many connections already, or the password was changed.

use std::{fs, time::Duration};

use pgqueuer::PgQueuer;
use sqlx::{Connection as _, PgConnection};
use throwaway_postgres::Postgres;

use super::stage::{Running, Stage, small_pool};

/// Takes every connection that is left.
async fn take_all(stage: &Stage) -> Vec<PgConnection> {
    let mut taken = Vec::new();
    loop {
        match PgConnection::connect_with(&stage.options()).await {
            Ok(connection) => taken.push(connection),
            Err(error) => {
                let code = error.as_database_error().and_then(|it| it.code());
                assert_eq!(code.as_deref(), Some("53300"), "{error}");
                return taken;
            }
        }
    }
}

async fn give_up(taken: Vec<PgConnection>) {
    for connection in taken {
        connection.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_connections_when_it_starts_and_when_it_has_lost_its_own() {
    let server = Postgres::builder().setting("max_connections", "20");
    let server = server.start().unwrap();
    let mut stage = Stage::on(&server).await;
    stage.enqueue(10).await;
    let taken = take_all(&stage).await;

    let worker = stage.start_worker();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.runs.len(), 0);
    assert!(!worker.has_ended());
    give_up(taken).await;
    stage.all_done_once().await;

    for _ in 0..2 {
        // Once the test has all that become free, the worker has none.
        let mut taken = take_all(&stage).await;
        stage.terminate_all().await;
        taken.clear();
        taken.extend(take_all(&stage).await);
        stage.enqueue(10).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        give_up(taken).await;
        stage.all_done_once().await;
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_with_the_password_that_is_right_once_more() {
    let server = Postgres::start().unwrap();
    let mut stage = Stage::on(&server).await;
    stage
        .execute("CREATE ROLE app LOGIN SUPERUSER PASSWORD 'first'")
        .await;
    // Only now: superusers from the outside have no password.
    let rules = server.dir().join("data/pg_hba.conf");
    let trust = fs::read_to_string(&rules).unwrap();
    let rules_of_app = format!("local all app scram-sha-256\n{trust}");
    fs::write(&rules, rules_of_app).unwrap();
    stage.execute("SELECT pg_reload_conf()").await;
    let app = stage.options().username("app").password("first");
    let pgq = PgQueuer::new(small_pool(app.clone(), 2));
    let worker = Running::start(stage.worker_on(&pgq).build().unwrap());
    stage.is_idle_and_well().await;

    // It is told the new one.
    stage.execute("ALTER ROLE app PASSWORD 'second'").await;
    stage.terminate_all().await;
    stage.enqueue(10).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.runs.len(), 1);
    let pool = pgq.pool().unwrap();
    pool.set_connect_options(app.clone().password("second"));
    stage.all_done_once().await;
    stage.is_idle_and_well().await;

    // It was a mistake, and is put right.
    stage.execute("ALTER ROLE app PASSWORD 'third'").await;
    stage.terminate_all().await;
    stage.enqueue(10).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.execute("ALTER ROLE app PASSWORD 'second'").await;
    stage.all_done_once().await;
    stage.is_idle_and_well().await;
    worker.stop().await;
}
