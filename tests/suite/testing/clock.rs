//! The clock that a test sets.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{
    Context, ErrorKind, Job as _, JobFilter, Report, Retry, Schedule, Snooze, State, Tick, job,
    schedule, testing::TestQueue,
};

use super::{Notes, noting};

const START: &str = "2026-03-27T12:00:00Z";

fn start() -> DateTime<Utc> {
    START.parse().unwrap()
}

#[job]
async fn note_when(name: String, notes: State<Notes>, pgq: State<pgqueuer::PgQueuer>) {
    let now = pgq.now().await.unwrap();
    // Milliseconds pass while a worker runs.
    let minutes = (now - start()).num_minutes();
    notes.note(format!("{name} {minutes}"));
}

fn note(name: &str) -> NoteWhen {
    NoteWhen { name: name.into() }
}

#[job(max_attempts = 4, backoff(base = "10s", factor = 3, jitter = 1.0))]
async fn fails_twice(context: Context, notes: State<Notes>) -> Result<(), String> {
    notes.note(format!("attempt {}", context.attempt()));
    match context.attempt() {
        1 | 2 => Err("not yet".into()),
        _ => Ok(()),
    }
}

#[schedule("0 9 * * MON-FRI", tz = "Europe/Oslo")]
async fn on_workdays(tick: Tick, notes: State<Notes>) {
    notes.note(format!(
        "{} {}",
        tick.slot.to_rfc3339(),
        tick.late_by.num_hours()
    ));
}

#[schedule("0 * * * *")]
async fn each_hour() {}

#[job]
async fn naps() {
    tokio::time::sleep(Duration::from_secs(150 * 60)).await;
}

#[job]
async fn asks(notes: State<Notes>, context: Context) -> Result<(), pgqueuer::BoxError> {
    notes.note("asked");
    if notes.lines().len() == 1 {
        return Err(Snooze::after(Duration::from_secs(3600)).into());
    }
    if context.attempt() == 1 {
        return Err(Retry::after(Duration::from_secs(60)).into());
    }
    Ok(())
}

#[job(timeout = "30s", max_attempts = 1)]
async fn for_ever() {
    std::future::pending::<()>().await;
}

#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn a_delayed_job_runs_at_its_time_and_not_before(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<NoteWhen>();
    note("later")
        .options()
        .delay("3days")
        .enqueue(&queue)
        .await
        .unwrap();

    let nothing = queue.drain().await.unwrap();
    let before = queue.advance("2days 23h 59m").await.unwrap();
    assert_eq!((nothing, before), (Report::default(), Report::default()));
    assert!(notes.lines().is_empty());

    let report = queue.advance(Duration::from_secs(60)).await.unwrap();
    assert_eq!(report.completed, 1);
    assert_eq!(notes.lines(), ["later 4320"]);
}

#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn everything_runs_in_the_order_in_which_it_is_due(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<NoteWhen>().schedule::<EachHour>();
    for (name, delay) in [("c", "50m"), ("a", "10m"), ("b", "20m"), ("d", "70m")] {
        note(name)
            .options()
            .delay(delay)
            .enqueue(&queue)
            .await
            .unwrap();
    }

    let report = queue.advance("1h").await.unwrap();

    // And the hour, which is among it to the second.
    assert_eq!(notes.lines(), ["a 10", "b 20", "c 50"]);
    assert_eq!(report.completed, 4);
    assert_eq!(queue.enqueued::<NoteWhen>().await.unwrap().len(), 1);
}

#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn the_clock_shows_what_it_was_advanced_by(queue: TestQueue) {
    noting(&queue);
    assert_eq!(queue.now().await.unwrap(), start());

    queue.advance("36h").await.unwrap();
    let now = queue.now().await.unwrap();
    assert_eq!(now, start() + TimeDelta::hours(36));
}

#[pgqueuer::test]
async fn a_retry_comes_after_its_backoff_without_jitter(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<FailsTwice>();
    FailsTwice {}.enqueue(&queue).await.unwrap();

    assert_eq!(queue.drain().await.unwrap().retried, 1);
    assert_eq!(queue.advance("9s").await.unwrap(), Report::default());
    assert_eq!(queue.advance("1s").await.unwrap().retried, 1);
    assert_eq!(queue.advance("29s").await.unwrap(), Report::default());
    assert_eq!(queue.advance("1s").await.unwrap().completed, 1);
    assert_eq!(notes.lines(), ["attempt 1", "attempt 2", "attempt 3"]);
}

#[pgqueuer::test]
async fn all_attempts_fit_into_one_advance(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<FailsTwice>();
    FailsTwice {}.enqueue(&queue).await.unwrap();

    let report = queue.advance("1h").await.unwrap();

    assert_eq!((report.retried, report.completed), (2, 1));
    assert_eq!(notes.lines().len(), 3);
}

#[pgqueuer::test]
async fn what_a_handler_asks_for_needs_no_waiting(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<Asks>();
    Asks {}.enqueue(&queue).await.unwrap();

    assert_eq!(queue.drain().await.unwrap().snoozed, 1);
    assert_eq!(queue.advance("1h").await.unwrap().retried, 1);
    assert_eq!(queue.advance("1m").await.unwrap().completed, 1);
    assert_eq!(notes.lines().len(), 3);
}

/// On a Friday, before the clocks go forward.
#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn a_schedule_ticks_at_its_times(queue: TestQueue) {
    let notes = noting(&queue);
    queue.schedule::<OnWorkdays>();

    queue.advance("4days").await.unwrap();

    let slots = ["2026-03-30T07:00:00+00:00 0", "2026-03-31T07:00:00+00:00 0"];
    assert_eq!(notes.lines(), slots);
}

#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn a_schedule_that_was_made_at_run_time_ticks_too(queue: TestQueue) {
    let notes = noting(&queue);
    queue.register::<NoteWhen>();
    let noon = Schedule::new("30 12 * * *");
    queue
        .create_schedule("noon", &noon, note("noon"))
        .await
        .unwrap();

    queue.advance("2days").await.unwrap();

    assert_eq!(notes.lines(), ["noon 30", "noon 1470"]);
}

#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn a_slot_that_is_due_runs_in_a_drain(queue: TestQueue) {
    let notes = noting(&queue);
    queue.schedule::<OnWorkdays>();
    queue.drain().await.unwrap();

    tokio::time::advance(Duration::from_secs(3 * 24 * 3600)).await;
    let report = queue.drain().await.unwrap();

    assert_eq!(report.completed, 1);
    assert_eq!(notes.lines(), ["2026-03-30T07:00:00+00:00 5"]);
}

#[pgqueuer::test(at = "2026-01-01T00:00:00Z")]
async fn a_year_of_hours_takes_seconds(queue: TestQueue) {
    noting(&queue);
    queue.schedule::<EachHour>();
    let began = Instant::now();

    let report = queue.advance("365days").await.unwrap();

    assert_eq!(report.completed, 365 * 24);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(50), "{took:?}");
}

/// The slots meanwhile come as well.
#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn a_handler_that_sleeps_takes_no_time(queue: TestQueue) {
    noting(&queue);
    queue.register::<Naps>().schedule::<EachHour>();
    Naps {}.enqueue(&queue).await.unwrap();

    let report = queue.advance("1h").await.unwrap();

    assert_eq!(report.completed, 3);
    let passed = queue.now().await.unwrap() - start();
    assert_eq!(passed.num_minutes(), 150);
}

#[pgqueuer::test]
async fn a_timeout_takes_no_time(queue: TestQueue) {
    noting(&queue);
    queue.register::<ForEver>();
    let id = ForEver {}.enqueue(&queue).await.unwrap();

    let report = queue.drain().await.unwrap();

    let failures = queue.get_job(id).await.unwrap().unwrap().failures;
    assert_eq!(report.held, 1);
    assert_eq!(failures[0].message, "took longer than its timeout of 30s");
}

#[pgqueuer::test]
async fn an_advance_that_is_none_is_refused(queue: TestQueue) {
    noting(&queue);
    let refused = queue.advance("soon").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(
        refused.to_string().contains("`soon` is not a duration"),
        "{refused}"
    );

    let refused = queue.advance("101years").await.unwrap_err();
    assert!(
        refused.to_string().contains("at most 100 years"),
        "{refused}"
    );
}

#[pgqueuer::test]
async fn what_is_enqueued_meanwhile_runs_at_its_time(queue: TestQueue) {
    #[job]
    async fn chain(left: u32, pgq: State<pgqueuer::PgQueuer>) -> pgqueuer::Result<()> {
        if let Some(left) = left.checked_sub(1) {
            Chain { left }
                .options()
                .delay("1day")
                .enqueue(&*pgq)
                .await?;
        }
        Ok(())
    }
    noting(&queue);
    queue.register::<Chain>();
    Chain { left: 5 }.enqueue(&queue).await.unwrap();

    assert_eq!(queue.advance("3days 1h").await.unwrap().completed, 4);
    assert_eq!(queue.advance("30days").await.unwrap().completed, 2);
    let left = queue.list_jobs(&JobFilter::all(), None, 10).await.unwrap();
    assert_eq!(left, []);
}

#[pgqueuer::test]
async fn the_clock_shows_exactly_what_it_was_moved_on(queue: TestQueue) {
    queue.state(Notes::default());
    let began = queue.now().await.unwrap();
    FailsTwice {}.enqueue(&queue).await.unwrap();

    // The sum of the waits.
    let report = queue.advance("40s").await.unwrap();

    assert_eq!((report.retried, report.completed), (2, 1));
    let passed = queue.now().await.unwrap() - began;
    assert_eq!(passed, TimeDelta::seconds(40));
}
