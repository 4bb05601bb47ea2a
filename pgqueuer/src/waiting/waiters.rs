//! Who waits for which job.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::oneshot;

use super::Reply;
use crate::{
    error::{Chain, Error},
    job::JobId,
    store::JobEnd,
};

#[derive(Default)]
pub(super) struct Waiters {
    waiting: HashMap<JobId, Vec<oneshot::Sender<Reply>>>,
    /// Those that nobody has looked at yet.
    fresh: Vec<JobId>,
    kinds: BTreeSet<String>,
    /// There is a task that looks.
    is_served: bool,
}

impl Waiters {
    /// Returns whether there is a task that looks. (From now on there has to be.)
    pub(super) fn add<'a>(
        &mut self,
        id: JobId,
        kinds: impl Iterator<Item = &'a str>,
        sender: oneshot::Sender<Reply>,
    ) -> bool {
        for kind in kinds {
            if !self.kinds.contains(kind) {
                self.kinds.insert(kind.to_owned());
            }
        }
        self.waiting.entry(id).or_default().push(sender);
        self.fresh.push(id);
        std::mem::replace(&mut self.is_served, true)
    }

    /// Ends the task, unless somebody waits.
    pub(super) fn end(&mut self) -> bool {
        if self.waiting.is_empty() {
            *self = Self::default();
        }
        !self.is_served
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn take_fresh(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        self.kinds.iter().cloned().collect()
    }

    /// Of these jobs, those that somebody still waits for.
    pub(super) fn of(&mut self, mut ids: Vec<JobId>) -> Vec<JobId> {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| self.is_awaited(*id));
        ids
    }

    pub(super) fn all(&mut self) -> Vec<JobId> {
        let ids = self.waiting.keys().copied().collect();
        self.of(ids)
    }

    /// Forgets those who have given up.
    fn is_awaited(&mut self, id: JobId) -> bool {
        let Some(senders) = self.waiting.get_mut(&id) else {
            return false;
        };
        senders.retain(|it| !it.is_closed());
        let is_awaited = !senders.is_empty();
        if !is_awaited {
            self.waiting.remove(&id);
        }
        is_awaited
    }

    pub(super) fn tell(&mut self, ends: Vec<JobEnd>) {
        for end in ends {
            for sender in self.waiting.remove(&end.id).into_iter().flatten() {
                // Fails for who has given up.
                let _ = sender.send(Ok(end.became.clone()));
            }
        }
    }

    pub(super) fn fail_all(&mut self, error: &Error) {
        for (id, senders) in self.waiting.drain() {
            for sender in senders {
                let message = format!("failed to wait for job {id}: {}", Chain(error));
                let _ = sender.send(Err(Error::new(error.kind(), message)));
            }
        }
    }
}
