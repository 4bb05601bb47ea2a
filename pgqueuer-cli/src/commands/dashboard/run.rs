//! The terminal: taken and given back whatever happens, keys read, and drawn on when there is something new.

use std::{io, pin::pin, thread, time::Duration};

use pgqueuer::PgQueuer;
use ratatui::{
    Frame, Terminal,
    backend::Backend,
    crossterm::event::{self, Event, KeyEventKind},
};
use tokio::sync::mpsc;

use super::{
    feed::{Feed, News},
    keys,
    model::{Model, Notice},
    update::Effect,
    view::{self, Theme},
};
use crate::exit::Failure;

pub(super) async fn run(pgq: &PgQueuer, model: Model, theme: Theme) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let events = listen()?;
    let terminal = ratatui::try_init();
    let taken = Restore;
    let dashboard = Dashboard {
        feed: Feed::start(pgq, model.interval),
        terminal: terminal?,
        model,
        theme,
    };
    let feed = dashboard.follow(events, signals.next()).await?;
    drop(taken);
    feed.finish().await;
    Ok(())
}

/// Gives the terminal back when it goes, whatever happened; a panic does so by itself.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

pub(super) struct Dashboard<B: Backend> {
    pub(super) feed: Feed,
    pub(super) terminal: Terminal<B>,
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

impl<B: Backend> Dashboard<B>
where
    B::Error: Send + Sync + 'static,
{
    /// Until somebody quits, the terminal is gone, or something asks for the end. Leaves what is not done yet.
    pub(super) async fn follow(
        mut self,
        mut events: mpsc::UnboundedReceiver<io::Result<Event>>,
        end: impl Future<Output = ()>,
    ) -> Result<Feed, Failure> {
        let mut end = pin!(end);
        loop {
            self.draw()?;
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => if self.heed(&event?)?.is_end() { break },
                    None => break,
                },
                news = self.feed.news() => self.tell(news?),
                () = &mut end => break,
            }
            // What was typed meanwhile is drawn at once: the line may be slow.
            while let Ok(event) = events.try_recv() {
                if self.heed(&event?)?.is_end() {
                    return Ok(self.feed);
                }
            }
        }
        Ok(self.feed)
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let (model, theme) = (&mut self.model, self.theme);
        let draw = |frame: &mut Frame<'_>| {
            model.lines = view::lines(model.page, frame.area());
            view::draw(model, theme, frame.area(), frame.buffer_mut());
        };
        self.terminal.draw(draw).map_err(io::Error::other)?;
        Ok(())
    }

    fn heed(&mut self, event: &Event) -> Result<Next, Failure> {
        let Event::Key(key) = event else {
            // A new size, most likely, for which it is drawn anew.
            return Ok(Next::GoOn);
        };
        if key.kind == KeyEventKind::Release {
            return Ok(Next::GoOn);
        }
        let action = keys::action(*key, &self.model.mode);
        match action.and_then(|it| self.model.update(it)) {
            Some(Effect::Quit) => return Ok(Next::End),
            Some(Effect::Read) => self.ask(),
            Some(Effect::Do(operation)) => self.feed.start_operation(operation),
            Some(Effect::Redraw) => self.terminal.clear().map_err(io::Error::other)?,
            None => {}
        }
        Ok(Next::GoOn)
    }

    fn tell(&mut self, news: News) {
        match news {
            News::Read(data) => self.model.show(*data),
            News::Failed(trouble) => self.model.trouble = Some(trouble),
            News::Done(done) => {
                self.model.notice = Some(match done {
                    Ok(what) => Notice::Done(what),
                    Err(why) => Notice::Refused(format!("failed: {why}")),
                });
                self.ask();
            }
        }
    }

    fn ask(&self) {
        self.feed.ask(self.model.wanted(), self.model.is_frozen);
    }
}

/// Reads keys in a thread, which ends soon after nobody listens.
fn listen() -> Result<mpsc::UnboundedReceiver<io::Result<Event>>, Failure> {
    const LOOK_UP: Duration = Duration::from_millis(200);
    let (to, events) = mpsc::unbounded_channel();
    let read = move || {
        while !to.is_closed() {
            let event = match event::poll(LOOK_UP) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let is_broken = event.is_err();
            if to.send(event).is_err() || is_broken {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(events)
}

/// What asks a process to end, besides keys.
#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where that cannot be listened for, ctrl-c is a key all the same.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
