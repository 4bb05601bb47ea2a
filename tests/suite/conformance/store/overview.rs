//! What a queue is doing, as every view shows it.

use std::{collections::BTreeMap, time::Duration};

use pgqueuer::{
    JobFilter, KindOverview, Overview, Requeue, Scope,
    store::{JobToEnqueue, KindRecord, RunAt, Store, WorkerReport},
};

use super::super::store_cases;
use crate::support::{
    LONG, again, claim, completed, enqueue, enqueue_many, expire, held, job, kind_record,
    open_session, running_job, settle,
};

store_cases! {
    is_empty_at_first,
    has_each_kind_that_is_published,
    has_an_alias_only_while_it_has_jobs,
    has_jobs_of_a_kind_that_nobody_has_published,
    counts_jobs_by_state,
    follows_a_job_through_its_life,
    follows_what_is_done_by_hand,
    takes_what_runs_from_what_waits,
    says_since_when_the_oldest_has_waited,
    takes_the_oldest_of_all_priorities,
    tells_what_is_paused,
    tells_the_widest_pause,
    lists_workers,
    forgets_what_a_dead_worker_ran,
    takes_no_report_of_a_session_that_is_over,
}

async fn overview(store: &dyn Store) -> Overview {
    store.overview().await.unwrap()
}

async fn mail(store: &dyn Store) -> KindOverview {
    let mut kinds = overview(store).await.kinds;
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    kinds.remove(0)
}

/// Scheduled, available, running, held.
async fn counts(store: &dyn Store) -> [u64; 4] {
    let it = mail(store).await.counts;
    [it.scheduled, it.available, it.running, it.held]
}

fn later() -> JobToEnqueue {
    JobToEnqueue {
        run_at: RunAt::After(LONG),
        ..job("mail")
    }
}

fn report(concurrency: u32, running: &[(&str, u64)]) -> WorkerReport {
    WorkerReport {
        concurrency,
        running: running
            .iter()
            .map(|(kind, it)| ((*kind).to_owned(), *it))
            .collect(),
        fronts: Vec::new(),
    }
}

async fn is_empty_at_first(store: &dyn Store) {
    let overview = overview(store).await;

    assert_eq!((overview.kinds, overview.workers), (Vec::new(), Vec::new()));
    assert_eq!(store.list_totals().await.unwrap(), Vec::new());
}

async fn has_each_kind_that_is_published(store: &dyn Store) {
    let report = KindRecord {
        queue: "office".to_owned(),
        ..kind_record("report")
    };
    store
        .publish_kinds(&[report, kind_record("mail")])
        .await
        .unwrap();

    let kinds = overview(store).await.kinds;

    let names: Vec<_> = kinds
        .iter()
        .map(|it| (it.kind.as_str(), it.queue.as_deref()))
        .collect();
    assert_eq!(
        names,
        [("mail", Some("default")), ("report", Some("office"))]
    );
}

async fn has_an_alias_only_while_it_has_jobs(store: &dyn Store) {
    let alias = KindRecord {
        kind: "letter".to_owned(),
        ..kind_record("mail")
    };
    store
        .publish_kinds(&[alias, kind_record("mail")])
        .await
        .unwrap();
    assert_eq!(mail(store).await.kind, "mail");

    enqueue(store, job("letter")).await;

    let kinds = overview(store).await.kinds;
    let queues: Vec<_> = kinds.iter().map(|it| it.queue.as_deref()).collect();
    assert_eq!(queues, [Some("default"); 2]);
    assert_eq!(kinds[0].counts.available, 1);
}

async fn has_jobs_of_a_kind_that_nobody_has_published(store: &dyn Store) {
    enqueue(store, job("mail")).await;

    let mail = mail(store).await;

    assert_eq!((mail.queue, mail.counts.available), (None, 1));
}

async fn counts_jobs_by_state(store: &dyn Store) {
    enqueue_many(store, &job("mail"), 3).await;
    enqueue_many(store, &later(), 2).await;
    let session = open_session(store).await;
    let one = running_job(store, session, "mail").await;
    settle(store, session, &[held(&one)]).await;

    // The three that were claimed besides run still, and nobody has said so.
    assert_eq!(counts(store).await, [2, 3, 0, 1]);
}

async fn follows_a_job_through_its_life(store: &dyn Store) {
    let session = open_session(store).await;
    let first = running_job(store, session, "mail").await;
    assert_eq!(counts(store).await, [0, 1, 0, 0]);
    settle(store, session, &[again(&first, LONG)]).await;
    assert_eq!(counts(store).await, [1, 0, 0, 0]);
    store
        .requeue(&JobFilter::all(), &Requeue::now(), 0.into(), 10)
        .await
        .unwrap();
    assert_eq!(counts(store).await, [0, 1, 0, 0]);
    let second = claim(store, session, &["mail"], 1).await;
    settle(store, session, &[again(&second[0], Duration::ZERO)]).await;
    assert_eq!(counts(store).await, [0, 1, 0, 0]);
    let third = claim(store, session, &["mail"], 1).await;
    settle(store, session, &[completed(&third[0])]).await;
    assert_eq!(overview(store).await.kinds, Vec::new());
}

async fn follows_what_is_done_by_hand(store: &dyn Store) {
    enqueue_many(store, &job("mail"), 5).await;
    enqueue_many(store, &later(), 5).await;
    let session = open_session(store).await;
    let claimed = claim(store, session, &["mail"], 4).await;
    let ends: Vec<_> = claimed.iter().map(held).collect();
    settle(store, session, &ends).await;
    assert_eq!(counts(store).await, [5, 1, 0, 4]);

    store.discard(&JobFilter::all(), 0.into(), 1).await.unwrap();
    assert_eq!(counts(store).await, [5, 1, 0, 3]);
    // Two that are held, and none that is scheduled, since ids decide.
    let much_later = Requeue::now().after(LONG);
    store
        .requeue(&JobFilter::all(), &much_later, 0.into(), 2)
        .await
        .unwrap();
    assert_eq!(counts(store).await, [7, 1, 0, 1]);
    store
        .cancel(&JobFilter::all(), "", 0.into(), 4)
        .await
        .unwrap();
    let [scheduled, available, _, held] = counts(store).await;
    assert_eq!((scheduled + available + held, available, held), (5, 0, 0));
    assert_eq!(store.recount().await.unwrap(), 0);
}

async fn takes_what_runs_from_what_waits(store: &dyn Store) {
    enqueue_many(store, &job("mail"), 5).await;
    let session = open_session(store).await;
    claim(store, session, &["mail"], 2).await;

    store
        .report(session, &report(10, &[("mail", 2)]))
        .await
        .unwrap();
    assert_eq!(counts(store).await, [0, 3, 2, 0]);

    // What was said may be older than the counts, which have all there is.
    store
        .report(session, &report(10, &[("mail", 9)]))
        .await
        .unwrap();
    assert_eq!(counts(store).await, [0, 0, 5, 0]);
}

async fn says_since_when_the_oldest_has_waited(store: &dyn Store) {
    assert_eq!(overview(store).await.kinds, Vec::new());
    let before = store.now().await.unwrap();
    enqueue(store, job("mail")).await;
    let between = store.now().await.unwrap();
    enqueue(store, job("mail")).await;
    enqueue(store, later()).await;

    let oldest = mail(store).await.oldest.unwrap();
    assert!(
        before <= oldest && oldest <= between,
        "{before} {oldest} {between}"
    );

    let session = open_session(store).await;
    claim(store, session, &["mail"], 1).await;
    assert!(mail(store).await.oldest.unwrap() >= between);
    claim(store, session, &["mail"], 1).await;
    assert_eq!(mail(store).await.oldest, None);
}

async fn takes_the_oldest_of_all_priorities(store: &dyn Store) {
    let of_priority = |priority| JobToEnqueue {
        priority,
        ..job("mail")
    };
    enqueue(store, of_priority(-1)).await;
    let between = store.now().await.unwrap();
    enqueue(store, of_priority(7)).await;

    assert!(mail(store).await.oldest.unwrap() <= between);
}

async fn tells_what_is_paused(store: &dyn Store) {
    store.publish_kinds(&[kind_record("mail")]).await.unwrap();
    let kind = Scope::Kind("mail".to_owned());
    assert_eq!(mail(store).await.paused, None);
    store
        .set_paused(&Scope::Kind("report".to_owned()), true)
        .await
        .unwrap();
    assert_eq!(mail(store).await.paused, None);

    store.set_paused(&kind, true).await.unwrap();
    assert_eq!(mail(store).await.paused, Some(kind.clone()));

    store.set_paused(&kind, false).await.unwrap();
    assert_eq!(mail(store).await.paused, None);
}

async fn tells_the_widest_pause(store: &dyn Store) {
    store.publish_kinds(&[kind_record("mail")]).await.unwrap();
    let queue = Scope::Queue("default".to_owned());
    for scope in [Scope::Kind("mail".to_owned()), queue, Scope::Everything] {
        store.set_paused(&scope, true).await.unwrap();
        assert_eq!(mail(store).await.paused, Some(scope));
    }
}

async fn lists_workers(store: &dyn Store) {
    let before = store.now().await.unwrap();
    let first = store.open_session("first", LONG).await.unwrap();
    let second = store.open_session("second", LONG).await.unwrap();
    store
        .report(second, &report(8, &[("mail", 3), ("report", 1)]))
        .await
        .unwrap();

    let workers = overview(store).await.workers;

    let names: Vec<_> = workers
        .iter()
        .map(|it| (it.session, it.name.as_str()))
        .collect();
    assert_eq!(names, [(first, "first"), (second, "second")]);
    assert_eq!(
        (workers[0].concurrency, workers[1].concurrency),
        (None, Some(8))
    );
    let running: BTreeMap<_, _> = [("mail".to_owned(), 3), ("report".to_owned(), 1)].into();
    assert_eq!(workers[1].running, running);
    assert!(workers[0].started_at >= before && workers[0].started_at < workers[0].expires_at);
    assert!(!workers[0].is_idle);
}

async fn forgets_what_a_dead_worker_ran(store: &dyn Store) {
    let session = open_session(store).await;
    running_job(store, session, "mail").await;
    store
        .report(session, &report(1, &[("mail", 1)]))
        .await
        .unwrap();
    assert_eq!(counts(store).await, [0, 0, 1, 0]);

    expire(store, session).await;
    store.rescue().await.unwrap();

    assert_eq!(counts(store).await, [0, 1, 0, 0]);
    assert_eq!(overview(store).await.workers, Vec::new());
}

async fn takes_no_report_of_a_session_that_is_over(store: &dyn Store) {
    let session = open_session(store).await;
    expire(store, session).await;
    store.rescue().await.unwrap();

    store
        .report(session, &report(1, &[("mail", 1)]))
        .await
        .unwrap();

    assert_eq!(overview(store).await.kinds, Vec::new());
}
