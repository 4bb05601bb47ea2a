//! What was done of late and how long it took, as every view shows it.

use std::time::Duration;

use pgqueuer::{
    Histogram, KindOverview, Tally,
    store::{Measures, MinuteToAdd, SessionId, Store},
};

use super::super::store_cases;
use crate::support::LONG;

store_cases! {
    says_what_was_done_of_late,
    charts_the_last_half_hour,
    keeps_totals_when_minutes_are_forgotten,
}

async fn mail(store: &dyn Store) -> KindOverview {
    let mut kinds = store.overview().await.unwrap().kinds;
    assert_eq!(kinds.len(), 1, "{kinds:?}");
    kinds.remove(0)
}

/// So many attempts that ran so long, and waited twice as long.
fn done(session: i64, ago: Duration, attempts: u64, ran: Duration) -> MinuteToAdd {
    let mut one = Tally::default();
    one.completed = 1;
    let mut measures = Measures::default();
    (0..attempts).for_each(|_| measures.add_attempt(&one, ran * 2, ran));
    MinuteToAdd {
        ago,
        session: SessionId(session),
        kind: "mail".to_owned(),
        measures,
    }
}

const MINUTE: Duration = Duration::from_secs(60);

async fn says_what_was_done_of_late(store: &dyn Store) {
    let (short, long) = (Duration::from_millis(20), Duration::from_secs(40));
    let added = [
        done(1, Duration::ZERO, 60, short),
        done(2, MINUTE, 39, short),
        done(2, MINUTE, 1, long),
        done(1, 2 * LONG, 1000, long),
    ];
    store.add_minutes(&added[..2]).await.unwrap();
    store.add_minutes(&added[2..]).await.unwrap();

    let mail = mail(store).await;

    let recent = &mail.recent.measures;
    assert_eq!((recent.tally.completed, recent.runs.count()), (100, 100));
    let quantile = |histogram: &Histogram, share| histogram.quantile(share).unwrap().as_secs_f64();
    assert!(
        (0.014..=0.029).contains(&quantile(&recent.runs, 0.5)),
        "{recent:?}"
    );
    assert!(
        (0.028..=0.058).contains(&quantile(&recent.waits, 0.5)),
        "{recent:?}"
    );
    assert!(
        (28.0..=58.0).contains(&quantile(&recent.runs, 1.0)),
        "{recent:?}"
    );
    assert!((5 * MINUTE..=6 * MINUTE).contains(&mail.recent.lasted));
    // A hundred in one or two minutes, unless a third one has begun meanwhile.
    assert!(
        mail.per_second >= 60.0 / 120.0 && mail.per_second <= 100.0 / 60.0,
        "{mail:?}"
    );
}

async fn charts_the_last_half_hour(store: &dyn Store) {
    let added = [
        done(1, Duration::ZERO, 3, MINUTE),
        done(2, 10 * MINUTE, 4, MINUTE),
        done(1, LONG, 9, MINUTE),
    ];
    store.add_minutes(&added).await.unwrap();

    let minutes = mail(store).await.minutes;

    assert_eq!(minutes.len(), 30);
    let busy: Vec<_> = (0..30).filter(|it| minutes[*it] > 0).collect();
    // The present one is the last, unless another has begun meanwhile.
    assert!(busy == [19, 29] || busy == [18, 28], "{minutes:?}");
    assert_eq!((minutes[busy[0]], minutes[busy[1]]), (4, 3));
}

async fn keeps_totals_when_minutes_are_forgotten(store: &dyn Store) {
    let ran = Duration::from_millis(10);
    store
        .add_minutes(&[done(1, LONG, 2, ran), done(2, LONG, 1, ran)])
        .await
        .unwrap();
    store.forget_minutes(MINUTE, 100).await.unwrap();
    store
        .add_minutes(&[done(1, Duration::ZERO, 4, ran)])
        .await
        .unwrap();

    let totals = store.list_totals().await.unwrap();

    assert_eq!((totals.len(), totals[0].kind.as_str()), (1, "mail"));
    let total = &totals[0].measures;
    assert_eq!(
        (
            total.tally.completed,
            total.runs.count(),
            total.waits.count()
        ),
        (7, 7, 7)
    );
    assert_eq!(total.runs.count_up_to(Histogram::bound(4)), 0);
    assert_eq!(total.runs.count_up_to(Histogram::bound(8)), 7);
}
