//! The dashboard on a queue in memory, whose clock stands still: what its screens show, and that each
//! key does what it says.

mod acts;
mod feed;
mod keys;
mod queue;
mod reader;
mod run;
mod screens;

use std::time::Duration;

use pgqueuer::PgQueuer;
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

use super::{
    data::Data,
    keys::action,
    model::{Model, Notice},
    update::Effect,
    view,
    view::Theme,
};
use crate::catalog::Catalog;

/// The dashboard, without its terminal and without its task.
struct Screen {
    pgq: PgQueuer,
    model: Model,
    has_quit: bool,
}

impl Screen {
    async fn open(pgq: &PgQueuer) -> Self {
        let data = Data::read(pgq, super::Wanted::Overview, || ())
            .await
            .unwrap();
        let catalog = Catalog::published(pgq).await.unwrap();
        let interval = Duration::from_secs(5);
        Self {
            pgq: pgq.clone(),
            model: Model::new("db.example/shop".to_owned(), interval, catalog, data),
            has_quit: false,
        }
    }

    /// Presses keys one after the other, each when it is drawn what came of the one before: letters, and
    /// names as `<enter>`.
    async fn press(&mut self, keys: &str) {
        for code in codes(keys) {
            self.model.is_drawn();
            let key = KeyEvent::new(code, KeyModifiers::NONE);
            let action = action(key, &self.model.mode);
            match action.and_then(|it| self.model.update(it)) {
                Some(Effect::Read) => self.read().await,
                Some(Effect::Do(operation)) => {
                    let done = operation.run(&self.pgq).await.unwrap();
                    self.model.notice = Some(Notice::Done(done));
                    self.read().await;
                }
                Some(Effect::Quit) => self.has_quit = true,
                Some(Effect::Freeze) if !self.model.is_frozen => self.read().await,
                Some(Effect::Freeze | Effect::Redraw) | None => {}
            }
        }
    }

    async fn read(&mut self) {
        let data = Data::read(&self.pgq, self.model.wanted(), || ())
            .await
            .unwrap();
        self.model.show(data);
    }

    /// What is on a terminal of this size.
    fn draw(&mut self, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| {
                view::fit(&mut self.model, frame.area());
                view::draw(&self.model, Theme::Plain, frame.area(), frame.buffer_mut());
            })
            .unwrap();
        let buffer = terminal.backend().buffer();
        let lines = buffer
            .content
            .chunks(width.into())
            .map(|cells| view::text_of(cells).trim_end().to_owned() + "\n");
        lines.collect()
    }

    /// What the status line says came of the last key.
    fn said(&self) -> &str {
        match &self.model.notice {
            Some(Notice::Done(text) | Notice::Refused(text)) => text,
            Some(Notice::Doing) | None => "",
        }
    }
}

fn codes(keys: &str) -> Vec<KeyCode> {
    let mut codes = Vec::new();
    let mut rest = keys;
    while let Some(letter) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
        if let Some((name, after)) = name {
            codes.push(match name {
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "backtab" => KeyCode::BackTab,
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "pageup" => KeyCode::PageUp,
                "pagedown" => KeyCode::PageDown,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "backspace" => KeyCode::Backspace,
                other => panic!("no key is called {other}"),
            });
            rest = after;
        } else {
            codes.push(KeyCode::Char(letter));
            rest = &rest[letter.len_utf8()..];
        }
    }
    codes
}
