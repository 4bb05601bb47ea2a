//! The line that is chosen: it stays with what it is about while lines come and go above.

use std::fmt;

use pgqueuer::{JobId, store::SessionId};

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// `None` for the kinds that no worker has published.
    Queue(Option<String>),
    Kind(String),
    Session(SessionId),
    Schedule(String),
    Job(JobId),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(Some(name)) => write!(f, "queue `{name}`"),
            Self::Queue(None) => f.write_str("the last kind without a queue"),
            Self::Kind(name) => write!(f, "kind `{name}`"),
            Self::Session(id) => write!(f, "session {id}"),
            Self::Schedule(name) => write!(f, "schedule `{name}`"),
            Self::Job(id) => write!(f, "job {id}"),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Cursor {
    key: Option<Key>,
    index: usize,
    /// A read has taken away what was chosen. Until one moves, nothing is: a key that was meant for it
    /// must not hit its neighbour.
    is_gone: bool,
}

/// Where the cursor is among the lines of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) index: usize,
    /// Whether this is only what has come in its place.
    pub(super) is_gone: bool,
}

impl Cursor {
    pub(super) fn find(&self, keys: &[Key]) -> Option<Chosen> {
        let last = keys.len().checked_sub(1)?;
        let known = keys.iter().position(|it| Some(it) == self.key.as_ref());
        Some(Chosen {
            index: known.unwrap_or(self.index.min(last)),
            is_gone: self.is_gone && known.is_none(),
        })
    }

    /// What was chosen, and is there no more.
    pub(super) fn gone(&self) -> Option<&Key> {
        self.key.as_ref().filter(|_| self.is_gone)
    }

    pub(super) fn move_by(&mut self, keys: &[Key], by: isize) {
        let Some(chosen) = self.find(keys) else {
            return;
        };
        let (index, by) = match chosen.is_gone {
            // The line that has come in its place is the next one.
            true if by > 0 => (self.index, by - 1),
            true => (self.index, by),
            false => (chosen.index, by),
        };
        self.set(keys, index.saturating_add_signed(by));
    }

    fn set(&mut self, keys: &[Key], index: usize) {
        self.index = index.min(keys.len().saturating_sub(1));
        self.key = keys.get(self.index).cloned();
        self.is_gone = false;
    }

    /// Stays with the line that was shown as chosen, if a read has not taken it away.
    pub(super) fn follow(&mut self, before: &[Key], now: &[Key]) {
        if let Some(shown) = self.find(before).filter(|it| !it.is_gone) {
            self.set(before, shown.index);
            self.is_gone = true;
        }
        let chosen = self.find(now);
        if let Some(chosen) = chosen.filter(|it| !it.is_gone) {
            self.set(now, chosen.index);
        }
    }
}
