//! Two versions of a program side by side, as during each deploy.

use std::collections::BTreeSet;

use pgqueuer::{Job, JobState, PgQueuer, prelude::*};

use super::{super::runtime_cases, Journal, Running, worker};

runtime_cases! {
    lose_no_job_of_either_version,
    leave_new_kinds_to_the_new_version,
    run_jobs_of_a_version_that_is_gone,
}

/// How many jobs each version enqueues of each kind.
const JOBS: u32 = 40;

/// The old version.
mod old {
    use super::*;

    #[job]
    pub(super) async fn greet(number: u32, journal: State<Journal>) {
        journal.note(format!("{number}"));
    }

    #[job]
    pub(super) async fn retire(number: u32, journal: State<Journal>) {
        journal.note(format!("{number}"));
    }
}

/// The new one: a kind has another name and an argument more, one is new, and one is gone.
mod new {
    use super::*;

    #[job(name = "welcome", aliases = ["greet"])]
    pub(super) async fn welcome(
        number: u32,
        #[serde(default)] locale: Option<String>,
        journal: State<Journal>,
    ) {
        let _ = locale;
        journal.note(format!("{number}"));
    }

    #[job]
    pub(super) async fn survey(number: u32, journal: State<Journal>) {
        journal.note(format!("{number}"));
    }
}

fn old_worker(pgq: &PgQueuer, journal: &Journal) -> Running {
    let builder = worker(pgq, journal).concurrency(2);
    Running::start(builder.register::<old::Greet>().register::<old::Retire>())
}

fn new_worker(pgq: &PgQueuer, journal: &Journal) -> Running {
    let builder = worker(pgq, journal).concurrency(2);
    Running::start(builder.register::<new::Welcome>().register::<new::Survey>())
}

async fn enqueue<J: Job>(pgq: &PgQueuer, from: u32, job: impl Fn(u32) -> J) {
    for number in from..from + JOBS {
        job(number).enqueue(pgq).await.unwrap();
    }
}

/// Each job noted its number, once.
async fn expect_each_once(journal: &Journal, count: u32) {
    let lines = journal.wait_for(count as usize).await;
    let numbers: BTreeSet<u32> = lines.iter().map(|it| it.parse().unwrap()).collect();
    assert_eq!(numbers, (0..count).collect());
    assert_eq!(lines.len(), count as usize);
}

async fn lose_no_job_of_either_version(pgq: &PgQueuer) {
    let journal = Journal::default();
    let old = old_worker(pgq, &journal);
    let new = new_worker(pgq, &journal);

    let locale = Some("nb".to_owned());
    let welcome = |number| new::Welcome {
        number,
        locale: locale.clone(),
    };
    tokio::join!(
        enqueue(pgq, 0, |number| old::Greet { number }),
        enqueue(pgq, JOBS, welcome),
        enqueue(pgq, 2 * JOBS, |number| old::Retire { number }),
        enqueue(pgq, 3 * JOBS, |number| new::Survey { number }),
    );

    expect_each_once(&journal, 4 * JOBS).await;
    let (old, new) = (old.stop().await, new.stop().await);
    assert_eq!(old.completed + new.completed, u64::from(4 * JOBS));
    assert_eq!((old.held, new.held), (0, 0));
}

async fn leave_new_kinds_to_the_new_version(pgq: &PgQueuer) {
    let journal = Journal::default();
    let id = new::Survey { number: 0 }.enqueue(pgq).await.unwrap();
    let old = old_worker(pgq, &journal);
    old::Retire { number: 1 }.enqueue(pgq).await.unwrap();
    assert_eq!(journal.wait_for(1).await, ["1"]);
    let waiting = pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((waiting.state, waiting.attempt), (JobState::Available, 0));

    let new = new_worker(pgq, &journal);

    expect_each_once(&journal, 2).await;
    old.stop().await;
    new.stop().await;
}

async fn run_jobs_of_a_version_that_is_gone(pgq: &PgQueuer) {
    let journal = Journal::default();
    old_worker(pgq, &journal).stop().await;
    enqueue(pgq, 0, |number| old::Greet { number }).await;

    let new = new_worker(pgq, &journal);

    expect_each_once(&journal, JOBS).await;
    assert_eq!(new.stop().await.completed, u64::from(JOBS));
}
