//! Keys in, screens out, as with a terminal.

use std::{io, time::Duration};

use pgqueuer::Scope;
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers},
};
use tokio::sync::mpsc;

use super::{Screen, codes, queue::busy};
use crate::commands::dashboard::{feed::Feed, run::Dashboard, view::Theme};

/// Runs it with these keys, and until `end`.
async fn run(keys: &[KeyEvent], end: impl Future<Output = ()>) -> Vec<Scope> {
    let (pgq, _) = busy().await;
    let model = Screen::open(&pgq).await.model;
    let (to, events) = mpsc::unbounded_channel::<io::Result<Event>>();
    for key in keys {
        to.send(Ok(Event::Key(*key))).unwrap();
    }
    let dashboard = Dashboard {
        feed: Feed::start(&pgq, model.interval),
        terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(),
        model,
        theme: Theme::Plain,
    };
    let feed = dashboard.follow(events, end).await.unwrap();
    feed.finish().await;
    let limits = pgq.list_limits().await.unwrap().into_iter();
    let paused = limits.filter(|it| it.paused_at.is_some());
    paused.map(|it| it.scope).collect()
}

fn typed(keys: &str) -> Vec<KeyEvent> {
    let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
    codes(keys).into_iter().map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn it_ends_by_a_key_and_does_what_was_decided() {
    let paused = run(&typed("Pyq"), std::future::pending()).await;
    assert!(paused.contains(&Scope::Everything), "{paused:?}");
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    run(&[control_c], std::future::pending()).await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_told_to() {
    let (events_stay, end) = (typed("P"), tokio::time::sleep(Duration::from_secs(60)));
    let paused = run(&events_stay, end).await;
    assert!(!paused.contains(&Scope::Everything), "{paused:?}");
}
