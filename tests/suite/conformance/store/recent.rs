//! Finished jobs, newest first.

use std::time::Duration;

use pgqueuer::{
    HistoryFilter, HistoryPage, HistoryPlace, JobFilter, JobId,
    store::{Ending, Store},
};

use super::{
    super::store_cases,
    operate::{none, some},
};
use crate::support::{
    LONG, claim, completed, ended, enqueue, enqueue_many, held, job, open_session, record,
    running_job, settle, wait_until,
};

store_cases! {
    has_the_newest_first,
    has_what_is_meant,
    goes_on_page_by_page,
    begins_before_a_time,
    has_what_people_have_ended,
    leaves_out_what_has_expired,
    is_empty_at_first,
}

async fn list(store: &dyn Store, filter: &HistoryFilter) -> Vec<JobId> {
    let page = store.list_history(filter, None, 1000).await.unwrap();
    assert_eq!(page.next, None);
    ids(&page)
}

fn ids(page: &HistoryPage) -> Vec<JobId> {
    page.jobs.iter().map(|it| it.id).collect()
}

/// Runs a job of a kind, and returns its id. The next one is finished later.
async fn finish(store: &dyn Store, kind: &'static str, ending: Ending) -> JobId {
    let session = open_session(store).await;
    let job = running_job(store, session, kind).await;
    settle(store, session, &[ended(&job, ending, LONG)]).await;
    let finished_at = record(store, job.key.id).await.finished_at.unwrap();
    wait_until(store, finished_at).await;
    job.key.id
}

async fn has_the_newest_first(store: &dyn Store) {
    let first = finish(store, "mail", Ending::Completed).await;
    let second = finish(store, "report", Ending::Discarded).await;
    // Unfinished ones are not history.
    enqueue(store, job("mail")).await;

    let page = store
        .list_history(&HistoryFilter::all(), None, 10)
        .await
        .unwrap();

    assert_eq!(ids(&page), [second, first]);
    assert_eq!(page.jobs[1], record(store, first).await);
    assert_eq!(page.next, None);
}

async fn has_what_is_meant(store: &dyn Store) {
    let mail = finish(store, "mail", Ending::Completed).await;
    let dropped = finish(store, "mail", Ending::Discarded).await;
    let since = record(store, dropped).await.finished_at.unwrap();
    let report = finish(store, "report", Ending::Completed).await;
    let all = HistoryFilter::all;
    let cases = [
        (all(), vec![report, dropped, mail]),
        (all().kind("mail"), vec![dropped, mail]),
        (
            all().kind("mail").kind("report"),
            vec![report, dropped, mail],
        ),
        (all().ending(Ending::Completed), vec![report, mail]),
        (all().kind("mail").ending(Ending::Discarded), vec![dropped]),
        (all().since(since), vec![report, dropped]),
        (all().ending(Ending::Cancelled), vec![]),
        (all().kind("nothing"), vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(list(store, &filter).await, expected, "{filter:?}");
    }
}

async fn goes_on_page_by_page(store: &dyn Store) {
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 7).await;
    let claimed = claim(store, session, &["mail"], 10).await;
    // Of one time, so that only their ids tell where a page has its end.
    let results: Vec<_> = claimed.iter().map(completed).collect();
    settle(store, session, &results).await;
    let all = list(store, &HistoryFilter::all()).await;

    let (mut listed, mut below) = (Vec::new(), None);
    let everything = HistoryFilter::all();
    loop {
        let page = store.list_history(&everything, below, 3).await.unwrap();
        assert!(page.jobs.len() <= 3);
        listed.extend(ids(&page));
        below = page.next;
        if below.is_none() {
            break;
        }
    }
    assert_eq!((listed.len(), &listed), (7, &all));
}

async fn begins_before_a_time(store: &dyn Store) {
    let first = finish(store, "mail", Ending::Completed).await;
    let second = finish(store, "mail", Ending::Completed).await;
    let time = record(store, second).await.finished_at.unwrap();

    let below = Some(HistoryPlace::before(time));
    let page = store
        .list_history(&HistoryFilter::all(), below, 10)
        .await
        .unwrap();

    assert_eq!(ids(&page), [first]);
}

async fn has_what_people_have_ended(store: &dyn Store) {
    let session = open_session(store).await;
    let given_up = running_job(store, session, "mail").await;
    settle(store, session, &[held(&given_up)]).await;
    let waiting = enqueue(store, job("report")).await;
    store.discard(&JobFilter::all(), none(), 10).await.unwrap();
    let filter = JobFilter::ids([waiting]);
    store.cancel(&filter, "by hand", none(), 10).await.unwrap();

    let discarded = HistoryFilter::all().ending(Ending::Discarded);
    assert_eq!(list(store, &discarded).await, [given_up.key.id]);
    let cancelled = HistoryFilter::all().ending(Ending::Cancelled);
    assert_eq!(list(store, &cancelled).await, [waiting]);
    let left = store.list_jobs(&some("mail"), none(), 10).await.unwrap();
    assert_eq!(left, []);
}

async fn leaves_out_what_has_expired(store: &dyn Store) {
    let session = open_session(store).await;
    let job = running_job(store, session, "mail").await;
    let brief = ended(&job, Ending::Completed, Duration::from_millis(1));
    settle(store, session, &[brief]).await;
    let now = store.now().await.unwrap();
    wait_until(store, now + chrono::TimeDelta::milliseconds(5)).await;

    assert_eq!(list(store, &HistoryFilter::all()).await, []);
}

async fn is_empty_at_first(store: &dyn Store) {
    let page = store
        .list_history(&HistoryFilter::all(), None, 10)
        .await
        .unwrap();
    assert_eq!(page, HistoryPage::default());
}
