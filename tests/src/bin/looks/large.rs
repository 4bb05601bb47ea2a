//! How long each view takes on a queue with millions of jobs.

use std::time::{Duration, Instant};

use pgqueuer::{Overview, PgQueuer};
use pgqueuer_cli::App;
use pgqueuer_tests::program::Result;
use sqlx::Executor as _;
use throwaway_postgres::Postgres;

/// The bar for one look.
const WITHIN: Duration = Duration::from_millis(50);

/// How often each view is timed.
const LOOKS: usize = 50;

/// What there is: of ten kinds, as many jobs available as scheduled, ten times as many finished, and a
/// week of minutes of four workers.
const FILL: &str = "
    INSERT INTO pgqueuer.kinds
        (kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source, job)
    SELECT 'kind_' || n, 'default', 0, 25, 'hold', 604800, '[]', 'src/jobs.rs:1', 'kind_' || n
    FROM generate_series(0, 9) AS n;
    INSERT INTO pgqueuer.lanes (kind, priority) SELECT 'kind_' || n, 0 FROM generate_series(0, 9) AS n;
    INSERT INTO pgqueuer.jobs (id, position, kind, state, run_at, codec, payload)
    SELECT id, id, 'kind_' || id / 2 % 10,
        (CASE id % 2 WHEN 0 THEN 'scheduled' ELSE 'available' END)::pgqueuer.job_state,
        CASE id % 2 WHEN 0 THEN now() + interval '1 day' END,
        'json', '{\"customer\": 4711, \"text\": \"a payload of the usual size\"}'
    FROM (SELECT nextval('pgqueuer.positions') AS id FROM generate_series(1, 2 * {jobs})) AS entering;
    INSERT INTO pgqueuer.history
        (job_id, enqueued_at, claimed_at, expires_at, ending, attempt, priority, kind)
    SELECT nextval('pgqueuer.positions'), now(), now(), now() + interval '7 days', 'completed', 1, 0,
        'kind_' || n % 10
    FROM generate_series(1, 10 * {jobs}) AS n;
    INSERT INTO pgqueuer.minutes
    SELECT date_trunc('minute', now()) - make_interval(mins => m), 1000, 1, 0, 0, 0, 0, 100, 100, 1,
        array_fill(50, ARRAY[20]), array_fill(50, ARRAY[20]), s, 'kind_' || k
    FROM generate_series(0, 7 * 24 * 60) AS m, generate_series(1, 4) AS s, generate_series(0, 9) AS k;
    SELECT pgqueuer.recount();
    ANALYZE;
";

pub(crate) async fn look(jobs: u32) -> Result<Vec<String>> {
    let postgres = Postgres::builder()
        .setting("shared_buffers", "1GB")
        .setting("max_wal_size", "8GB")
        .start()?;
    let url = postgres.url("postgres");
    let pgq = PgQueuer::connect(&url).await?;
    pgq.install().await?;
    let began = Instant::now();
    let fill = FILL.replace("{jobs}", &jobs.to_string());
    let pool = pgq.pool().ok_or("the queue is on PostgreSQL")?;
    pool.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(fill)))
        .await?;
    println!("large: filled in {:.0?}", began.elapsed());

    let mut wrong = Vec::new();
    let overview = pgq.overview().await?;
    wrong.extend(miscounted(&overview, jobs));
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        pgq.overview().await?;
        looks.push(began.elapsed());
    }
    wrong.extend(told("overview", looks));
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        pgq.list_totals().await?;
        looks.push(began.elapsed());
    }
    wrong.extend(told("totals", looks));
    pgq.close().await;
    // With connecting, and looking at the schema.
    for command in ["backlog", "dashboard --once", "metrics"] {
        let mut looks = Vec::new();
        for _ in 0..LOOKS {
            let began = Instant::now();
            let args = ["pgq", "--database-url", &url]
                .into_iter()
                .chain(command.split(' '));
            App::new().try_run_from(args, &mut Vec::new()).await?;
            looks.push(began.elapsed());
        }
        wrong.extend(told(command, looks));
    }
    Ok(wrong)
}

fn miscounted(overview: &Overview, jobs: u32) -> Option<String> {
    let available: u64 = overview.kinds.iter().map(|it| it.counts.available).sum();
    let scheduled: u64 = overview.kinds.iter().map(|it| it.counts.scheduled).sum();
    let is_right = available == u64::from(jobs) && scheduled == u64::from(jobs);
    (!is_right).then(|| format!("{available} available and {scheduled} scheduled, not {jobs} each"))
}

fn told(what: &str, mut looks: Vec<Duration>) -> Option<String> {
    looks.sort_unstable();
    let median = looks[looks.len() / 2];
    let longest = looks[looks.len() - 1];
    println!("large: {what}: {median:.1?} as a rule, {longest:.1?} at most");
    (median > WITHIN).then(|| format!("{what} takes {median:?}, not {WITHIN:?}"))
}
