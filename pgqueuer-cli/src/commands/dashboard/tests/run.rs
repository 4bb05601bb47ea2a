//! Keys in, screens out, as with a terminal.

use std::{io, mem::ManuallyDrop, time::Duration};

use pgqueuer::Scope;
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers},
};
use tokio::{sync::mpsc, time::sleep};

use super::{Screen, codes, queue::busy};
use crate::commands::dashboard::{feed::Feed, model::Mode, run::Dashboard, view::Theme};

/// So many seconds after it has begun, and not before: time passes while a queue is made.
async fn after(seconds: u32) {
    sleep(Duration::from_secs(seconds.into())).await;
}

/// How it was left.
struct Left {
    mode: Mode,
    is_all_paused: bool,
}

/// Runs it with these events, of which those in one batch are there at once, and until `end`.
async fn run(batches: Vec<Vec<Event>>, end: impl Future<Output = ()>) -> Left {
    let (pgq, _) = busy().await;
    let model = Screen::open(&pgq).await.model;
    let (to, events) = mpsc::unbounded_channel::<io::Result<Event>>();
    let type_all = async {
        for batch in batches {
            for event in batch {
                to.send(Ok(event)).unwrap();
            }
            sleep(Duration::from_millis(10)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut dashboard = Dashboard {
        feed: Feed::start(&pgq, model.rest),
        terminal: ManuallyDrop::new(Terminal::new(TestBackend::new(80, 24)).unwrap()),
        model,
        theme: Theme::Plain,
    };
    tokio::select! {
        followed = dashboard.follow(events, end) => followed.unwrap(),
        () = type_all => {}
    }
    dashboard.feed.finish().await;
    let limits = pgq.list_limits().await.unwrap();
    let mut paused = limits.iter().filter(|it| it.paused_at.is_some());
    Left {
        mode: dashboard.model.mode,
        is_all_paused: paused.any(|it| it.scope == Scope::Everything),
    }
}

fn typed(keys: &str) -> Vec<Event> {
    let key = |code| Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
    codes(keys).into_iter().map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_a_key_and_does_what_was_decided() {
    let left = run(vec![typed("P"), typed("yq")], after(u32::MAX)).await;
    assert!(left.is_all_paused);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    run(vec![vec![Event::Key(control_c)]], after(u32::MAX)).await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_told_to() {
    let left = run(vec![typed("P")], after(60)).await;
    assert!(!left.is_all_paused);
}

/// What is typed ahead or pasted is no answer to a question that nobody has seen.
#[tokio::test(start_paused = true)]
async fn questions_are_answered_when_they_have_been_seen() {
    let alt = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT);
    for batches in [
        vec![typed("Py")],
        vec![typed("P"), vec![Event::Paste("y".to_owned())]],
        vec![vec![Event::Paste("Py".to_owned())], typed("P")],
        vec![typed("P"), vec![Event::Key(alt)]],
    ] {
        let what = format!("{batches:?}");
        let left = run(batches, after(60)).await;
        assert!(matches!(left.mode, Mode::Confirm(_)), "{what}");
        assert!(!left.is_all_paused, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_pasted_into_a_search_is_searched_for() {
    let paste = Event::Paste("import_\nq".to_owned());
    let batches = vec![[typed("/"), vec![paste]].concat()];
    let left = run(batches, after(60)).await;
    assert_eq!(left.mode, Mode::Search("import_q".to_owned()));
}
