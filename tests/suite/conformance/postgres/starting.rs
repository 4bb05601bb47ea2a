//! Workers that cannot start.

use pgqueuer::job;

use super::super::postgres_only;
use crate::{backend::Database, support::in_time};

postgres_only! {
    on_postgres:
    leave_no_session_behind,
}

#[job]
async fn never_run() {}

async fn leave_no_session_behind(database: &Database) {
    let refuse = "ALTER TABLE pgqueuer.kinds ADD CONSTRAINT full_up CHECK (kind <> 'never_run')";
    let refuse = sqlx::query(database.sql(refuse));
    refuse.execute(database.pool()).await.unwrap();

    let worker = database
        .pgq
        .worker()
        .only_registered()
        .register::<NeverRun>();
    let problem = in_time("it is refused", worker.build().unwrap().run())
        .await
        .unwrap_err();

    let cause = std::error::Error::source(&problem).unwrap().to_string();
    assert!(cause.contains("full_up"), "{problem}: {cause}");
    let sessions = sqlx::query_scalar(database.sql("SELECT count(*) FROM pgqueuer.sessions"));
    let sessions: i64 = sessions.fetch_one(database.pool()).await.unwrap();
    assert_eq!(sessions, 0);
}
