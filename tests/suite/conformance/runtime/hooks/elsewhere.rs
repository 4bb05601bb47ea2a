//! Jobs that others have a hand in.

use std::{sync::Arc, time::Duration};

use pgqueuer::{
    Event, Job as _, JobState, PgQueuer, State, job,
    store::{ClaimKey, Disposition, Ending},
};
use tokio::sync::Notify;

use super::{super::super::runtime_cases, Hooked, Journal, Running, with_notes, worker};
use crate::support::{self, eventually};

runtime_cases! {
    are_told_of_what_is_rescued,
    are_not_told_of_a_result_that_is_refused,
}

async fn are_told_of_what_is_rescued(pgq: &PgQueuer) {
    let (pgq, notes) = with_notes(pgq);
    let store = &**pgq.store();
    let dead = support::open_session(store).await;
    let job = support::running_job(store, dead, "hooked").await;
    support::expire(store, dead).await;
    let worker = worker(&pgq, &Journal::default()).lease(Duration::from_secs(3));
    let running = Running::start(worker.register::<Hooked>());
    let is_of_job = |it: &&Event| {
        matches!(
            it,
            Event::Rescued { .. } | Event::Started { .. } | Event::Ended { .. }
        )
    };
    eventually("the job is rescued, and run again", async || {
        let told = notes.0.lock().unwrap();
        (told.iter().filter(is_of_job).count() >= 3).then_some(())
    })
    .await;
    running.stop().await;

    let rescued = Event::Rescued {
        id: job.key.id,
        kind: "hooked".to_owned(),
        state: JobState::Available,
    };
    let events = notes.of_jobs();
    assert_eq!(events.len(), 3, "{events:#?}");
    // It may have begun before this was told.
    assert!(events[..2].contains(&rescued), "{events:#?}");
}

#[job]
async fn stays(journal: State<Journal>, leave: State<Arc<Notify>>) {
    journal.note("stays");
    leave.notified().await;
}

/// The job has ended elsewhere.
async fn are_not_told_of_a_result_that_is_refused(pgq: &PgQueuer) {
    let (pgq, notes) = with_notes(pgq);
    let (journal, leave) = (Journal::default(), Arc::new(Notify::new()));
    let handle = Stays {}.enqueue(&pgq).await.unwrap();
    let worker = worker(&pgq, &journal).state(Arc::clone(&leave));
    let running = Running::start(worker.register::<Stays>());
    journal.wait_for(1).await;
    let session = eventually("the session of the worker", async || {
        let told = notes.0.lock().unwrap();
        told.iter().find_map(|it| match it {
            Event::WorkerStarted { session, .. } => Some(*session),
            _ => None,
        })
    });
    let key = ClaimKey {
        id: handle.id(),
        claim_number: 1,
    };
    let (ending, retain) = (Ending::Completed, support::LONG);
    let elsewhere = support::settlement(key, Disposition::End { ending, retain });
    support::settle(&**pgq.store(), session.await, &[elsewhere]).await;
    leave.notify_one();

    let report = running.stop().await;

    assert_eq!((report.completed, report.lost), (0, 1));
    let is_ended = |it: &Event| matches!(it, Event::Ended { .. } | Event::Held { .. });
    assert!(!notes.of_jobs().iter().any(is_ended));
}
