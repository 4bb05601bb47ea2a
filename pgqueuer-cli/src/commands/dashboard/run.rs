//! What happens: keys are heeded, news are taken in, and all of it is drawn.

use std::{io, mem::ManuallyDrop, pin::pin, time::Duration};

use pgqueuer::PgQueuer;
use ratatui::{
    Frame, Terminal,
    backend::Backend,
    crossterm::event::{Event, KeyEventKind},
    layout::Rect,
};
use tokio::{sync::mpsc, time::sleep};

use super::{
    feed::{Feed, News},
    keys::{self, Action},
    model::{Mode, Model, Notice},
    terminal::{Signals, Taken, listen},
    update::Effect,
    view::{self, Theme},
};
use crate::{exit::Failure, output::note};

pub(super) async fn run(pgq: &PgQueuer, model: Model, theme: Theme) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let (taken, terminal) = Taken::take()?;
    let events = listen()?;
    let mut dashboard = Dashboard {
        feed: Feed::start(pgq, model.rest),
        terminal: ManuallyDrop::new(terminal),
        model,
        theme,
    };
    let ended = dashboard.follow(events, signals.next()).await;
    drop(taken);
    // Also when the terminal is gone: what somebody has decided is done.
    for line in dashboard.feed.finish().await {
        note(line);
    }
    ended
}

pub(super) struct Dashboard<B: Backend> {
    pub(super) feed: Feed,
    /// It would show the cursor when it is dropped, and panic if it cannot even say that this failed.
    /// [`Taken`] does all that.
    pub(super) terminal: ManuallyDrop<Terminal<B>>,
    pub(super) model: Model,
    pub(super) theme: Theme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

impl Next {
    fn is_end(self) -> bool {
        self == Self::End
    }
}

/// How often it is drawn while there is trouble, whose age it tells.
const SECOND: Duration = Duration::from_secs(1);

impl<B: Backend> Dashboard<B>
where
    B::Error: Send + Sync + 'static,
{
    /// Until somebody quits, the terminal is gone, or something asks for the end.
    pub(super) async fn follow(
        &mut self,
        mut events: mpsc::UnboundedReceiver<io::Result<Event>>,
        end: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let mut end = pin!(end);
        loop {
            self.draw()?;
            tokio::select! {
                event = events.recv() => {
                    let Some(event) = event else { break };
                    // What was typed meanwhile is drawn at once: the line may be slow.
                    let mut next = Some(event);
                    while let Some(event) = next {
                        if self.heed(&event?)?.is_end() {
                            return Ok(());
                        }
                        next = events.try_recv().ok();
                    }
                }
                news = self.feed.news() => self.tell(news?),
                () = sleep(SECOND), if self.model.trouble.is_some() => {}
                () = &mut end => break,
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let (model, theme) = (&mut self.model, self.theme);
        let draw = |frame: &mut Frame<'_>| {
            view::fit(model, frame.area());
            view::draw(model, theme, frame.area(), frame.buffer_mut());
        };
        self.terminal.draw(draw).map_err(io::Error::other)?;
        self.model.is_drawn();
        Ok(())
    }

    fn heed(&mut self, event: &Event) -> Result<Next, Failure> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                match keys::action(*key, &self.model.mode) {
                    Some(action) => self.act(action),
                    None => Ok(Next::GoOn),
                }
            }
            // Elsewhere letters are keys, which nobody has pressed.
            Event::Paste(text) if matches!(self.model.mode, Mode::Search(_)) => {
                for letter in text.chars().filter(|it| !it.is_control()) {
                    self.act(Action::Type(letter))?;
                }
                Ok(Next::GoOn)
            }
            // A new size, most likely, for which it is drawn anew.
            _ => Ok(Next::GoOn),
        }
    }

    fn act(&mut self, action: Action) -> Result<Next, Failure> {
        match self.model.update(action) {
            Some(Effect::Quit) => return Ok(Next::End),
            Some(Effect::Read) => self.feed.ask(self.model.wanted()),
            Some(Effect::Freeze) => self.feed.freeze(self.model.is_frozen),
            Some(Effect::Do(operation)) => self.feed.start_operation(operation),
            Some(Effect::Redraw) => self.redraw().map_err(io::Error::other)?,
            None => {}
        }
        Ok(Next::GoOn)
    }

    /// Not by `Terminal::clear`, which asks the terminal where its cursor is: the answer would come
    /// among the keys.
    fn redraw(&mut self) -> Result<(), B::Error> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from(size))
    }

    fn tell(&mut self, news: News) {
        match news {
            News::Read { data, rest } => {
                self.model.show(*data);
                self.model.rest = rest;
            }
            News::Failed(trouble) => self.model.trouble = Some(trouble),
            News::Done(result) => {
                self.model.notice = Some(Notice::of(result));
                self.feed.ask(self.model.wanted());
            }
        }
    }
}
