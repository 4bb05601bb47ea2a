//! How hooks are told, so that nobody waits for them.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch};
use tracing::{Instrument as _, error, warn};

use super::{Event, Hook};
use crate::runtime::catch;

/// How many events may wait for a hook.
const MOST: usize = 10_000;
/// How long a hook may take for one.
const LONGEST: Duration = Duration::from_secs(30);
/// How long a worker that stops waits for its hooks.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The hooks of a handle. Cheap to clone; without hooks, telling them is one comparison.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Option<Arc<[Arc<Ear>]>>);

impl Hooks {
    /// These and another one.
    pub(crate) fn with(&self, hook: impl Hook) -> Self {
        let mut ears = self.0.as_deref().map(<[_]>::to_vec).unwrap_or_default();
        ears.push(Arc::new(Ear::new(Box::new(hook))));
        Self(Some(ears.into()))
    }

    /// Tells all of them.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        let Some(ears) = &self.0 else {
            return;
        };
        let event = Arc::new(event());
        for ear in ears.iter() {
            ear.tell(&event);
        }
    }

    /// Whether nobody is told.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Waits until all of them have heard what they were told until now, but not for long.
    pub(crate) async fn have_heard(&self) {
        let Some(ears) = &self.0 else {
            return;
        };
        let heard = ears.iter().map(|it| it.has_heard());
        let heard = futures_util::future::join_all(heard);
        if tokio::time::timeout(LAST_WORDS, heard).await.is_err() {
            warn!("a hook has not heard everything in {LAST_WORDS:?}; not waiting any longer");
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map_or(0, |it| it.len());
        write!(f, "Hooks({count})")
    }
}

/// A hook, and what it has still to hear.
struct Ear {
    hook: Box<dyn Hook>,
    unheard: Mutex<Unheard>,
    /// How many events it is through with.
    heard: watch::Sender<u64>,
}

#[derive(Default)]
struct Unheard {
    events: VecDeque<Arc<Event>>,
    /// How many events were put here, ever.
    told: u64,
    /// How many were not since the last one that was.
    dropped: u64,
    /// A task is telling the hook.
    is_told: bool,
}

impl Ear {
    fn new(hook: Box<dyn Hook>) -> Self {
        Self {
            hook,
            unheard: Mutex::default(),
            heard: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unheard> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event into the queue, and starts the task if it sleeps: so it needs nobody to end
    /// it, and lives in whatever runtime there is.
    fn tell(self: &Arc<Self>, event: &Arc<Event>) {
        let mut unheard = self.lock();
        if unheard.events.len() >= MOST {
            unheard.dropped += 1;
            return;
        }
        unheard.events.push_back(Arc::clone(event));
        unheard.told += 1;
        if unheard.is_told {
            return;
        }
        // Without a runtime, it waits for the next event.
        if let Ok(runtime) = Handle::try_current() {
            unheard.is_told = true;
            let telling = Telling {
                ear: Arc::clone(self),
                is_over: false,
                has_event: false,
            };
            runtime.spawn(telling.run().in_current_span());
        }
    }

    async fn has_heard(&self) {
        let told = self.lock().told;
        // An error is not possible: the sender is here.
        let _ = self.heard.subscribe().wait_for(|it| *it >= told).await;
    }
}

/// The task of a hook. It ends when there is nothing to tell.
struct Telling {
    ear: Arc<Ear>,
    /// It has ended by itself, and there may be another one already.
    is_over: bool,
    has_event: bool,
}

impl Telling {
    async fn run(mut self) {
        let ear = Arc::clone(&self.ear);
        loop {
            let (event, dropped) = {
                let mut unheard = ear.lock();
                let Some(event) = unheard.events.pop_front() else {
                    unheard.is_told = false;
                    self.is_over = true;
                    return;
                };
                (event, std::mem::take(&mut unheard.dropped))
            };
            self.has_event = true;
            if dropped > 0 {
                error!(
                    dropped,
                    "a hook is too slow; it was not told of some events"
                );
            }
            let telling = tokio::time::timeout(LONGEST, ear.hook.on(&event));
            match catch(telling).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => warn!(%error, event = event.name(), "a hook failed"),
                Ok(Err(_)) => warn!(
                    event = event.name(),
                    "a hook took longer than {LONGEST:?}; going on"
                ),
                Err(panic) => error!(
                    error = panic.message,
                    event = event.name(),
                    "a hook panicked"
                ),
            }
            ear.heard.send_modify(|it| *it += 1);
            self.has_event = false;
        }
    }
}

/// Its runtime may end before it does; the next event then starts another task.
impl Drop for Telling {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.ear.lock().is_told = false;
        if self.has_event {
            // Nobody is to wait for it.
            self.ear.heard.send_modify(|it| *it += 1);
        }
    }
}
