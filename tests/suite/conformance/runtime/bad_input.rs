//! What a producer is told when it asks for something impossible. Nothing is enqueued then.

use std::{collections::BTreeMap, time::Duration};

use chrono::{TimeZone as _, Utc};
use pgqueuer::{ErrorKind, Job, MAX_HEADER_BYTES, NewJob, PgQueuer, job, store::Counts};
use serde::{Deserialize, Serialize};

use super::super::runtime_cases;

runtime_cases! {
    of_33_megabytes_is_refused,
    of_33_megabytes_of_json_is_refused,
    that_json_cannot_carry_is_refused,
    that_no_codec_can_carry_is_refused,
    of_a_delay_that_is_no_duration_is_refused,
    of_a_delay_without_end_is_refused,
    of_a_year_with_five_digits_is_refused,
    of_a_year_before_christ_is_refused,
    of_headers_over_the_limit_is_refused,
    of_headers_at_the_limit_is_taken,
    of_headers_with_nul_is_refused,
}

#[job]
async fn swallow(text: String) {
    drop(text);
}

#[job(codec = "json")]
async fn swallow_json(text: String) {
    drop(text);
}

#[job(codec = "json")]
async fn whole_number_as_json(number: f64) {
    let _ = number;
}

#[job]
async fn number_as_json(#[codec(json)] number: f64) {
    let _ = number;
}

/// Refuses to be read from bincode, while JSON has no maps with lists for keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Odd(#[serde(with = "odd")] BTreeMap<Vec<u8>, u8>);

mod odd {
    use super::BTreeMap;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<Vec<u8>, u8>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        map.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Vec<u8>, u8>, D::Error> {
        if deserializer.is_human_readable() {
            BTreeMap::deserialize(deserializer)
        } else {
            Err(de::Error::custom("only people can read this"))
        }
    }
}

#[job]
async fn swallow_map(keys: Odd) {
    drop(keys);
}

fn plain() -> NewJob<Swallow> {
    Swallow {
        text: String::new(),
    }
    .options()
}

/// Enqueues what should be refused; the kind of the error, and its message.
async fn refusal<J: Job>(pgq: &PgQueuer, job: NewJob<J>) -> (ErrorKind, String) {
    let error = job.enqueue(pgq).await.expect_err("it should be refused");
    let counts = pgq.count_jobs().await.unwrap();
    assert_eq!(counts, Counts::default(), "nothing is enqueued");
    (error.kind(), format!("{error:?}"))
}

async fn of_33_megabytes_is_refused(pgq: &PgQueuer) {
    let text = "x".repeat(33 * 1024 * 1024);

    let (kind, message) = refusal(pgq, Swallow { text }.options()).await;

    assert_eq!(kind, ErrorKind::Payload);
    assert!(message.contains("`swallow`"), "{message}");
    assert!(message.contains("33554432"), "it says the limit: {message}");
}

async fn of_33_megabytes_of_json_is_refused(pgq: &PgQueuer) {
    let text = "x".repeat(33 * 1024 * 1024);

    let (kind, message) = refusal(pgq, SwallowJson { text }.options()).await;

    assert_eq!(kind, ErrorKind::Payload);
    assert!(message.contains("`swallow_json`"), "{message}");
}

/// JSON writes NaN as `null`, which is no number when it is read.
async fn that_json_cannot_carry_is_refused(pgq: &PgQueuer) {
    let whole = WholeNumberAsJson { number: f64::NAN }.options();
    let argument = NumberAsJson { number: f64::NAN }.options();

    let refusals = [refusal(pgq, whole).await, refusal(pgq, argument).await];

    for (kind, message) in refusals {
        assert_eq!(kind, ErrorKind::Payload);
        assert!(
            message.contains("number_as_json"),
            "it names the job: {message}"
        );
    }
}

async fn that_no_codec_can_carry_is_refused(pgq: &PgQueuer) {
    let keys = [(vec![1], 2)].into();

    let (kind, message) = refusal(pgq, SwallowMap { keys: Odd(keys) }.options()).await;

    assert_eq!(kind, ErrorKind::Payload);
    assert!(
        message.contains("`keys`"),
        "it names the argument: {message}"
    );
}

async fn of_a_delay_that_is_no_duration_is_refused(pgq: &PgQueuer) {
    let (kind, message) = refusal(pgq, plain().delay("five minutes or so")).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("five minutes or so"), "{message}");
    assert!(message.contains("`5m`"), "it says what to write: {message}");
}

async fn of_a_delay_without_end_is_refused(pgq: &PgQueuer) {
    let (kind, message) = refusal(pgq, plain().delay(Duration::MAX)).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("100 years"), "{message}");
}

async fn of_a_year_with_five_digits_is_refused(pgq: &PgQueuer) {
    let time = Utc.with_ymd_and_hms(10_000, 1, 1, 0, 0, 0).unwrap();

    let (kind, message) = refusal(pgq, plain().run_at(time)).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("10000"), "{message}");
}

async fn of_a_year_before_christ_is_refused(pgq: &PgQueuer) {
    let time = Utc.with_ymd_and_hms(-1, 1, 1, 0, 0, 0).unwrap();

    let (kind, _) = refusal(pgq, plain().run_at(time)).await;

    assert_eq!(kind, ErrorKind::Config);
}

async fn of_headers_over_the_limit_is_refused(pgq: &PgQueuer) {
    let value = "x".repeat(MAX_HEADER_BYTES);

    let (kind, message) = refusal(pgq, plain().header("name", value)).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("65536"), "{message}");
}

async fn of_headers_at_the_limit_is_taken(pgq: &PgQueuer) {
    let value = "x".repeat(MAX_HEADER_BYTES - "name".len());

    let id = plain()
        .header("name", value.clone())
        .enqueue(pgq)
        .await
        .unwrap();

    let headers = pgq.get_job(id).await.unwrap().unwrap().headers;
    assert_eq!(headers.get("name"), Some(&value));
}

async fn of_headers_with_nul_is_refused(pgq: &PgQueuer) {
    let in_value = refusal(pgq, plain().header("name", "a\0b")).await;
    let in_name = refusal(pgq, plain().header("a\0b", "value")).await;

    for (kind, message) in [in_value, in_name] {
        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains("NUL"), "{message}");
    }
}
