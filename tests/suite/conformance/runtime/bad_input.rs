//! What a producer is told when it asks for something impossible. Nothing is enqueued then.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeZone as _, Utc};
use pgqueuer::{
    Context, ErrorKind, HandlerFuture, Job, MAX_HEADER_BYTES, NewJob, Outcome, PgQueuer,
    enqueue_many, job, store::Counts,
};
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
    of_a_million_headers_is_refused,
    of_300_megabytes_is_refused,
    of_the_last_years_there_are_is_refused,
    of_a_kind_of_300_characters_is_refused,
    of_a_kind_with_nul_is_refused,
    of_a_value_of_a_thousand_levels_is_refused,
    with_nul_in_its_texts_comes_back,
    of_no_jobs_is_taken,
    of_a_hundred_thousand_jobs_with_a_bad_one_is_refused,
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
async fn swallow_value(value: serde_json::Value) {
    drop(value);
}

/// A kind that was written by hand, past the checks of the attribute.
macro_rules! job_of_kind {
    ($name:ident, $kind:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $name {}

        impl Job for $name {
            type Output = ();

            const KIND: &'static str = $kind;

            fn run(self, _: Context) -> pgqueuer::Result<HandlerFuture> {
                Ok(Box::pin(async { Outcome::done() }))
            }
        }
    };
}

job_of_kind!(Lengthy, LENGTHY);
job_of_kind!(WithNul, "send\0mail");

const LENGTHY: &str = match std::str::from_utf8(&[b'x'; 300]) {
    Ok(text) => text,
    Err(_) => unreachable!(),
};

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
        .unwrap()
        .id();

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

async fn of_a_million_headers_is_refused(pgq: &PgQueuer) {
    let mut job = plain();
    for number in 0..1_000_000 {
        job = job.header(format!("h{number}"), "");
    }

    let (kind, message) = refusal(pgq, job).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("at most 65536"), "{message}");
    assert!(message.len() < 1000, "it does not list them");
}

async fn of_300_megabytes_is_refused(pgq: &PgQueuer) {
    let text = "x".repeat(300 * 1024 * 1024);

    let (kind, message) = refusal(pgq, Swallow { text }.options()).await;

    assert_eq!(kind, ErrorKind::Payload);
    assert!(message.contains("at most 33554432; store the data elsewhere"));
    assert!(message.len() < 1000, "it does not show the payload");
}

async fn of_the_last_years_there_are_is_refused(pgq: &PgQueuer) {
    for time in [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
        let (kind, message) = refusal(pgq, plain().run_at(time)).await;

        assert_eq!(kind, ErrorKind::Config);
        assert!(message.contains("from 1 to 9999"), "{message}");
    }
}

async fn of_a_kind_of_300_characters_is_refused(pgq: &PgQueuer) {
    let (kind, message) = refusal(pgq, Lengthy {}.options()).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("300 characters long, at most 128"));
}

async fn of_a_kind_with_nul_is_refused(pgq: &PgQueuer) {
    let (kind, message) = refusal(pgq, WithNul {}.options()).await;

    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("control characters"), "{message}");
}

/// JSON is read to 128 levels, so that no payload can use up the stack of a worker.
async fn of_a_value_of_a_thousand_levels_is_refused(pgq: &PgQueuer) {
    let deeper = |value, _| serde_json::Value::Array(vec![value]);
    let value = (0..1000).fold(serde_json::Value::Null, deeper);

    let (kind, message) = refusal(pgq, SwallowValue { value }.options()).await;

    assert_eq!(kind, ErrorKind::Payload);
    assert!(
        message.contains("`value`"),
        "it names the argument: {message}"
    );
    assert!(message.contains("recursion limit"), "{message}");
}

async fn with_nul_in_its_texts_comes_back(pgq: &PgQueuer) {
    let text = "a\0b".to_owned();
    let ids = [
        Swallow { text: text.clone() }
            .enqueue(pgq)
            .await
            .unwrap()
            .id(),
        SwallowJson { text: text.clone() }
            .enqueue(pgq)
            .await
            .unwrap()
            .id(),
    ];

    let mut payloads = Vec::new();
    for id in ids {
        let record = pgq.get_job(id).await.unwrap().unwrap();
        payloads.push(record.payload.unwrap());
    }
    let framed: Swallow = payloads[0].decode().unwrap();
    let json: SwallowJson = payloads[1].decode().unwrap();
    assert_eq!((framed.text, json.text), (text.clone(), text));
}

async fn of_no_jobs_is_taken(pgq: &PgQueuer) {
    let jobs: [NewJob<Swallow>; 0] = [];

    let ids = enqueue_many(pgq, jobs).await.unwrap();

    assert!(ids.is_empty());
    assert_eq!(pgq.count_jobs().await.unwrap(), Counts::default());
}

async fn of_a_hundred_thousand_jobs_with_a_bad_one_is_refused(pgq: &PgQueuer) {
    let mut jobs: Vec<_> = (0..100_000).map(|_| plain()).collect();
    jobs[77_777] = plain().header("name", "\0");

    let error = enqueue_many(pgq, jobs).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("header \"name\""), "{error}");
    assert_eq!(pgq.count_jobs().await.unwrap(), Counts::default());
}
