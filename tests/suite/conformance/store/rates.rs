//! Rates across the fleet: of a kind, of a queue, and of each key.

use std::time::Duration;

use pgqueuer::{
    Limits, Rate, Scope,
    store::{KindRecord, Store},
};

use super::{
    super::store_cases,
    limits::{keyed, limit, look},
};
use crate::support::{completed, enqueue_many, job, kind_record, open_session, settle};

store_cases! {
    begins_a_burst_and_no_more,
    begins_one_more_when_its_time_has_come,
    says_when_to_look_again,
    counts_what_has_ended_too,
    limits_the_rate_of_a_queue,
    limits_the_rate_of_each_key,
    lets_a_key_go_on_by_itself,
    saves_up_no_more_than_a_burst,
    forgets_what_says_nothing_any_more,
}

fn rate(text: &str) -> Limits {
    Limits {
        rate: Some(text.parse().unwrap()),
        ..Limits::NONE
    }
}

fn rate_per_key(text: &str) -> Limits {
    Limits {
        rate_per_key: Some(text.parse().unwrap()),
        ..Limits::NONE
    }
}

/// How many of the kind `mail` can be claimed now.
async fn count(store: &dyn Store) -> usize {
    let session = open_session(store).await;
    look(store, session, &["mail"]).await.jobs.len()
}

async fn begins_a_burst_and_no_more(store: &dyn Store) {
    limit(store, "mail", rate("1/h burst 3")).await;
    enqueue_many(store, &job("mail"), 10).await;

    let counts = [count(store).await, count(store).await];

    assert_eq!(counts, [3, 0]);
}

async fn begins_one_more_when_its_time_has_come(store: &dyn Store) {
    // One each 200 ms.
    limit(store, "mail", rate("5/s burst 2")).await;
    enqueue_many(store, &job("mail"), 10).await;
    let began = tokio::time::Instant::now();
    let mut total = count(store).await;
    while total < 5 {
        total += count(store).await;
    }

    // Two at once, and three after 200 ms each.
    let took = began.elapsed();
    assert!(took > Duration::from_millis(590), "{took:?}");
}

async fn says_when_to_look_again(store: &dyn Store) {
    limit(store, "mail", rate("1/h")).await;
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 2).await;

    let first = look(store, session, &["mail"]).await;
    let second = look(store, session, &["mail"]).await;

    let hour = Duration::from_secs(60 * 60);
    let waits = [first.held_back.unwrap(), second.held_back.unwrap()];
    assert_eq!((first.jobs.len(), second.jobs.len()), (1, 0));
    assert!(
        waits
            .iter()
            .all(|it| (hour - Duration::from_secs(60)..=hour).contains(it)),
        "{waits:?}"
    );
}

async fn counts_what_has_ended_too(store: &dyn Store) {
    limit(store, "mail", rate("1/h burst 2")).await;
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 5).await;
    let claimed = look(store, session, &["mail"]).await.jobs;
    let results: Vec<_> = claimed.iter().map(completed).collect();
    settle(store, session, &results).await;

    assert_eq!((claimed.len(), count(store).await), (2, 0));
}

async fn limits_the_rate_of_a_queue(store: &dyn Store) {
    let in_queue = |name: &str| KindRecord {
        queue: "office".to_owned(),
        ..kind_record(name)
    };
    let kinds = [in_queue("mail"), in_queue("report")];
    store.publish_kinds(&kinds).await.unwrap();
    let office = Scope::Queue("office".to_owned());
    store
        .publish_limits(&[(office, rate("1/h burst 3"))])
        .await
        .unwrap();
    let session = open_session(store).await;
    enqueue_many(store, &job("mail"), 2).await;
    enqueue_many(store, &job("report"), 5).await;
    let mails = count(store).await;

    let reports = look(store, session, &["report"]).await.jobs;

    assert_eq!((mails, reports.len()), (2, 1));
}

async fn limits_the_rate_of_each_key(store: &dyn Store) {
    limit(store, "mail", rate_per_key("1/h burst 2")).await;
    for key in ["a", "b", "c"] {
        enqueue_many(store, &keyed("mail", key), 4).await;
    }

    let counts = [count(store).await, count(store).await];

    assert_eq!(counts, [6, 0]);
}

async fn lets_a_key_go_on_by_itself(store: &dyn Store) {
    limit(store, "mail", rate_per_key("1/h burst 2")).await;
    enqueue_many(store, &keyed("mail", "a"), 4).await;
    let first = count(store).await;
    enqueue_many(store, &keyed("mail", "b"), 1).await;

    let second = count(store).await;

    assert_eq!((first, second), (2, 1));
}

async fn saves_up_no_more_than_a_burst(store: &dyn Store) {
    // One each 20 ms.
    limit(store, "mail", rate("50/s burst 2")).await;
    enqueue_many(store, &job("mail"), 100).await;
    let first = count(store).await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    // In the time of the look itself one more may be due.
    let second = count(store).await;

    assert!(first <= 3 && second <= 3, "{first}, {second}");
    assert!(second >= 2, "{second}");
}

async fn forgets_what_says_nothing_any_more(store: &dyn Store) {
    let fast = Rate::new(1000, Duration::from_secs(1));
    let limits = Limits {
        rate_per_key: Some(fast),
        ..Limits::NONE
    };
    limit(store, "mail", limits).await;
    for key in ["a", "b", "c"] {
        enqueue_many(store, &keyed("mail", key), 1).await;
    }
    count(store).await;
    tokio::time::sleep(Duration::from_millis(20)).await;

    let forgotten = [
        store.forget_rates(2).await.unwrap(),
        store.forget_rates(2).await.unwrap(),
        store.forget_rates(2).await.unwrap(),
    ];

    assert_eq!(forgotten, [2, 1, 0]);
}
