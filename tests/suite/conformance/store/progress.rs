//! How far running jobs are.

use std::time::Duration;

use pgqueuer::{
    JobFilter, JobId,
    store::{ProgressToNote, Store},
};

use super::super::store_cases;
use crate::support::{self, claim, completed, open_session, record, running_job, settle};

store_cases! {
    show_how_far_a_running_job_is,
    forget_how_far_a_job_was_when_it_runs_again,
}

async fn show_how_far_a_running_job_is(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    let other = open_session(store).await;
    let half = ProgressToNote {
        key: claimed.key,
        fraction: 0.5,
        note: "half".to_owned(),
    };
    let wrong = ProgressToNote {
        fraction: 0.9,
        ..half.clone()
    };
    store
        .note_progress(session, std::slice::from_ref(&half))
        .await
        .unwrap();
    store.note_progress(other, &[wrong]).await.unwrap();

    let progress = record(store, claimed.key.id).await.progress.unwrap();
    assert_eq!((progress.fraction, progress.note.as_str()), (0.5, "half"));
    let filter = JobFilter::ids([claimed.key.id]);
    let listed = store.list_jobs(&filter, JobId::from(0), 1).await.unwrap();
    assert_eq!(listed[0].progress, Some(progress));

    settle(store, session, &[completed(&claimed)]).await;
    assert_eq!(record(store, claimed.key.id).await.progress, None);
    store.forget_progress(10).await.unwrap();
}

async fn forget_how_far_a_job_was_when_it_runs_again(store: &dyn Store) {
    let session = open_session(store).await;
    let claimed = running_job(store, session, "mail").await;
    let half = ProgressToNote {
        key: claimed.key,
        fraction: 0.5,
        note: String::new(),
    };
    store
        .note_progress(session, std::slice::from_ref(&half))
        .await
        .unwrap();
    settle(store, session, &[support::again(&claimed, Duration::ZERO)]).await;
    assert_eq!(record(store, claimed.key.id).await.progress, None);
    let again = claim(store, session, &["mail"], 1).await;
    assert_eq!(record(store, claimed.key.id).await.progress, None);
    // Of a claim that is over, nothing is noted, nor does it hide what the present one says.
    let begun = ProgressToNote {
        key: again[0].key,
        fraction: 0.1,
        note: "begun".to_owned(),
    };
    store.note_progress(session, &[begun]).await.unwrap();
    store.note_progress(session, &[half]).await.unwrap();
    let progress = record(store, claimed.key.id).await.progress;
    assert_eq!(progress.unwrap().note, "begun");
}
