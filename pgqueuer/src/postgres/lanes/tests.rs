use super::*;

fn book() -> LaneBook {
    let mut book = LaneBook::default();
    book.learn(vec![LaneRow {
        kind: "mail".to_owned(),
        priority: 0,
        low_water: 0,
        is_limited: false,
        is_keyed: false,
        is_paused: false,
    }]);
    book
}

/// A look at the whole lane finds nothing; where its mark is then.
fn mark_after_a_look(book: &mut LaneBook, horizon: HorizonRow) -> i64 {
    book.pass(horizon);
    let request = ClaimRequest {
        session: crate::store::SessionId(1),
        kinds: &["mail"],
        limit: 10,
        bounds: &[],
        look: Look::Everywhere,
        has_freed: false,
    };
    let read = LaneColumns {
        kinds: vec!["mail".to_owned()],
        priorities: vec![0],
        cursors: vec![0],
        ..LaneColumns::default()
    };
    book.note(&request, &read, &[]);
    book.lanes["mail"][&0].low_water
}

fn horizon(oldest: i64, next: i64, position: i64) -> HorizonRow {
    HorizonRow {
        oldest,
        next,
        position,
        sessions: 1,
    }
}

#[test]
fn marks_follow_when_nothing_is_under_way() {
    let mut book = book();
    let marks = [1, 2, 3].map(|_| mark_after_a_look(&mut book, horizon(700, 700, 50)));
    assert_eq!(marks, [0, 50, 50]);
    assert!(!book.wants_horizon());
}

#[test]
fn marks_wait_for_who_has_taken_a_position() {
    let mut book = book();
    mark_after_a_look(&mut book, horizon(700, 700, 50));
    for _ in 0..5 {
        // The transaction 700 has position 51.
        let mark = mark_after_a_look(&mut book, horizon(700, 720, 60));
        assert_eq!(mark, 0);
    }
    let marks = [1, 2, 3].map(|_| mark_after_a_look(&mut book, horizon(730, 730, 60)));
    assert_eq!(marks, [50, 60, 60]);
}

#[test]
fn marks_move_on_while_there_is_always_something_under_way() {
    let mut book = book();
    let look = |n: i64| mark_after_a_look(&mut book, horizon(700 + n * 10, 715 + n * 10, n * 100));
    let marks: Vec<i64> = (1..10).map(look).collect();
    assert_eq!(marks, [0, 0, 0, 0, 100, 100, 300, 300, 500]);
}
