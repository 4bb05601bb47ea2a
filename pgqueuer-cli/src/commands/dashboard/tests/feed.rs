//! What reads the queue, and acts on it, in its own task.

use std::time::Duration;

use pgqueuer::{Hosts, PgQueuer, SchemaName, Scope};

use super::queue::busy;
use crate::commands::dashboard::{
    data::{Detail, Query, Wanted},
    feed::{Feed, News},
    model::Trouble,
    operation::Operation,
};

const INTERVAL: Duration = Duration::from_secs(5);

/// So long that nothing comes any more. Time passes at once here.
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn it_reads_each_interval_and_what_is_asked_for_at_once() {
    let (pgq, _) = busy().await;
    let mut feed = Feed::start(&pgq, INTERVAL);
    for _ in 0..3 {
        let news = tokio::time::timeout(INTERVAL * 2, feed.news()).await;
        assert!(matches!(news, Ok(Ok(News::Read { .. }))), "{news:?}");
    }
    feed.ask(Wanted::Jobs(Query::default()));
    let news = tokio::time::timeout(INTERVAL / 2, feed.news()).await;
    let Ok(Ok(News::Read { data, .. })) = news else {
        panic!("{news:?}");
    };
    assert!(matches!(data.detail, Detail::Jobs(_, jobs) if jobs.len() == 22));
}

#[tokio::test(start_paused = true)]
async fn frozen_it_reads_only_what_is_asked_for() {
    let (pgq, _) = busy().await;
    let mut feed = Feed::start(&pgq, INTERVAL);
    feed.freeze(true);
    for _ in 0..2 {
        // What is on the screen is to stay.
        let next = tokio::time::timeout(LONG, feed.news()).await;
        assert!(next.is_err(), "{next:?}");
        feed.ask(Wanted::Overview);
        assert!(matches!(feed.news().await, Ok(News::Read { .. })));
    }
    feed.freeze(false);
    for limit in [INTERVAL / 2, INTERVAL * 2, INTERVAL * 2] {
        let next = tokio::time::timeout(limit, feed.news()).await;
        assert!(matches!(next, Ok(Ok(News::Read { .. }))), "{next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_is_done_also_if_one_leaves() {
    let (pgq, _) = busy().await;
    let mut feed = Feed::start(&pgq, INTERVAL);
    let pause = |paused| Operation::SetPaused {
        scope: Scope::Everything,
        paused,
    };
    feed.freeze(true);
    feed.start_operation(pause(true));
    let news = feed.news().await;
    assert!(
        matches!(&news, Ok(News::Done(Ok(done))) if done == "paused everything"),
        "{news:?}"
    );
    feed.start_operation(pause(false));
    assert_eq!(feed.finish().await, ["resumed everything"]);
    let limits = pgq.list_limits().await.unwrap();
    let mut paused = limits.iter().filter(|it| it.paused_at.is_some());
    // As it was: a queue is.
    assert_eq!(
        paused.next().unwrap().scope,
        Scope::Queue("reports".to_owned())
    );
    assert!(paused.next().is_none());
}

/// A queue that is not there.
fn nobody() -> PgQueuer {
    let hosts: Hosts = "postgres://nobody@127.0.0.1:1/nothing".parse().unwrap();
    let schema = SchemaName::parse("pgqueuer").unwrap();
    PgQueuer::connect_lazy(hosts, schema)
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_told_again_and_again() {
    let mut feed = Feed::start(&nobody(), INTERVAL);
    let mut last = Duration::ZERO;
    for _ in 0..20 {
        let Ok(News::Failed(Trouble { newest, .. })) = feed.news().await else {
            panic!("there is no database to be read");
        };
        let age = newest.elapsed();
        assert!(age >= last, "{age:?} after {last:?}");
        last = age;
    }
    // For longer than one try takes.
    assert!(last > Duration::from_secs(30), "{last:?}");
}

/// Who leaves is told what went wrong, or was not seen to the end.
#[tokio::test(start_paused = true)]
async fn what_failed_is_told_also_if_one_leaves() {
    let pgq = PgQueuer::in_memory();
    let mut feed = Feed::start(&pgq, INTERVAL);
    feed.start_operation(Operation::PauseSchedule {
        name: "nothing".to_owned(),
        paused: true,
    });
    let said = feed.finish().await;
    assert!(
        matches!(&said[..], [said] if said.starts_with("failed: ")),
        "{said:?}"
    );
    // One that does not answer.
    let mut feed = Feed::start(&nobody(), INTERVAL);
    feed.start_operation(Operation::SetPaused {
        scope: Scope::Everything,
        paused: true,
    });
    let said = feed.finish().await;
    assert!(
        matches!(&said[..], [said] if said.contains("may be done or not")),
        "{said:?}"
    );
}
