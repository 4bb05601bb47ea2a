//! Hooks that do not keep up, on a clock that is not waited for.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use pgqueuer::{BoxError, Event, Job, JobId, PgQueuer, job};

#[job(name = "told_slowly")]
async fn told() {}

/// Counts what it is told, and hangs at the first.
fn hangs_at_first(count: &Arc<AtomicUsize>) -> PgQueuer {
    let count = Arc::clone(count);
    PgQueuer::in_memory().with_hook(move |_: Event| {
        let is_first = count.fetch_add(1, SeqCst) == 0;
        async move {
            if is_first {
                std::future::pending::<()>().await;
            }
            Ok::<(), BoxError>(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_hears_the_next() {
    let count = Arc::default();
    let pgq = hangs_at_first(&count);
    Told::enqueue_many(&pgq, [Told {}, Told {}]).await.unwrap();

    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(count.load(SeqCst), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(count.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_not_told() {
    let count = Arc::default();
    let pgq = hangs_at_first(&count);
    let many = (0..10_100).map(|_| Told {});
    Told::enqueue_many(&pgq, many).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(count.load(SeqCst), 10_000);

    Told {}.enqueue(&pgq).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(count.load(SeqCst), 10_001);
}

#[test]
fn a_runtime_that_ends_takes_only_one_event_with_it() {
    let count = Arc::default();
    let pgq = hangs_at_first(&count);
    for _ in 0..2 {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let before = count.load(SeqCst);
            Told {}.enqueue(&pgq).await.unwrap();
            let is_told = async || (count.load(SeqCst) > before).then_some(());
            crate::support::eventually("it is told", is_told).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_are_told_one_after_another() {
    let heard: Arc<Mutex<Vec<JobId>>> = Arc::default();
    let (hearing, is_busy) = (Arc::clone(&heard), Arc::new(AtomicBool::new(false)));
    let pgq = PgQueuer::in_memory().with_hook(move |event: Event| {
        let (heard, is_busy) = (Arc::clone(&hearing), Arc::clone(&is_busy));
        async move {
            assert!(!is_busy.swap(true, SeqCst), "two at a time");
            if let Event::Enqueued { id, .. } = event {
                heard.lock().unwrap().push(id);
            }
            tokio::task::yield_now().await;
            is_busy.store(false, SeqCst);
            Ok::<(), BoxError>(())
        }
    });
    let mut ids = Vec::new();
    for _ in 0..5_000 {
        ids.push(Told {}.enqueue(&pgq).await.unwrap().id());
    }
    let is_told = async || (heard.lock().unwrap().len() >= ids.len()).then_some(());
    crate::support::eventually("all are told", is_told).await;
    assert_eq!(*heard.lock().unwrap(), ids);
}
