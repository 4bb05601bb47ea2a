//! The terminal: taken, and given back whatever happens, and what comes from it.

use std::{
    io::{self, Stdout, stdout},
    panic, thread,
    time::Duration,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{self, DisableBracketedPaste, EnableBracketedPaste, Event},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};
use tokio::sync::mpsc;

use crate::exit::Failure;

/// Gives the terminal back when it goes.
pub(super) struct Taken;

impl Taken {
    pub(super) fn take() -> io::Result<(Self, Terminal<CrosstermBackend<Stdout>>)> {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
        }));
        let taken = Self;
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        // Where it is not known, what is pasted comes as keys.
        let _ = execute!(stdout(), EnableBracketedPaste);
        Ok((taken, Terminal::new(CrosstermBackend::new(stdout()))?))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Says nothing if the terminal is gone: to whom? What ratatui does instead ends the process then.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), DisableBracketedPaste);
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
}

/// Reads keys in a thread, which ends soon after nobody listens.
pub(super) fn listen() -> Result<mpsc::UnboundedReceiver<io::Result<Event>>, Failure> {
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
pub(super) struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    pub(super) async fn next(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) {
        // Where that cannot be listened for, ctrl-c is a key all the same.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
