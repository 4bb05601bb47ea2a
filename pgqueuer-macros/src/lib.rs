//! The attributes `#[job]`, `#[schedule]` and `#[test]` of `pgqueuer`.
//!
//! Use them from there (`use pgqueuer::{job, schedule};`): what they generate calls into that
//! crate. They translate and contain no logic; every mistake is an error on the words that
//! are wrong, and says what to write.

mod attribute;
mod cron;
mod errors;
mod job;
mod schedule;
mod test;
mod values;

use proc_macro::TokenStream;

use crate::job::Attribute;

/// Makes a job of an `async fn`: a struct of its arguments, which can be enqueued, and which
/// any worker of this program can run.
///
/// ```text
/// /// Sends the welcome mail.
/// #[job(queue = "mail", max_attempts = 5, timeout = "30s")]
/// async fn send_welcome(user_id: i64, locale: String, mailer: State<Mailer>) -> Result<(), MailError> {
///     mailer.welcome(user_id, &locale).await
/// }
///
/// SendWelcome { user_id: 42, locale: "nb".to_owned() }.enqueue(&pool).await?;
/// ```
///
/// # What is generated
///
/// - The function stays as it is, so a unit test calls it directly.
/// - `struct SendWelcome { user_id: i64, locale: String }` has the visibility, the docs and the
///   `#[cfg]`s of the function, is `Clone`, `Debug`, `Serialize` and `Deserialize`, and
///   implements `pgqueuer::Job`.
/// - The job is registered with every worker in the program.
///
/// # The function
///
/// A free `async fn`, without generics. It returns `()`, or a `Result` whose error is an error
/// or a message; its future is `Send`.
///
/// Its parameters are the arguments of the job: names with owned types that serde can write
/// and read, and that are `Clone`, `Debug`, `Send`, `Sync` and `'static`. Three kinds of
/// parameters are injected by the worker instead, and do not belong to the payload:
///
/// - `State<T>`, a resource that was given to the worker;
/// - `Context` or `&Context`, what there is to know about the attempt;
/// - `Tick`, the slot of the schedule that the job runs for; `Tx`, a transaction of its own;
/// - `#[inject] name: T`, where `T` is a type that implements `pgqueuer::Inject`.
///
/// # Options of the job
///
/// | option | meaning | default | range |
/// | --- | --- | --- | --- |
/// | `name = "…"` | the kind, which is stored with every job | the function's name | 1 to 128 characters, no white space |
/// | `aliases = ["…"]` | former names that queued jobs may still have | none | as `name` |
/// | `queue = "…"` | the group of kinds that it belongs to | `"default"` | as `name` |
/// | `priority = 5` | its place in line, higher first | 0 | -32,768 to 32,767 |
/// | `max_attempts = 5` | how often it is tried before it is given up | 25 | 1 to 32,767 |
/// | `timeout = "30s"` | when one attempt is cancelled and counts as failed | none | at least 1 ms |
/// | `backoff = "10s"` | the same wait before each further attempt | see below | at most 100 days |
/// | `backoff(…)` | a wait that grows | see below | see below |
/// | `backoff = ["1s", "10s", "1m"]` | the wait after each failure; the last one is repeated | see below | at least one, each at most 100 days |
/// | `retry = unless_it_panicked` | a strategy for retries instead: any expression of a type that implements `pgqueuer::RetryStrategy`, a function of the failure and the attempt for one; not together with `backoff` | the backoff | |
/// | `on_failure = "hold"` | what becomes of it after the last attempt: `"hold"` keeps it for a person, `"discard"` does not | `"hold"` | |
/// | `codec = "framed"` | how the payload is written: `"framed"` (each argument by itself, in binary), or `"json"` (readable in SQL) | `"framed"` | |
/// | `retain = "7d"` | how long the record of a finished job is kept; `"0s"` keeps none | 7 days | at most 100 years |
/// | `concurrency = 2` | how many run at once, on all workers together | no limit | 1 to 2,147,483,647 |
/// | `concurrency(limit = 1, by = customer)` | how many of each customer; `by = [a, b]` for several arguments, `total = 10` for all together besides | no limit | as above |
/// | `rate = "100/s"` | how many begin in a time, evenly: `"10/min burst 5"`, `"1/90s"` | no limit | 1 to 1,000,000 in 1 ms to 366 days |
/// | `rate(limit = "100/s", by = customer)` | the same of each customer; `total = "1000/s"` for all together besides | no limit | as above |
/// | `unique` | of jobs with the same arguments one is enqueued, as long as it waits and runs | not unique | |
/// | `unique(by = [user, list], for = "1h")` | the same by some arguments, and once in a time | all arguments; unfinished | 1 ms to 100 years |
/// | `executor = CircuitBreaker::new(5)` | what is around the handler, and may do without calling it: any expression of a type that implements `pgqueuer::Executor`; made once for each worker | none | |
///
/// Arguments that `by` names are texts, whole numbers, `bool`, or `Option` of these, or types that
/// implement `pgqueuer::Key`. (`unique` is not for `#[schedule]`, whose ticks are one job each.)
///
/// Durations are texts with their units: `"500ms"`, `"30s"`, `"5m"`, `"1h 30m"`, `"7d"`.
///
/// The wait before a further attempt is `base` × `factor`^(attempt - 1), at most `max`, give or
/// take `jitter`. Each can be left out:
///
/// | option of `backoff(…)` | meaning | default | range |
/// | --- | --- | --- | --- |
/// | `base = "5s"` | the wait after the first failure | 5 s | at most `max` |
/// | `factor = 2` | what each failure multiplies it by | 2 | 1 to 100 |
/// | `max = "1h"` | the longest wait | 1 h | at most 100 days |
/// | `jitter = 0.1` | the spread, as a share of the wait | 0.1 | 0 to 1 |
///
/// # Attributes of an argument
///
/// - `#[codec(json)]` writes this argument as JSON, for a nested type that will grow: the
///   binary codec cannot read a struct that has gained a field.
/// - `#[serde(default)]` and `#[serde(default = "path")]`: the argument may be missing, as it is
///   in jobs that were queued before it existed.
/// - `#[serde(alias = "…")]` and `#[serde(rename = "…")]`: its former name, and its name in the
///   payload.
/// - Docs on an argument become docs of the field.
#[proc_macro_attribute]
pub fn job(options: TokenStream, item: TokenStream) -> TokenStream {
    job::transform(Attribute::Job, options.into(), item.into()).into()
}

/// Makes a job that is enqueued by itself, at the times of a cron expression or at a fixed
/// interval.
///
/// ```text
/// /// Deletes expired carts, every hour.
/// #[schedule("0 * * * *")]
/// async fn cleanup(pool: State<PgPool>) -> Result<u64, sqlx::Error> { … }
///
/// #[schedule("0 0 9 * * 1-5", tz = "Europe/Oslo", queue = "reports")]
/// async fn report() { … }
///
/// #[schedule(every = "30s", max_attempts = 1)]
/// async fn look_for_mail(mailbox: State<Mailbox>) { … }
/// ```
///
/// The times at which it ticks are its slots, and each has one job, however many workers there are.
/// `docs/schedules.md` has all about them.
///
/// # When
///
/// Either a cron expression or `every`, never both.
///
/// - A cron expression has five fields (minute, hour, day of month, month, day of week), or six
///   with the seconds first. Sunday is 0 or 7; if both days are restricted, either may match.
///   `L`, `W`, `#` and `@hourly` and its like work. One that never comes (`0 0 31 2 *`) does not compile.
/// - `tz = "Europe/Oslo"` is the IANA time zone that the expression is meant in. Default: `UTC`.
///   A time that daylight saving skips comes right after the gap, and one that it repeats comes once;
///   intervals (`*`, `/`) go on through both hours.
/// - `every = "30s"` is an interval of whole seconds, at least 1 s, at most 10 years (`3650d`).
///   It counts from the Unix epoch: every `1h` is on the hour.
///
/// # Options of the schedule
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `missed = "once"` | slots for which no worker was there have one late job, for the last of them; `"skip"`: none (but a slot less than a minute late is not missed); `"all"`: one each, at most 100, the last ones; `"all up to 24"`: up to 1,000 | `"once"` |
/// | `overlap = "skip"` | a slot has no job while the job of the last one waits or runs; `"allow"`: it does | `"allow"` |
/// | `changes = "keep"` | what was changed by hand holds until it is reset; `"yield"`: until a worker starts | `"keep"` |
///
/// # The function
///
/// As for [`macro@job`], whose options it takes as well, with one difference: all parameters are
/// injected, for nobody is there to give arguments. One may be a `Tick`: the slot, the one before it,
/// and how late it is. (A job with arguments gets its schedules at run time, see
/// `PgQueuer::create_schedule`.)
#[proc_macro_attribute]
pub fn schedule(options: TokenStream, item: TokenStream) -> TokenStream {
    job::transform(Attribute::Schedule, options.into(), item.into()).into()
}

/// Makes a test of an `async fn` that takes a queue of its own: `pgqueuer::testing::TestQueue`. With the
/// feature `testing` of `pgqueuer`.
///
/// ```text
/// #[pgqueuer::test]
/// async fn a_reminder_comes_after_three_days(queue: TestQueue) { … }
///
/// #[pgqueuer::test(at = "2026-03-27T12:00:00Z")]
/// async fn the_report_comes_on_monday(queue: TestQueue) -> pgqueuer::Result<()> { … }
///
/// #[pgqueuer::test(postgres)]
/// async fn an_order_is_paid_once(queue: TestQueue) { … }
/// ```
///
/// # Options
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `at = "2026-03-27T12:00:00Z"` | what the clock shows at first (RFC 3339) | the time of the machine |
/// | `postgres` | a database of its own, with the schema installed, and the clock of the server | in memory, with Tokio's clock, which is paused |
///
/// The database is on a throw-away server, which is made of the binaries found on the machine and started
/// once for each test program; or on the one whose URL is in `PGQUEUER_TESTING_URL`, which needs the
/// right to create databases. It is dropped when the test passes, and kept when it fails; then its
/// name is printed.
///
/// # The function
///
/// A free `async fn` with the queue as its only parameter. It returns `()` or a `Result` whose error is
/// `Debug`, as any test. Other attributes (`#[ignore]`, `#[should_panic]`) stay. It runs on a runtime of its
/// own, with one thread.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    test::transform(options.into(), &item.into()).into()
}
