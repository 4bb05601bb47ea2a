//! Progress: what handlers say of themselves, written down once a second for all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::warn;

use super::{SHORT_CALL, in_time, session::Session, spread};
use crate::{
    context::Voice,
    error::Chain,
    store::{ClaimKey, ProgressToNote, Store},
};

/// How often it is written down.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The longest note, in bytes.
const MAX_NOTE_BYTES: usize = 1024;

/// What has been said and is to be written down: of each claim the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Arc<Mutex<HashMap<ClaimKey, (Session, ProgressToNote)>>>);

impl Said {
    /// For the handler of one attempt.
    pub(super) fn of(&self, key: ClaimKey, session: &Session) -> Arc<dyn Voice> {
        Arc::new(OfAttempt {
            said: self.clone(),
            key,
            session: session.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimKey, (Session, ProgressToNote)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes it down. Runs until it is aborted.
    pub(super) async fn write(self, store: Arc<dyn Store>) {
        loop {
            tokio::time::sleep(spread(WRITE_EVERY, 0.1)).await;
            let said = std::mem::take(&mut *self.lock());
            let mut of_session: HashMap<_, Vec<ProgressToNote>> = HashMap::new();
            for (session, progress) in said.into_values() {
                of_session.entry(session.id).or_default().push(progress);
            }
            for (session, progress) in of_session {
                let noting = store.note_progress(session, &progress);
                if let Err(error) = in_time(SHORT_CALL, noting).await {
                    // The next word of the handler is newer anyway.
                    warn!(error = %Chain(&error), "failed to note how far jobs are");
                }
            }
        }
    }
}

/// What the handler of one attempt says.
#[derive(Debug)]
struct OfAttempt {
    said: Said,
    key: ClaimKey,
    session: Session,
}

impl Voice for OfAttempt {
    fn say(&self, fraction: f32, note: &str) {
        let end = note.floor_char_boundary(MAX_NOTE_BYTES);
        let progress = ProgressToNote {
            key: self.key,
            fraction: match fraction.is_nan() {
                true => 0.0,
                false => fraction.clamp(0.0, 1.0),
            },
            // PostgreSQL has no room for NUL in a text.
            note: note[..end].replace('\0', "\u{fffd}"),
        };
        let mut said = self.said.lock();
        said.insert(self.key, (self.session.clone(), progress));
    }
}
