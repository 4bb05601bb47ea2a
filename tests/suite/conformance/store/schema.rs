//! Installing, checking and removing what a store needs.

use pgqueuer::{ErrorKind, PgQueuer, store::Store};

use super::super::{postgres_only, store_cases};
use crate::{
    backend::Database,
    support::{enqueue, job, state},
};

store_cases! {
    is_installed_once,
    keeps_its_jobs_when_it_is_installed_again,
    passes_its_own_check,
    is_installed_by_many_at_once,
}

// In memory there is no schema that could be missing, damaged, older or newer.
postgres_only! {
    on_postgres:
    has_a_version,
    is_missing_after_it_was_removed,
    leaves_nothing_behind_when_it_is_removed,
    leaves_the_objects_of_others_when_it_is_removed,
    is_refused_when_it_is_newer,
    is_refused_when_an_index_is_missing,
    is_refused_when_a_column_is_missing,
    is_refused_when_it_was_installed_from_another_file,
    is_named_by_an_error_when_it_is_missing,
}

async fn is_installed_once(store: &dyn Store) {
    let applied = store.install().await.unwrap();

    // It was installed before the case began.
    assert!(applied.is_empty(), "{applied:?}");
}

async fn keeps_its_jobs_when_it_is_installed_again(store: &dyn Store) {
    let id = enqueue(store, job("mail")).await;

    store.install().await.unwrap();

    assert_eq!(state(store, id).await.as_str(), "available");
}

async fn passes_its_own_check(store: &dyn Store) {
    let verified = store.verify().await;

    assert!(verified.is_ok(), "{verified:?}");
}

async fn is_installed_by_many_at_once(store: &dyn Store) {
    store.uninstall().await.unwrap();

    let installs = futures_util::future::join_all((0..5).map(|_| store.install())).await;

    assert!(installs.iter().all(Result::is_ok), "{installs:?}");
    assert!(store.verify().await.is_ok());
}

async fn has_a_version(database: &Database) {
    let version = database.store().installed_version().await.unwrap();

    assert_eq!(version, Some(1));
}

async fn is_missing_after_it_was_removed(database: &Database) {
    let store = database.store();
    store.uninstall().await.unwrap();

    let verified = store.verify().await;
    let removed_again = store.uninstall().await;

    assert_eq!(verified.unwrap_err().kind(), ErrorKind::Schema);
    assert_eq!(removed_again.unwrap_err().kind(), ErrorKind::Schema);
    assert_eq!(store.installed_version().await.unwrap(), None);
}

async fn leaves_nothing_behind_when_it_is_removed(database: &Database) {
    database.store().uninstall().await.unwrap();

    let schemas: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE nspname = $1")
        .bind(database.schema.as_str())
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(schemas, 0);
}

async fn leaves_the_objects_of_others_when_it_is_removed(database: &Database) {
    let create = database.sql("CREATE TABLE pgqueuer.theirs AS SELECT 42 AS answer");
    sqlx::query(create).execute(database.pool()).await.unwrap();

    database.store().uninstall().await.unwrap();

    let read = database.sql("SELECT answer FROM pgqueuer.theirs");
    let answer: i32 = sqlx::query_scalar(read)
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(answer, 42);
    assert_eq!(database.store().install().await.unwrap(), [1]);
}

async fn is_refused_when_it_is_newer(database: &Database) {
    let newer = "INSERT INTO pgqueuer.migrations VALUES (9999, 'of the future', 'x')";
    sqlx::query(database.sql(newer))
        .execute(database.pool())
        .await
        .unwrap();

    let verified = database.store().verify().await.unwrap_err();
    let installed = database.store().install().await.unwrap_err();

    assert_eq!(
        (verified.kind(), installed.kind()),
        (ErrorKind::Schema, ErrorKind::Schema)
    );
    assert!(verified.to_string().contains("9999"), "{verified}");
}

async fn is_refused_when_a_column_is_missing(database: &Database) {
    let drop = database.sql("ALTER TABLE pgqueuer.jobs DROP COLUMN headers");
    sqlx::query(drop).execute(database.pool()).await.unwrap();

    let error = database.store().verify().await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(
        error
            .to_string()
            .contains("the statement `enqueue` does not fit it"),
        "{error}"
    );
}

async fn is_refused_when_an_index_is_missing(database: &Database) {
    let drop = database.sql("DROP INDEX pgqueuer.jobs_claim_idx");
    sqlx::query(drop).execute(database.pool()).await.unwrap();

    let verified = database.store().verify().await.unwrap_err();

    assert_eq!(verified.kind(), ErrorKind::Schema);
    assert!(
        verified.to_string().contains("jobs_claim_idx"),
        "{verified}"
    );
}

async fn is_refused_when_it_was_installed_from_another_file(database: &Database) {
    let edit = database.sql("UPDATE pgqueuer.migrations SET checksum = 'another'");
    sqlx::query(edit).execute(database.pool()).await.unwrap();

    let verified = database.store().verify().await;

    assert_eq!(verified.unwrap_err().kind(), ErrorKind::Schema);
}

async fn is_named_by_an_error_when_it_is_missing(database: &Database) {
    let missing = pgqueuer::SchemaName::parse("nobody installed this").unwrap();
    let pgq = PgQueuer::with_schema(database.pool().clone(), missing);

    let verified = pgq.verify().await.unwrap_err();
    let enqueued = pgq.store().enqueue(&[job("mail")]).await.unwrap_err();

    assert!(
        verified.to_string().contains("nobody installed this"),
        "{verified}"
    );
    assert_eq!(enqueued.kind(), ErrorKind::Schema);
    assert!(enqueued.to_string().contains("install"), "{enqueued}");
}
