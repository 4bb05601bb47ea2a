//! Unique jobs, from the side of producers.

use futures_util::stream;
use pgqueuer::{
    Enqueued, ErrorKind, Job as _, JobId, NewJob, OnConflict, PgQueuer, Replace, State,
    enqueue_many_unique, job,
    store::{JobState, Store},
};
use sqlx::AssertSqlSafe;

use super::{
    super::{postgres_only, runtime_cases},
    Journal, drain, worker,
};
use crate::{backend::Database, support::state};

runtime_cases! {
    are_unique_by_all_arguments,
    are_unique_by_some_arguments,
    are_unique_by_nothing_but_their_kind,
    are_unique_by_a_key_of_the_caller,
    run_once,
    are_found_in_a_stream,
    are_published_with_the_kind,
    that_cannot_be_are_refused,
    are_replaced_by_the_last_of_a_batch,
}

postgres_only! {
    in_own_database:
    are_unique_in_a_transaction,
    have_the_same_keys_in_sql,
}

#[job(unique)]
async fn by_all(user: i64, list: String, journal: State<Journal>) {
    journal.note(format!("{user} {list}"));
}

#[job(unique(by = [user, list], for = "1h"))]
async fn by_some(user: Option<i64>, list: String, text: String) {
    let _ = (user, list, text);
}

#[job(unique(by = word))]
async fn by_word(word: String) {
    let _ = word;
}

#[job(unique)]
async fn nightly() {}

#[job]
async fn plain(number: u32) {
    let _ = number;
}

fn all(user: i64, list: &str) -> ByAll {
    let list = list.to_owned();
    ByAll { user, list }
}

fn some(user: Option<i64>, list: &str, text: &str) -> BySome {
    let (list, text) = (list.to_owned(), text.to_owned());
    BySome { user, list, text }
}

async fn are_unique_by_all_arguments(pgq: &PgQueuer) {
    let first = all(1, "a").enqueue_unique(pgq).await.unwrap();
    let second = all(1, "a").enqueue_unique(pgq).await.unwrap();
    let other = all(1, "b").enqueue_unique(pgq).await.unwrap();

    assert!(first.is_new && !second.is_new && other.is_new);
    assert_eq!(all(1, "a").enqueue(pgq).await.unwrap().id(), first.id);
    assert_eq!(first.id, second.id);
}

async fn are_unique_by_some_arguments(pgq: &PgQueuer) {
    let jobs = [
        some(Some(1), "a", "x"),
        some(Some(1), "a", "y"),
        some(None, "a", "x"),
        some(Some(1), "b", "x"),
    ];
    let jobs = jobs.map(|job| job.options());

    let added = enqueue_many_unique(pgq, jobs).await.unwrap();

    let new: Vec<bool> = added.iter().map(|it| it.is_new).collect();
    assert_eq!(new, [true, false, true, true]);
}

async fn are_unique_by_nothing_but_their_kind(pgq: &PgQueuer) {
    let handles = Nightly::enqueue_many(pgq, (0..3).map(|_| Nightly {}));
    let ids: Vec<JobId> = handles
        .await
        .unwrap()
        .iter()
        .map(pgqueuer::JobHandle::id)
        .collect();

    assert_eq!(ids, [ids[0]; 3]);
}

async fn are_unique_by_a_key_of_the_caller(pgq: &PgQueuer) {
    let with_key = |number| Plain { number }.options().unique_key("a");

    let first = with_key(1).enqueue_unique(pgq).await.unwrap();
    let second = with_key(2).enqueue_unique(pgq).await.unwrap();
    let strict = with_key(3).on_conflict(OnConflict::Error);
    let error = strict.enqueue(pgq).await.unwrap_err();
    let without = Plain { number: 4 }.enqueue_unique(pgq).await.unwrap();

    assert!(first.is_new && !second.is_new && without.is_new);
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

async fn run_once(pgq: &PgQueuer) {
    let journal = Journal::default();
    ByAll::enqueue_many(pgq, (0..10).map(|_| all(1, "a")))
        .await
        .unwrap();

    drain(worker(pgq, &journal).register::<ByAll>()).await;
    let again = all(1, "a").enqueue_unique(pgq).await.unwrap();

    assert_eq!(journal.lines(), ["1 a"]);
    assert!(again.is_new);
}

async fn are_found_in_a_stream(pgq: &PgQueuer) {
    let jobs = stream::iter((0..2500).map(|number| all(number % 100, "a")));

    let new = ByAll::enqueue_stream(pgq, jobs).await.unwrap();

    assert_eq!(new, 100);
    assert_eq!(pgq.count_jobs().await.unwrap().available, 100);
}

async fn are_published_with_the_kind(pgq: &PgQueuer) {
    drain(
        worker(pgq, &Journal::default())
            .register::<BySome>()
            .register::<Plain>(),
    )
    .await;

    let kinds = pgq.list_kinds().await.unwrap();

    let by = vec!["user".to_owned(), "list".to_owned()];
    assert_eq!(
        (&kinds[0].unique_by, kinds[0].unique_millis),
        (&Some(by), Some(3_600_000))
    );
    assert_eq!((&kinds[1].unique_by, kinds[1].unique_millis), (&None, None));
}

async fn that_cannot_be_are_refused(pgq: &PgQueuer) {
    let plain = || Plain { number: 1 }.options();
    let cases: [(NewJob<Plain>, &str); 4] = [
        (
            plain().unique_key(""),
            "job `plain` was not enqueued: its unique key is empty",
        ),
        (
            plain().unique_key("x".repeat(1025)),
            "a key of job `plain` is 1025 bytes long, at most 1024; use an id, or a digest of the value",
        ),
        (
            plain().unique_key("a").unique_for("0s"),
            "job `plain` was not enqueued: a job is unique for 0ns, from 1 ms to 100 years",
        ),
        (
            plain().on_conflict(OnConflict::Error),
            "job `plain` was not enqueued: there is no conflict without a key; add `unique_key`, or \
             `unique` to its kind",
        ),
    ];
    for (job, message) in cases {
        assert_eq!(job.enqueue(pgq).await.unwrap_err().to_string(), message);
    }
    assert_eq!(pgq.count_jobs().await.unwrap().available, 0);
}

async fn are_replaced_by_the_last_of_a_batch(pgq: &PgQueuer) {
    let replacing = |number| {
        let job = Plain { number }.options().unique_key("a");
        job.on_conflict(OnConflict::Replace(Replace::PAYLOAD))
    };

    let added = enqueue_many_unique(pgq, [1, 2, 3].map(replacing))
        .await
        .unwrap();

    let record = pgq.get_job(added[0].id).await.unwrap().unwrap();
    let expected = Plain { number: 3 }.encode().unwrap();
    assert_eq!(record.payload, Some(expected));
    assert_eq!(added.iter().filter(|it| it.is_new).count(), 1);
}

async fn are_unique_in_a_transaction(database: &Database) {
    let pool = database.application();
    let mut transaction = pool.begin().await.unwrap();
    let first = all(1, "a").enqueue_unique(&mut *transaction).await.unwrap();
    let second = all(1, "a").enqueue_unique(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    let after = all(1, "a").enqueue_unique(pool).await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    let found = all(1, "a")
        .enqueue_unique(database.pgq.on(&mut transaction))
        .await
        .unwrap();
    let strict = all(1, "a").options().on_conflict(OnConflict::Error);
    let error = strict.enqueue(&mut *transaction).await.unwrap_err();

    assert!(first.is_new && !second.is_new && after.is_new);
    let found_after = Enqueued {
        is_new: false,
        ..after
    };
    assert_eq!((first.id, found), (second.id, found_after));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(state(database.store(), after.id).await, JobState::Available);
}

/// Whoever enqueues first: the other finds the same key.
async fn have_the_same_keys_in_sql(database: &Database) {
    let store: &dyn Store = database.store();
    let registered = worker(&database.pgq, &Journal::default())
        .register::<ByAll>()
        .register::<BySome>()
        .register::<ByWord>()
        .register::<Nightly>();
    drain(registered).await;
    let call = async |kind: &str, arguments: serde_json::Value| -> JobId {
        let call = database.sql("SELECT pgqueuer.enqueue($1, $2)");
        let call: AssertSqlSafe<String> = call;
        let id: i64 = sqlx::query_scalar(call)
            .bind(kind)
            .bind(arguments)
            .fetch_one(database.pool())
            .await
            .unwrap();
        id.into()
    };
    let awkward = [
        "",
        "null",
        "a \"b\" \\ c",
        "\u{1}\u{1f}\u{7f}\t\n\r\u{8}\u{c}",
        "ünï 🦀 \u{2028}",
    ];
    for (number, word) in (0_i64..).zip(awkward) {
        let user = number.is_positive().then_some(i64::MIN + number);
        let rust = [
            all(number, word).enqueue(&database.pgq).await.unwrap().id(),
            some(user, word, "x")
                .enqueue(&database.pgq)
                .await
                .unwrap()
                .id(),
            ByWord {
                word: word.to_owned(),
            }
            .enqueue(&database.pgq)
            .await
            .unwrap()
            .id(),
        ];
        let arguments = serde_json::json!({ "user": number, "list": word });
        let some = serde_json::json!({ "text": "y", "list": word, "user": user });
        let words = serde_json::json!({ "word": word });
        let sql = [
            call("by_all", arguments).await,
            call("by_some", some).await,
            call("by_word", words).await,
        ];
        assert_eq!(sql, rust, "{word:?}");
    }
    let nightly = call("nightly", serde_json::json!({})).await;
    assert_eq!(
        Nightly {}.enqueue(&database.pgq).await.unwrap().id(),
        nightly
    );
    assert_eq!(store.count_jobs(None).await.unwrap().available, 16);
}
