//! Slots: how many more jobs this worker may run, in all and of each queue.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::registry::Registry;

/// Kinds that are claimed together, because the same bound applies to them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kinds: Vec<&'static str>,
    /// Which entry of `Free::groups`; `None` if only the worker's own bound applies.
    bounded: Option<usize>,
}

impl Group {
    pub(super) fn is_bounded(&self) -> bool {
        self.bounded.is_some()
    }
}

/// The slots of one worker.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    concurrency: usize,
    groups: Arc<Vec<Group>>,
    /// Which bound a kind is under.
    bound_of: Arc<HashMap<&'static str, usize>>,
    free: Arc<Mutex<Free>>,
    freed: Arc<Notify>,
}

#[derive(Debug)]
struct Free {
    total: usize,
    groups: Vec<usize>,
}

/// One running job's place. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    bounded: Option<usize>,
}

impl Slots {
    pub(super) fn new(
        concurrency: usize,
        queue_concurrency: &BTreeMap<String, usize>,
        registry: &Registry,
    ) -> Self {
        let queues: Vec<(&String, usize)> = queue_concurrency
            .iter()
            .map(|(queue, bound)| (queue, *bound))
            .collect();
        let mut groups: Vec<Group> = (0..queues.len())
            .map(|index| Group {
                kinds: Vec::new(),
                bounded: Some(index),
            })
            .collect();
        groups.push(Group {
            kinds: Vec::new(),
            bounded: None,
        });
        let mut bound_of = HashMap::new();
        for (kind, job) in registry.names() {
            let bound = queues
                .iter()
                .position(|(queue, _)| *queue == job.options.queue);
            if let Some(bound) = bound {
                bound_of.insert(kind, bound);
            }
            groups[bound.unwrap_or(queues.len())].kinds.push(kind);
        }
        groups.retain(|group| !group.kinds.is_empty());
        Self {
            concurrency,
            groups: Arc::new(groups),
            bound_of: Arc::new(bound_of),
            free: Arc::new(Mutex::new(Free {
                total: concurrency,
                groups: queues.into_iter().map(|(_, bound)| bound).collect(),
            })),
            freed: Arc::new(Notify::new()),
        }
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs may run.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// How many run.
    pub(super) fn taken(&self) -> usize {
        self.concurrency.saturating_sub(self.free_in_all())
    }

    /// How many more jobs may run.
    pub(super) fn free_in_all(&self) -> usize {
        self.lock().total
    }

    /// How many more jobs of this group may run.
    pub(super) fn free(&self, group: &Group) -> usize {
        let free = self.lock();
        let of_group = group.bounded.map_or(usize::MAX, |index| free.groups[index]);
        free.total.min(of_group)
    }

    /// Takes a slot for a job that was claimed within [`free`](Self::free).
    pub(super) fn take(&self, kind: &str) -> Slot {
        let bounded = self.bound_of.get(kind).copied();
        let mut free = self.lock();
        free.total = free.total.saturating_sub(1);
        if let Some(index) = bounded {
            free.groups[index] = free.groups[index].saturating_sub(1);
        }
        Slot {
            slots: self.clone(),
            bounded,
        }
    }

    /// Takes a slot for a job that no bound of a queue applies to, if one is free.
    pub(super) fn try_take(&self) -> Option<Slot> {
        let mut free = self.lock();
        free.total = free.total.checked_sub(1)?;
        Some(Slot {
            slots: self.clone(),
            bounded: None,
        })
    }

    /// Waits until a slot was freed since the last call.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Waits until half of the slots are free, but not for long.
    pub(super) async fn half_free(&self, at_most: Duration) {
        let half_free = async {
            while self.lock().total < self.concurrency.div_ceil(2) {
                self.freed.notified().await;
            }
        };
        // Too long: then a few slots have to do.
        let _ = tokio::time::timeout(at_most, half_free).await;
    }
}

impl Slot {
    /// The same slot of the worker, for a job that no bound of a queue applies to.
    pub(super) fn unbound(mut self) -> Self {
        if let Some(index) = self.bounded.take() {
            self.slots.lock().groups[index] += 1;
            self.slots.freed.notify_one();
        }
        self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut free = self.slots.lock();
        free.total += 1;
        if let Some(index) = self.bounded {
            free.groups[index] += 1;
        }
        drop(free);
        self.slots.freed.notify_one();
    }
}
