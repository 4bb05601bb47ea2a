//! A test file as one who uses the library writes it: the programs of `docs/testing.md`, word for word.
//!
//! In a program of its own, because all jobs that are linked into a test's binary belong to it.

#![expect(clippy::unwrap_used, reason = "it is a test")]
#![cfg_attr(rustfmt, rustfmt_skip)]

use std::sync::Mutex;

use pgqueuer::{
    Outcome, prelude::*,
    testing::{self, TestQueue, assert_enqueued, assert_not_enqueued},
};

/// What sends mail: a fake here, that keeps what it was given.
#[derive(Default)]
struct Mailer {
    sent: Mutex<Vec<String>>,
    is_down: Mutex<bool>,
}

impl Mailer {
    fn send(&self, text: &str) -> Result<(), String> {
        if *self.is_down.lock().unwrap() {
            return Err("the mail server is down".to_owned());
        }
        self.sent.lock().unwrap().push(text.to_owned());
        Ok(())
    }

    fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }
}

#[job(max_attempts = 3, backoff(base = "10s", factor = 6))]
async fn send_welcome(user_id: i64, locale: String, mailer: State<Mailer>) -> Result<(), String> {
    mailer.send(&format!("welcome-{locale} to {user_id}"))
}

#[job]
async fn send_reminder(user_id: i64, mailer: State<Mailer>) -> Result<(), String> {
    mailer.send(&format!("reminder to {user_id}"))
}

#[schedule("0 9 * * MON", tz = "Europe/Oslo")]
async fn weekly_report(tick: Tick, mailer: State<Mailer>) -> Result<(), String> {
    mailer.send(&format!("report of {}", tick.slot))
}

/// What the program does when somebody signs up.
async fn sign_up(queue: &PgQueuer, user_id: i64) -> pgqueuer::Result<()> {
    let locale = "nb".to_owned();
    SendWelcome { user_id, locale }.enqueue(queue).await?;
    SendReminder { user_id }.options().delay("3days").enqueue(queue).await?;
    Ok(())
}

#[pgqueuer::test]
async fn who_signs_up_gets_a_welcome(queue: TestQueue) -> pgqueuer::Result<()> {
    sign_up(&queue, 42).await?;

    assert_enqueued!(queue, SendWelcome { user_id: 42, .. });
    assert_enqueued!(queue, SendWelcome { user_id, locale } if *user_id > 0 && locale == "nb");
    assert_not_enqueued!(queue, SendWelcome { user_id: 43, .. });

    // The record of the job: its id, its priority, when it may run.
    let job = assert_enqueued!(queue, SendReminder { user_id: 42 });
    assert_eq!(job.state, pgqueuer::JobState::Scheduled);

    // Or all of a kind, decoded.
    let welcomes: Vec<SendWelcome> = queue.enqueued().await?;
    assert_eq!(welcomes.len(), 1);
    Ok(())
}

#[pgqueuer::test]
async fn the_welcome_is_sent_at_once(queue: TestQueue) -> pgqueuer::Result<()> {
    let mailer = queue.state(Mailer::default());
    sign_up(&queue, 42).await?;

    let report = queue.drain().await?;

    assert_eq!(report.completed, 1);
    assert_eq!(mailer.sent(), ["welcome-nb to 42"]);
    assert_enqueued!(queue, SendReminder { user_id: 42 });
    Ok(())
}

#[pgqueuer::test]
async fn a_reminder_comes_after_three_days(queue: TestQueue) -> pgqueuer::Result<()> {
    let mailer = queue.state(Mailer::default());
    sign_up(&queue, 42).await?;

    queue.advance("2days 23h").await?;
    assert_eq!(mailer.sent(), ["welcome-nb to 42"]);

    queue.advance("1h").await?;
    assert_eq!(mailer.sent(), ["welcome-nb to 42", "reminder to 42"]);
    Ok(())
}

#[pgqueuer::test]
async fn a_welcome_is_tried_three_times(queue: TestQueue) -> pgqueuer::Result<()> {
    let mailer = queue.state(Mailer::default());
    *mailer.is_down.lock().unwrap() = true;
    let locale = "nb".to_owned();
    let welcome = SendWelcome { user_id: 42, locale }.enqueue(&queue).await?;

    assert_eq!(queue.drain().await?.retried, 1);
    assert_eq!(queue.advance("9s").await?.retried, 0);
    assert_eq!(queue.advance("1s").await?.retried, 1);
    // The wait after the second failure is six times as long.
    assert_eq!(queue.advance("60s").await?.held, 1);

    let job = welcome.record().await?.expect("it is held");
    assert_eq!(job.failures.len(), 3);
    assert_eq!(job.failures[0].message, "the mail server is down");
    Ok(())
}

#[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
async fn the_report_comes_on_mondays(queue: TestQueue) -> pgqueuer::Result<()> {
    let mailer = queue.state(Mailer::default());
    queue.schedule::<WeeklyReport>();

    let report = queue.advance("14days").await?;

    // The clocks went forward on the Sunday before.
    assert_eq!(report.completed, 2);
    assert_eq!(mailer.sent()[0], "report of 2026-03-30 07:00:00 UTC");
    Ok(())
}

#[job(timeout = "30s")]
async fn divide(dividend: u32, divisor: u32, context: Context) -> Result<u32, String> {
    if context.is_last_attempt() {
        return Ok(0);
    }
    dividend.checked_div(divisor).ok_or_else(|| "nobody divides by zero".to_owned())
}

#[pgqueuer::test]
async fn a_division_by_zero_fails_until_the_last_attempt(queue: TestQueue) -> pgqueuer::Result<()> {
    let outcome = testing::run(Divide { dividend: 42, divisor: 6 }).await?;
    assert_eq!(outcome.result::<u32>(), Ok(7));

    let by_zero = || Divide { dividend: 42, divisor: 0 };
    match testing::run(by_zero()).await? {
        Outcome::Failed(cause) => assert_eq!(cause.message(), "nobody divides by zero"),
        other => panic!("it should have failed: {other:?}"),
    }
    let last = testing::run(by_zero()).attempt(25).header("tenant", "acme").await?;
    assert!(last.is_completed());

    // State is given to the one job, or to the queue; then handlers can enqueue to that, too.
    let reminder = || SendReminder { user_id: 42 };
    assert!(testing::run(reminder()).state(Mailer::default()).await?.is_completed());
    let mailer = queue.state(Mailer::default());
    queue.run(reminder()).await?;
    let slot = "2026-03-30T07:00:00Z".parse().expect("a time");
    queue.run(WeeklyReport {}).scheduled_for(slot).await?;
    assert_eq!(mailer.sent().len(), 2);
    Ok(())
}

#[job]
async fn count_to(number: i32, mut tx: Tx) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar("SELECT count(*) FROM generate_series(1, $1)");
    count.bind(number).fetch_one(&mut *tx).await
}

#[pgqueuer::test(postgres)]
async fn a_database_can_count(queue: TestQueue) -> pgqueuer::Result<()> {
    let pool = queue.pool().expect("it is on PostgreSQL");
    CountTo { number: 3 }.enqueue(pool).await?;

    assert_eq!(queue.drain().await?.completed, 1);
    Ok(())
}

/// What the page shows is what runs here.
#[test]
fn the_programs_are_those_of_the_page() {
    let page = include_str!("../../docs/testing.md");
    let blocks = page.split("```rust\n").skip(1);
    let programs: Vec<&str> = blocks.filter_map(|it| it.split("```").next()).collect();
    assert_eq!(programs.len(), 8);
    for program in programs {
        assert!(include_str!("testing.rs").contains(program), "not here:\n{program}");
    }
}
