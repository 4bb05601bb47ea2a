//! Arguments on their way from producer to handler, also across deploys.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use pgqueuer::{Codec, Job, Payload, PgQueuer, State, job, store::JobToEnqueue};
use serde::{Deserialize, Serialize};

use super::{super::runtime_cases, Journal, drain, worker};
use crate::support::{self, enqueue};

runtime_cases! {
    carry_every_sort_of_argument,
    carry_what_bincode_cannot,
    may_be_json_for_a_whole_kind,
    may_be_json_for_one_argument,
    may_be_json_from_elsewhere,
    may_come_in_another_order,
    lose_an_argument_that_was_removed,
    get_the_default_of_an_argument_that_was_added,
    follow_an_argument_that_was_renamed,
    carry_thirty_megabytes,
}

/// Enqueues a job of one version, and lets another version of the same kind run it.
async fn run_as<Old: Job, New: Job>(pgq: &PgQueuer, old: Old) -> Vec<String> {
    let journal = Journal::default();
    old.enqueue(pgq).await.unwrap();
    drain(worker(pgq, &journal).register::<New>()).await;
    journal.lines()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    street: String,
    number: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Channel {
    Mail(Address),
    Phone { number: u64 },
    Nothing,
}

#[job]
#[expect(clippy::too_many_arguments, reason = "as many sorts as there are")]
async fn carry(
    text: String,
    numbers: Vec<i64>,
    ratio: f64,
    nothing: Option<String>,
    when: DateTime<Utc>,
    channels: Vec<Channel>,
    map: BTreeMap<String, Vec<u8>>,
    journal: State<Journal>,
) {
    journal.note(format!(
        "{text} {numbers:?} {ratio} {nothing:?} {when} {channels:?} {map:?}"
    ));
}

async fn carry_every_sort_of_argument(pgq: &PgQueuer) {
    let home = Address {
        street: "Karl Johans gate \0 1".into(),
        number: Some(u16::MAX),
    };
    let job = Carry {
        text: "ünï 🦀".into(),
        numbers: vec![i64::MIN, -1, 0, i64::MAX],
        ratio: 0.1 + 0.2,
        nothing: None,
        when: DateTime::UNIX_EPOCH,
        channels: vec![
            Channel::Mail(home),
            Channel::Phone { number: 42 },
            Channel::Nothing,
        ],
        map: BTreeMap::from([("bytes".into(), vec![0, 255])]),
    };
    let Carry {
        text,
        numbers,
        ratio,
        nothing,
        when,
        channels,
        map,
    } = job.clone();

    let lines = run_as::<_, Carry>(pgq, job).await;

    let expected = format!("{text} {numbers:?} {ratio} {nothing:?} {when} {channels:?} {map:?}");
    assert_eq!(lines, [expected]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    second: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[job]
async fn carry_odd(
    value: serde_json::Value,
    untagged: Vec<Untagged>,
    sparse: Sparse,
    journal: State<Journal>,
) {
    journal.note(format!("{value:?} {untagged:?} {sparse:?}"));
}

async fn carry_what_bincode_cannot(pgq: &PgQueuer) {
    let job = CarryOdd {
        value: serde_json::json!({"nested": [1, null, "two", {"three": 3.5}]}),
        untagged: vec![Untagged::Number(-1), Untagged::Text("one".into())],
        sparse: Sparse {
            first: None,
            second: "second".into(),
            rest: BTreeMap::from([("more".into(), "of it".into())]),
        },
    };
    let expected = format!("{:?} {:?} {:?}", job.value, job.untagged, job.sparse);

    let lines = run_as::<_, CarryOdd>(pgq, job).await;

    assert_eq!(lines, [expected]);
}

#[job(codec = "json")]
async fn all_json(user_id: i64, locale: String, journal: State<Journal>) {
    journal.note(format!("{user_id} {locale}"));
}

async fn may_be_json_for_a_whole_kind(pgq: &PgQueuer) {
    let journal = Journal::default();
    let job = AllJson {
        user_id: 42,
        locale: "nb".into(),
    };
    let id = job.enqueue(pgq).await.unwrap();
    let payload = pgq.get_job(id).await.unwrap().unwrap().payload.unwrap();

    drain(worker(pgq, &journal).register::<AllJson>()).await;

    let value: serde_json::Value = serde_json::from_slice(&payload.bytes).unwrap();
    assert_eq!(payload.codec, Codec::Json);
    assert_eq!(value, serde_json::json!({"user_id": 42, "locale": "nb"}));
    assert_eq!(journal.lines(), ["42 nb"]);
}

#[job]
async fn some_json(#[codec(json)] address: Address, number: u8, journal: State<Journal>) {
    journal.note(format!("{} {number}", address.street));
}

async fn may_be_json_for_one_argument(pgq: &PgQueuer) {
    let journal = Journal::default();
    let address = Address {
        street: "Storgata".into(),
        number: None,
    };
    let id = SomeJson { address, number: 7 }.enqueue(pgq).await.unwrap();
    let payload = pgq.get_job(id).await.unwrap().unwrap().payload.unwrap();

    drain(worker(pgq, &journal).register::<SomeJson>()).await;

    let text = String::from_utf8_lossy(&payload.bytes);
    assert_eq!(payload.codec, Codec::Framed);
    assert!(text.contains(r#"{"street":"Storgata""#), "{text}");
    assert_eq!(journal.lines(), ["Storgata 7"]);
}

async fn may_be_json_from_elsewhere(pgq: &PgQueuer) {
    let journal = Journal::default();
    let job = JobToEnqueue {
        payload: Payload {
            codec: Codec::Json,
            bytes: br#"{ "locale": "nb", "unknown": [], "user_id": 1 }"#.to_vec(),
        },
        ..support::job("first_version")
    };
    enqueue(&**pgq.store(), job).await;

    drain(worker(pgq, &journal).register::<FirstVersion>()).await;

    assert_eq!(journal.lines(), ["1 nb"]);
}

// The same kind in several versions: what a producer of one writes, a worker of another reads.

#[job(name = "first_version")]
async fn first_version(user_id: i64, locale: String, journal: State<Journal>) {
    journal.note(format!("{user_id} {locale}"));
}

#[job(name = "first_version")]
async fn reordered(locale: String, user_id: i64, journal: State<Journal>) {
    journal.note(format!("{user_id} {locale}"));
}

#[job(name = "first_version")]
async fn without_locale(user_id: i64, journal: State<Journal>) {
    journal.note(user_id.to_string());
}

#[job(name = "first_version")]
async fn with_tenant(
    user_id: i64,
    locale: String,
    #[serde(default)] urgent: bool,
    #[serde(default = "default_tenant")] tenant: String,
    journal: State<Journal>,
) {
    journal.note(format!("{user_id} {locale} {urgent} {tenant}"));
}

fn default_tenant() -> String {
    "acme".into()
}

#[job(name = "first_version")]
async fn renamed(
    #[serde(alias = "user_id")] customer: i64,
    #[serde(rename = "locale")] language: String,
    journal: State<Journal>,
) {
    journal.note(format!("{customer} {language}"));
}

fn first() -> FirstVersion {
    FirstVersion {
        user_id: 42,
        locale: "nb".into(),
    }
}

async fn may_come_in_another_order(pgq: &PgQueuer) {
    let lines = run_as::<_, Reordered>(pgq, first()).await;

    assert_eq!(lines, ["42 nb"]);
}

async fn lose_an_argument_that_was_removed(pgq: &PgQueuer) {
    let lines = run_as::<_, WithoutLocale>(pgq, first()).await;

    assert_eq!(lines, ["42"]);
}

async fn get_the_default_of_an_argument_that_was_added(pgq: &PgQueuer) {
    let lines = run_as::<_, WithTenant>(pgq, first()).await;

    assert_eq!(lines, ["42 nb false acme"]);
}

async fn follow_an_argument_that_was_renamed(pgq: &PgQueuer) {
    let lines = run_as::<_, Renamed>(pgq, first()).await;

    assert_eq!(lines, ["42 nb"]);
}

#[job]
async fn weigh(bytes: String, journal: State<Journal>) {
    journal.note(bytes.len().to_string());
}

async fn carry_thirty_megabytes(pgq: &PgQueuer) {
    let size = 30 * 1024 * 1024;

    let lines = run_as::<_, Weigh>(
        pgq,
        Weigh {
            bytes: "x".repeat(size),
        },
    )
    .await;

    assert_eq!(lines, [size.to_string()]);
}
