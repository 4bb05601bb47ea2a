//! Waiting for results, by who may do little.

use std::time::Duration;

use pgqueuer::{Job as _, JobHandle, job};

use super::{super::postgres_only, history_days::with_role};
use crate::{backend::Database, support::in_time};

postgres_only! {
    on_postgres, not_pooled("settings of a session"):
    brings_the_result_to_who_may_only_read,
}

#[job]
async fn seven() -> Result<u8, String> {
    Ok(7)
}

/// Nobody tells it, since it cannot say that it waits; so it looks.
const MAY_READ: &str = "
    GRANT USAGE ON SCHEMA pgqueuer TO app_worker;
    GRANT SELECT ON pgqueuer.jobs, pgqueuer.history TO app_worker;
";

async fn brings_the_result_to_who_may_only_read(database: &Database) {
    with_role(database, MAY_READ, async |reader| {
        let handle = Seven {}.enqueue(&database.pgq).await.unwrap();
        let waited = tokio::spawn(JobHandle::<Seven>::of(reader, handle).wait());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let worker = database.pgq.worker().only_registered().register::<Seven>();
        worker.build().unwrap().drain().await.unwrap();
        let result = in_time("the result", waited).await.unwrap();
        assert_eq!(result.unwrap(), 7);
    })
    .await;
}
