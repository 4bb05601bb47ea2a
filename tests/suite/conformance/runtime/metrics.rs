//! What a scrape says of the queue, and of the workers of this process.

use std::time::{Duration, Instant};

use pgqueuer::{
    BoxError, PgQueuer, Scope,
    prelude::*,
    store::{Holds, SessionId},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{postgres_only, runtime_cases},
    Journal, Running, drain, worker,
};
use crate::{
    backend::Database,
    scrape::Scrape,
    support::{eventually, expire, job, open_session, running_job},
};

runtime_cases! {
    say_what_became_of_attempts,
    say_what_waits_and_what_is_paused,
    say_how_long_jobs_waited_and_ran,
    count_claims_and_results,
    say_what_a_worker_is_doing,
    count_a_result_that_is_refused,
    count_jobs_that_are_given_back,
    count_jobs_that_are_rescued,
    count_jobs_that_become_due,
    only_ever_grow,
    say_nothing_of_workers_where_there_are_none,
    tell_workers_that_are_dead,
    read_once_for_all_who_ask_within_a_second,
}

// In memory the bell does not say what it rings for.
postgres_only! {
    on_postgres, not_pooled("LISTEN"):
    measure_how_soon_the_bell_is_answered,
}

const NAP: Duration = Duration::from_millis(20);

#[job]
async fn nap() {
    tokio::time::sleep(NAP).await;
}

/// Ends in the way that it is told.
#[job(max_attempts = 2, backoff = "1h")]
async fn end(how: String) -> Result<(), BoxError> {
    match how.as_str() {
        "retry" => Err("not yet")?,
        "hold" => Err(Hold::new("somebody has to look"))?,
        "snooze" => Err(Snooze::after(Duration::from_secs(3600)))?,
        "cancel" => Err(Cancel::new("no longer wanted"))?,
        _ => {}
    }
    Ok(())
}

#[job(max_attempts = 1, on_failure = "discard")]
async fn give_up() -> Result<(), String> {
    Err("it is not worth it".to_owned())
}

/// Runs until it is told to end.
#[job]
async fn wait(end: State<CancellationToken>, journal: State<Journal>) {
    journal.note("begun");
    end.cancelled().await;
}

async fn say_what_became_of_attempts(pgq: &PgQueuer) {
    for how in ["complete", "complete", "retry", "hold", "snooze", "cancel"] {
        let how = how.to_owned();
        End { how }.enqueue(pgq).await.unwrap();
    }
    GiveUp {}.enqueue(pgq).await.unwrap();
    let builder = worker(pgq, &Journal::default());

    drain(builder.register::<End>().register::<GiveUp>()).await;

    let scrape = Scrape::of(pgq).await;
    for prefix in ["pgqueuer", "pgqueuer_worker"] {
        let count = |kind: &str, outcome: &str| {
            let labels = format!(r#"kind="{kind}",outcome="{outcome}""#);
            scrape.value(&format!("{prefix}_attempts_total{{{labels}}}"))
        };
        assert_eq!(count("end", "completed"), 2.0);
        for outcome in ["retried", "held", "snoozed", "cancelled"] {
            assert_eq!(count("end", outcome), 1.0, "{outcome}");
        }
        assert_eq!(count("end", "discarded"), 0.0);
        assert_eq!(count("give_up", "discarded"), 1.0);
    }
    let jobs = |state: &str| {
        let labels = format!(r#"kind="end",queue="default",state="{state}""#);
        scrape.value(&format!("pgqueuer_jobs{{{labels}}}"))
    };
    assert_eq!((jobs("held"), jobs("scheduled")), (1.0, 2.0));
    assert_eq!((jobs("available"), jobs("running")), (0.0, 0.0));
    assert_eq!(scrape.value("pgqueuer_up"), 1.0);
}

async fn say_what_waits_and_what_is_paused(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<Nap>()).await;
    pgq.pause(&Scope::Kind("nap".to_owned())).await.unwrap();
    Nap {}.enqueue(pgq).await.unwrap();
    let labels = r#"{kind="nap",queue="default"}"#;

    let age = eventually("the job has an age", async || {
        let scrape = Scrape::of(pgq).await;
        assert_eq!(scrape.value(&format!("pgqueuer_paused{labels}")), 1.0);
        let state = r#"kind="nap",queue="default",state="available""#;
        assert_eq!(scrape.value(&format!("pgqueuer_jobs{{{state}}}")), 1.0);
        let age = scrape.value(&format!("pgqueuer_oldest_job_age_seconds{labels}"));
        (age > 0.0).then_some(age)
    })
    .await;
    assert!(age < 60.0, "{age}");

    pgq.resume(&Scope::Kind("nap".to_owned())).await.unwrap();
    drain(worker(pgq, &Journal::default()).register::<Nap>()).await;
    let scrape = Scrape::of(pgq).await;
    for family in ["pgqueuer_paused", "pgqueuer_oldest_job_age_seconds"] {
        assert_eq!(scrape.value(&format!("{family}{labels}")), 0.0);
    }
}

async fn say_how_long_jobs_waited_and_ran(pgq: &PgQueuer) {
    Nap::enqueue_many(pgq, (0..3).map(|_| Nap {}))
        .await
        .unwrap();

    drain(worker(pgq, &Journal::default()).register::<Nap>()).await;

    let scrape = Scrape::of(pgq).await;
    for prefix in ["pgqueuer", "pgqueuer_worker"] {
        let of = |family: &str, labels: &str| {
            scrape.value(&format!("{prefix}_job_{family}{{kind=\"nap\"{labels}}}"))
        };
        assert_eq!(of("wait_seconds_count", ""), 3.0);
        assert_eq!(of("run_seconds_count", ""), 3.0);
        assert!(of("run_seconds_sum", "") >= 3.0 * NAP.as_secs_f64());
        // It sleeps for 20 ms at least.
        assert_eq!(of("run_seconds_bucket", r#",le="0.016""#), 0.0);
        assert_eq!(of("run_seconds_bucket", r#",le="67108.864""#), 3.0);
        assert_eq!(of("run_seconds_bucket", r#",le="+Inf""#), 3.0);
    }
}

async fn count_claims_and_results(pgq: &PgQueuer) {
    End::enqueue_many(pgq, (0..40).map(|_| End { how: String::new() }))
        .await
        .unwrap();

    drain(worker(pgq, &Journal::default()).register::<End>()).await;

    let scrape = Scrape::of(pgq).await;
    let of = |name: &str| scrape.value(&format!("pgqueuer_worker_{name}"));
    assert_eq!(of("claim_jobs_sum"), 40.0);
    assert_eq!(of("settle_jobs_sum"), 40.0);
    // The last claim of a drain brings nothing.
    let empty = of(r#"claim_jobs_bucket{le="0"}"#);
    assert!(empty >= 1.0 && of("claim_jobs_count") > empty);
    assert_eq!(of("claim_jobs_count"), of("claim_seconds_count"));
    assert_eq!(of("settle_jobs_count"), of("settle_seconds_count"));
    assert!(of("settle_seconds_sum") > 0.0);
    for none in ["claim", "settle"] {
        assert_eq!(of(&format!("{none}_failures_total")), 0.0);
    }
    for none in ["refused_results", "lost_results", "given_back"] {
        assert_eq!(of(&format!("{none}_total")), 0.0);
    }
}

/// A worker that runs a job which waits to be told to end.
async fn busy(pgq: &PgQueuer, end: &CancellationToken) -> (Running, SessionId) {
    let journal = Journal::default();
    let builder = worker(pgq, &journal)
        .state(end.clone())
        .register::<Wait>()
        .concurrency(3)
        .configure(|config| config.shutdown_grace = Duration::ZERO);
    let running = Running::start(builder);
    Wait {}.enqueue(pgq).await.unwrap();
    journal.wait_for(1).await;
    let session = pgq.overview().await.unwrap().workers[0].session;
    (running, session)
}

async fn say_what_a_worker_is_doing(pgq: &PgQueuer) {
    let end = CancellationToken::new();
    let (running, _) = busy(pgq, &end).await;

    let scrape = eventually("the worker has reported", async || {
        let scrape = Scrape::of(pgq).await;
        let running = r#"pgqueuer_jobs{kind="wait",queue="default",state="running"}"#;
        (scrape.value(running) == 1.0).then_some(scrape)
    })
    .await;
    let of = |name: &str| scrape.value(&format!("pgqueuer_worker_{name}"));
    assert_eq!(
        (of("active"), of("concurrency"), of("running")),
        (1.0, 3.0, 1.0)
    );
    assert!(of("uptime_seconds") > 0.0);
    assert_eq!(scrape.value("pgqueuer_concurrency"), 3.0);
    let workers = |state: &str| {
        let series = format!("pgqueuer_workers{{state=\"{state}\"}}");
        scrape.value(&series)
    };
    assert_eq!(workers("idle") + workers("busy"), 1.0);
    assert_eq!(workers("lost"), 0.0);

    end.cancel();
    running.stop().await;
    let scrape = Scrape::of(pgq).await;
    assert_eq!(scrape.value("pgqueuer_worker_active"), 0.0);
    assert_eq!(scrape.value("pgqueuer_worker_running"), 0.0);
}

async fn count_a_result_that_is_refused(pgq: &PgQueuer) {
    let end = CancellationToken::new();
    let (running, session) = busy(pgq, &end).await;
    // Its jobs are given to others, and its result comes after that.
    let closing = pgq.store().close_session(session, Holds::Unsure);
    closing.await.unwrap();
    pgq.pause(&Scope::Everything).await.unwrap();
    end.cancel();

    let refused = "pgqueuer_worker_refused_results_total";
    eventually("the result is refused", async || {
        let scrape = Scrape::of(pgq).await;
        (scrape.value(refused) == 1.0).then_some(())
    })
    .await;
    running.stop().await;
}

async fn count_jobs_that_are_given_back(pgq: &PgQueuer) {
    let (running, _) = busy(pgq, &CancellationToken::new()).await;
    assert_eq!(running.stop().await.given_back, 1);
    let scrape = Scrape::of(pgq).await;
    assert_eq!(scrape.value("pgqueuer_worker_given_back_total"), 1.0);
    assert!(!scrape.has("pgqueuer_worker_attempts_total"));
}

async fn count_jobs_that_are_rescued(pgq: &PgQueuer) {
    let dead = open_session(&**pgq.store()).await;
    running_job(&**pgq.store(), dead, "nap").await;
    expire(&**pgq.store(), dead).await;
    let builder = worker(pgq, &Journal::default());
    let running = Running::start(builder.register::<Nap>().lease(Duration::from_secs(3)));

    eventually("the job is rescued and done", async || {
        let scrape = Scrape::of(pgq).await;
        let rescued = r#"pgqueuer_worker_rescued_total{state="available"}"#;
        let renewed = r#"pgqueuer_worker_lease_renewals_total{result="renewed"}"#;
        let seen = (scrape.get(rescued)?, scrape.get(renewed)? >= 1.0);
        (seen == (1.0, true)).then_some(())
    })
    .await;
    running.stop().await;
}

async fn count_jobs_that_become_due(pgq: &PgQueuer) {
    let later = Nap {}.options().delay(NAP);
    later.enqueue(pgq).await.unwrap();
    let running = Running::start(worker(pgq, &Journal::default()).register::<Nap>());
    eventually("the job is done", async || {
        let scrape = Scrape::of(pgq).await;
        let completed = r#"pgqueuer_worker_attempts_total{kind="nap",outcome="completed"}"#;
        let promoted = scrape.get("pgqueuer_worker_promoted_total");
        (scrape.get(completed) == Some(1.0)).then(|| assert_eq!(promoted, Some(1.0)))
    })
    .await;
    running.stop().await;
}

async fn only_ever_grow(pgq: &PgQueuer) {
    let running = Running::start(worker(pgq, &Journal::default()).register::<End>());
    let mut before = Scrape::of(pgq).await;
    let mut done = 0.0;
    while done < 60.0 {
        End::enqueue_many(pgq, (0..3).map(|_| End { how: String::new() }))
            .await
            .unwrap();
        let now = Scrape::of(pgq).await;
        for (series, value) in before.growing() {
            assert!(now.value(series) >= value, "{series} fell from {value}");
        }
        let completed = r#"pgqueuer_worker_attempts_total{kind="end",outcome="completed"}"#;
        done = now.get(completed).unwrap_or_default();
        before = now;
    }
    running.stop().await;
    let after = Scrape::of(pgq).await;
    for (series, value) in before.growing() {
        assert!(after.value(series) >= value, "{series} fell from {value}");
    }
}

async fn say_nothing_of_workers_where_there_are_none(pgq: &PgQueuer) {
    pgq.store().enqueue(&[job("odd\"name\n")]).await.unwrap();
    let scrape = Scrape::of(pgq).await;
    let series = r#"pgqueuer_jobs{kind="odd\"name\n",queue="",state="available"}"#;
    assert_eq!(scrape.value(series), 1.0);
    assert!(!scrape.has("pgqueuer_worker_active"));
    assert!(!scrape.has("pgqueuer_worker_claim_jobs"));
    assert_eq!(
        scrape.has("pgqueuer_pool_connections"),
        pgq.pool().is_some()
    );
}

async fn tell_workers_that_are_dead(pgq: &PgQueuer) {
    let dead = open_session(&**pgq.store()).await;
    expire(&**pgq.store(), dead).await;
    let scrape = Scrape::of(pgq).await;
    for (state, count) in [("idle", 0.0), ("busy", 0.0), ("lost", 1.0)] {
        let series = format!("pgqueuer_workers{{state=\"{state}\"}}");
        assert_eq!(scrape.value(&series), count, "{state}");
    }
}

async fn read_once_for_all_who_ask_within_a_second(pgq: &PgQueuer) {
    let metrics = pgqueuer::metrics::Metrics::new(pgq);
    let waiting = r#"pgqueuer_jobs{kind="nap",queue="",state="available"}"#;
    let began = Instant::now();
    let scrape = Scrape::parse(&metrics.render().await);
    assert_eq!(scrape.get(waiting), None);
    Nap {}.enqueue(pgq).await.unwrap();
    let again = Scrape::parse(&metrics.clone().render().await);
    // But for a machine that is very slow.
    if began.elapsed() < Duration::from_secs(1) {
        assert_eq!(again.get(waiting), None);
    }
    eventually("what was read is too old", async || {
        let scrape = Scrape::parse(&metrics.render().await);
        (scrape.get(waiting) == Some(1.0)).then_some(())
    })
    .await;
}

async fn measure_how_soon_the_bell_is_answered(database: &Database) {
    let pgq = &database.pgq;
    let running = Running::start(worker(pgq, &Journal::default()).register::<Nap>());
    // The first job makes the lane, of which the bell says that anything may be new.
    eventually("a ring was answered", async || {
        let idle = r#"pgqueuer_workers{state="idle"}"#;
        let scrape = Scrape::of(pgq).await;
        let answered = scrape.get("pgqueuer_worker_notify_lag_seconds_count")?;
        if answered == 0.0 && scrape.value(idle) == 1.0 {
            Nap {}.enqueue(pgq).await.unwrap();
        }
        (answered >= 1.0).then_some(())
    })
    .await;
    running.stop().await;
}
