//! The lines of the page of kinds: in the order that is asked for, or under their queues.

use std::cmp::Reverse;

use pgqueuer::{KindOverview, Scope};

use super::{
    cursor::Key,
    model::{Model, Sort},
};
use crate::commands::backlog::{Sum, mark};

/// A kind, or a queue with the sums of its kinds.
#[derive(Debug)]
pub(super) struct KindRow {
    pub(super) key: Key,
    pub(super) name: String,
    pub(super) queue: String,
    pub(super) sum: Sum,
    /// What keeps its jobs from beginning, or slows them.
    pub(super) mark: &'static str,
}

impl Model {
    pub(super) fn kind_rows(&self) -> Vec<KindRow> {
        let is_found = |it: &&KindOverview| {
            self.is_found(&it.kind) || it.queue.as_deref().is_some_and(|it| self.is_found(it))
        };
        let mut kinds: Vec<&KindOverview> = self.overview.kinds.iter().filter(is_found).collect();
        // They come by name, and those that are alike stay so.
        match self.sort {
            Sort::Queue => return self.by_queue(&kinds),
            Sort::Kind => {}
            Sort::Waiting => kinds.sort_by_key(|it| Reverse(it.counts.available)),
            Sort::Held => kinds.sort_by_key(|it| Reverse(it.counts.held)),
            // One that has nothing waiting comes last.
            Sort::Oldest => kinds.sort_by_key(|it| (it.oldest.is_none(), it.oldest)),
            Sort::Rate => kinds.sort_by(|a, b| b.per_second.total_cmp(&a.per_second)),
            Sort::Slowest => {
                kinds.sort_by_key(|it| Reverse(it.recent.measures.runs.quantile(0.95)));
            }
        }
        kinds.into_iter().map(|it| self.kind_row(it)).collect()
    }

    fn by_queue(&self, kinds: &[&KindOverview]) -> Vec<KindRow> {
        let mut queues: Vec<Option<&str>> = kinds.iter().map(|it| it.queue.as_deref()).collect();
        // Those without a queue come last.
        queues.sort_unstable_by_key(|it| (it.is_none(), *it));
        queues.dedup();
        let mut rows = Vec::new();
        for queue in queues {
            let of_queue = kinds.iter().filter(|it| it.queue.as_deref() == queue);
            let of_queue: Vec<&KindOverview> = of_queue.copied().collect();
            rows.push(self.queue_row(queue, &of_queue));
            rows.extend(of_queue.into_iter().map(|it| {
                let row = self.kind_row(it);
                KindRow {
                    name: format!("  {}", row.name),
                    ..row
                }
            }));
        }
        rows
    }

    fn kind_row(&self, kind: &KindOverview) -> KindRow {
        KindRow {
            key: Key::Kind(kind.kind.clone()),
            name: kind.kind.clone(),
            queue: kind.queue.clone().unwrap_or_default(),
            sum: Sum::of([kind]),
            mark: mark(kind, &self.limits),
        }
    }

    fn queue_row(&self, queue: Option<&str>, kinds: &[&KindOverview]) -> KindRow {
        let scope = queue.map(|it| Scope::Queue(it.to_owned()));
        let is_limited = || {
            let mut limits = self.limits.iter();
            limits.any(|it| Some(&it.scope) == scope.as_ref() && !it.limits.is_none())
        };
        KindRow {
            key: Key::Queue(queue.map(str::to_owned)),
            name: queue.unwrap_or("(no queue)").to_owned(),
            queue: String::new(),
            sum: Sum::of(kinds.iter().copied()),
            mark: match &scope {
                _ if self.is_paused(&Scope::Everything) => "all paused",
                Some(scope) if self.is_paused(scope) => "paused",
                _ if is_limited() => "limited",
                _ => "",
            },
        }
    }
}
