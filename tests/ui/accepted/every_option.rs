//! Every option, once.

#![deny(warnings)]

use std::time::Duration;

use pgqueuer::{
    Backoff, Changes, Codec, Job, JobOptions, Missed, OnFailure, Overlap, Rate, Schedule, Tick, UniqueFor,
    job, schedule,
};

#[job(
    name = "send-welcome",
    aliases = ["welcome", "mail.welcome"],
    queue = "mail",
    priority = -5,
    max_attempts = 5,
    timeout = "1m 30s",
    backoff(base = "1s 500ms", factor = 1.5, max = "2h", jitter = 0),
    on_failure = "discard",
    codec = "framed",
    retain = "0s",
    concurrency = 10,
    rate = "100/s",
)]
async fn send_welcome(user_id: i64) {
    let _ = user_id;
}

#[job(
    backoff = "10s",
    on_failure = "hold",
    codec = "json",
    retain = "36500d"
)]
async fn plain(
    #[serde(default)] first: u8,
    #[serde(default = "two")] second: u8,
    #[serde(alias = "3", rename = "third")]
    #[serde(alias = "drei")]
    last: u8,
) {
    let _ = (first, second, last);
}

fn two() -> u8 {
    2
}

#[job(
    priority = 32767,
    max_attempts = 32767,
    timeout = "1ms",
    backoff = "100d"
)]
async fn limits(#[codec(json)] nested: Vec<Option<u8>>) {
    let _ = nested;
}

#[job(
    concurrency(limit = 1, by = [account, r#type], total = 10),
    rate(limit = "10/min burst 5", by = [account, r#type], total = "1000/s")
)]
async fn keyed(#[serde(rename = "customer")] account: Option<String>, r#type: char, rest: f64) {
    let _ = (account, r#type, rest);
}

#[job(concurrency(by = user, limit = 3), unique(by = user, for = "1h"))]
async fn of_each(user: u64, rest: f64) {
    let _ = (user, rest);
}

#[job(backoff = ["1s", "1m 30s"], executor = around)]
async fn wrapped() {}

async fn around(mut call: pgqueuer::Call) -> pgqueuer::Outcome {
    call.run().await
}

#[job(retry = Backoff { jitter: 0.0, ..Backoff::DEFAULT }, executor = std::sync::Arc::new(around))]
async fn by_strategy() {}

#[job(unique)]
async fn once(first: Option<u8>, second: String) {
    let _ = (first, second);
}

#[job()]
async fn nothing() {}

#[schedule(
    "0 0 9 * * 1-5",
    tz = "Europe/Oslo",
    name = "office",
    queue = "mail",
    missed = "skip",
    overlap = "skip"
)]
async fn hours() {}

#[schedule("@daily", missed = "all up to 24", overlap = "allow", changes = "yield")]
async fn daily() {}

#[schedule(every = "1h 30m", max_attempts = 1, concurrency = 1, missed = "all")]
async fn often(tick: Tick) {
    let _ = tick;
}

#[job]
async fn of_any_schedule(customer: i64, tick: pgqueuer::Tick) {
    let _ = (customer, tick);
}

#[schedule("0 22-6 * * FRI-MON", missed = "once", changes = "keep")]
async fn at_night() {}

fn main() {
    assert_eq!(SendWelcome::KIND, "send-welcome");
    assert_eq!(SendWelcome::ALIASES, ["welcome", "mail.welcome"]);
    assert_eq!(
        SendWelcome::OPTIONS,
        JobOptions {
            queue: "mail",
            priority: -5,
            max_attempts: 5,
            timeout: Some(Duration::from_secs(90)),
            backoff: Backoff {
                base: Duration::from_millis(1500),
                factor: 1.5,
                max: Duration::from_secs(7200),
                jitter: 0.0,
            },
            on_failure: OnFailure::Discard,
            codec: Codec::Framed,
            retain: Duration::ZERO,
            limits: pgqueuer::Limits {
                concurrency: Some(10),
                rate: Some(Rate::new(100, Duration::from_secs(1))),
                ..pgqueuer::Limits::NONE
            },
            unique: None,
        }
    );
    assert_eq!(
        Keyed::OPTIONS.limits,
        pgqueuer::Limits {
            concurrency: Some(10),
            concurrency_per_key: Some(1),
            rate: Some(Rate::new(1000, Duration::from_secs(1))),
            rate_per_key: Some(Rate::new(10, Duration::from_secs(60)).burst(5)),
        }
    );
    assert_eq!(Keyed::LIMIT_BY, ["customer", "type"]);
    let keyed = Keyed {
        account: Some("acme".to_owned()),
        r#type: 'a',
        rest: 0.5,
    };
    assert_eq!(keyed.limit_key().unwrap().unwrap(), r#"["acme", "a"]"#);
    assert_eq!(OfEach::OPTIONS.limits.concurrency_per_key, Some(3));
    let of_each = OfEach {
        user: 42,
        rest: 0.5,
    };
    assert_eq!(of_each.limit_key().unwrap().unwrap(), "42");
    assert_eq!(of_each.unique_key().unwrap().unwrap(), "42");
    assert_eq!(
        OfEach::OPTIONS.unique,
        Some(UniqueFor::Window(Duration::from_secs(3600)))
    );
    let once = Once {
        first: None,
        second: "a".to_owned(),
    };
    assert_eq!(Once::OPTIONS.unique, Some(UniqueFor::Unfinished));
    assert_eq!(Once::UNIQUE_BY, ["first", "second"]);
    assert_eq!(once.unique_key().unwrap().unwrap(), r#"[null, "a"]"#);
    let cause = pgqueuer::Cause::new("no");
    let listed = Wrapped::retry_strategy().unwrap();
    let waits = [1, 2, 3].map(|attempt| listed.wait(&cause, attempt).unwrap().as_secs());
    assert_eq!(waits, [1, 90, 90]);
    assert_eq!(Wrapped::OPTIONS.backoff, Backoff::DEFAULT);
    assert!(Wrapped::executor().is_some() && ByStrategy::executor().is_some());
    let by_strategy = ByStrategy::retry_strategy().unwrap();
    assert_eq!(by_strategy.wait(&cause, 2), Some(Duration::from_secs(10)));
    assert!(Nothing::executor().is_none() && Nothing::retry_strategy().is_none());
    assert_eq!(Nothing {}.unique_key().unwrap(), None);
    assert_eq!(Nothing {}.limit_key().unwrap(), None);
    assert_eq!(
        Plain::OPTIONS.backoff,
        Backoff::fixed(Duration::from_secs(10))
    );
    assert_eq!(Plain::OPTIONS.codec, Codec::Json);
    assert_eq!(Limits::OPTIONS.max_attempts, 32767);
    assert_eq!(Nothing::OPTIONS, JobOptions::DEFAULT);
    assert_eq!(Nothing::SCHEDULE, None);
    assert_eq!(Hours::KIND, "office");
    assert_eq!(
        Hours::SCHEDULE,
        Some(
            Schedule::new("0 0 9 * * 1-5")
                .zone("Europe/Oslo")
                .missed(Missed::Skip)
                .overlap(Overlap::Skip)
        )
    );
    assert_eq!(
        Daily::SCHEDULE,
        Some(Schedule {
            changes: Changes::Yield,
            ..Schedule::new("@daily").missed(Missed::All { up_to: 24 })
        })
    );
    assert_eq!(
        Often::SCHEDULE,
        Some(Schedule::new("every 1h 30m").missed(Missed::ALL))
    );
    assert_eq!(Often::OPTIONS.max_attempts, 1);
    assert_eq!(Often::ARGUMENTS, []);
    assert_eq!(OfAnySchedule::ARGUMENTS.len(), 1);
    assert_eq!(AtNight::SCHEDULE, Some(Schedule::new("0 22-6 * * FRI-MON")));

    let payload = Plain {
        first: 1,
        second: 2,
        last: 3,
    }
    .encode()
    .unwrap();
    assert_eq!(payload.bytes, br#"{"first":1,"second":2,"third":3}"#);
}
