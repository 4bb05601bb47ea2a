//! What the dashboard shows: what was read last, and where one is in it. Nothing here waits, or draws.

use std::time::Duration;

use pgqueuer::{JobId, JobRecord, JobState, LimitRecord, Overview, ScheduleRecord, Scope};
use tokio::time::Instant;

use super::{
    cursor::{Chosen, Cursor, Key},
    data::{Data, Detail, Group, Query, Wanted},
    operation::Operation,
};
use crate::{
    catalog::Catalog,
    commands::{backlog::Sum, jobs::view::View},
};

pub(super) struct Model {
    /// Which queue this is.
    pub(super) title: String,
    /// How long the feed rests between reads.
    pub(super) rest: Duration,
    pub(super) page: Page,
    pub(super) mode: Mode,
    pub(super) overview: Overview,
    pub(super) limits: Vec<LimitRecord>,
    pub(super) schedules: Vec<ScheduleRecord>,
    pub(super) jobs: Vec<JobRecord>,
    /// The job's page. `None` of a job that is not there.
    pub(super) job: Option<Opened>,
    pub(super) sort: Sort,
    /// What names must contain.
    pub(super) search: String,
    pub(super) query: Query,
    /// Where the pages of jobs before this one began.
    pub(super) before: Vec<Option<JobId>>,
    pub(super) cursors: [Cursor; 4],
    /// The first line of a job's page that is shown.
    pub(super) scroll: usize,
    /// As far as that goes: the last line is at the bottom then. Known when it was drawn.
    pub(super) last_scroll: usize,
    /// How many lines of a table, or of a job's page, are on the screen.
    pub(super) lines: usize,
    /// Whether what this page shows was read since it was opened.
    pub(super) is_read: bool,
    pub(super) notice: Option<Notice>,
    /// Why nothing newer is there.
    pub(super) trouble: Option<Trouble>,
    /// Nothing is read but on demand.
    pub(super) is_frozen: bool,
    pub(super) catalog: Catalog,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Kinds,
    Workers,
    Schedules,
    Jobs,
    Job(JobId),
}

impl Page {
    pub(super) const TABS: [Self; 4] = [Self::Kinds, Self::Workers, Self::Schedules, Self::Jobs];

    /// Which tab it belongs to.
    pub(super) fn tab(self) -> usize {
        match self {
            Self::Kinds => 0,
            Self::Workers => 1,
            Self::Schedules => 2,
            Self::Jobs | Self::Job(_) => 3,
        }
    }
}

/// What keys are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Browse,
    /// What was typed so far.
    Search(String),
    Confirm(Question),
    Help,
}

/// What is done only if somebody says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) text: String,
    pub(super) operation: Operation,
    /// Whether it has been on the screen: what was typed before is no answer.
    pub(super) is_seen: bool,
}

/// In which order kinds are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Under their queues, which have sums.
    #[default]
    Queue,
    Kind,
    Waiting,
    Held,
    Oldest,
    Rate,
    Slowest,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Queue => Self::Kind,
            Self::Kind => Self::Waiting,
            Self::Waiting => Self::Held,
            Self::Held => Self::Oldest,
            Self::Oldest => Self::Rate,
            Self::Rate => Self::Slowest,
            Self::Slowest => Self::Queue,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Kind => "kind",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Oldest => "oldest",
            Self::Rate => "rate",
            Self::Slowest => "slowest",
        }
    }
}

/// What the status line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Doing,
    Done(String),
    Refused(String),
}

impl Notice {
    pub(super) fn of(done: Result<String, String>) -> Self {
        match done {
            Ok(what) => Self::Done(what),
            Err(why) => Self::Refused(format!("failed: {why}")),
        }
    }
}

/// Why there is nothing newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) message: String,
    /// When what is shown was read.
    pub(super) newest: Instant,
    /// It only takes its time.
    pub(super) is_slow: bool,
}

/// The page of a job.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) id: JobId,
    /// `None` if there is no such job.
    pub(super) found: Option<Found>,
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: String,
    pub(super) state: JobState,
    pub(super) text: String,
}

impl Model {
    pub(super) fn new(title: String, rest: Duration, catalog: Catalog, data: Data) -> Self {
        let mut model = Self {
            title,
            rest,
            page: Page::Kinds,
            mode: Mode::Browse,
            overview: data.overview.clone(),
            limits: Vec::new(),
            schedules: Vec::new(),
            jobs: Vec::new(),
            job: None,
            sort: Sort::default(),
            search: String::new(),
            query: Query::default(),
            before: Vec::new(),
            cursors: Default::default(),
            scroll: 0,
            last_scroll: 0,
            lines: 10,
            is_read: false,
            notice: None,
            trouble: None,
            is_frozen: false,
            catalog,
        };
        model.show(data);
        model
    }

    /// What is to be read for this page.
    pub(super) fn wanted(&self) -> Wanted {
        match self.page {
            Page::Kinds | Page::Workers => Wanted::Overview,
            Page::Schedules => Wanted::Schedules,
            Page::Jobs => Wanted::Jobs(self.query.clone()),
            Page::Job(id) => Wanted::Job(id),
        }
    }

    /// Takes what was read.
    pub(super) fn show(&mut self, data: Data) {
        let before = self.keys();
        // Of what was asked for before, the answer may come after.
        let is_wanted = data.detail.is_of(&self.wanted());
        self.is_read |= is_wanted;
        self.overview = data.overview;
        self.limits = data.limits;
        match data.detail {
            Detail::None => {}
            Detail::Schedules(schedules) => self.schedules = schedules,
            Detail::Jobs(_, jobs) if is_wanted => self.jobs = jobs,
            Detail::Jobs(..) => {}
            Detail::Job(id, job) => {
                let found = job.map(|job| Found {
                    kind: job.kind.clone(),
                    state: job.state,
                    text: View::of(*job, Some(&self.catalog)).to_string(),
                });
                self.job = Some(Opened { id, found });
            }
        }
        self.trouble = None;
        let keys = self.keys();
        self.cursors[self.page.tab()].follow(&before, &keys);
        self.ask_again();
    }

    /// What the lines of this page are about.
    pub(super) fn keys(&self) -> Vec<Key> {
        match self.page {
            Page::Kinds => self.kind_rows().into_iter().map(|it| it.key).collect(),
            Page::Workers => {
                let shown = self.overview.workers.iter();
                let shown = shown.filter(|it| self.is_found(&it.name));
                shown.map(|it| Key::Session(it.session)).collect()
            }
            Page::Schedules => {
                let shown = self.schedules.iter();
                let shown = shown.filter(|it| self.is_found(&it.name));
                shown.map(|it| Key::Schedule(it.name.clone())).collect()
            }
            Page::Jobs | Page::Job(_) => self.jobs.iter().map(|it| Key::Job(it.id)).collect(),
        }
    }

    /// Whether a name has what is searched for.
    pub(super) fn is_found(&self, name: &str) -> bool {
        name.to_lowercase().contains(&self.search.to_lowercase())
    }

    pub(super) fn selected(&self) -> Option<Key> {
        let keys = self.keys();
        let chosen = self.chosen(&keys).filter(|it| !it.is_gone)?;
        keys.into_iter().nth(chosen.index)
    }

    /// Where the cursor is on this page, whose lines are about these.
    pub(super) fn chosen(&self, keys: &[Key]) -> Option<Chosen> {
        self.cursors[self.page.tab()].find(keys)
    }

    /// Takes note that the question that is open is on the screen.
    pub(super) fn is_drawn(&mut self) {
        if let Mode::Confirm(question) = &mut self.mode {
            question.is_seen = true;
        }
    }

    /// Whether this is paused by itself.
    pub(super) fn is_paused(&self, scope: &Scope) -> bool {
        let is_set = |it: &LimitRecord| it.scope == *scope && it.paused_at.is_some();
        // An alias is paused under the name of its job.
        let is_alias = |name: &str| {
            let kind = self.overview.kinds.iter().find(|it| it.kind == name);
            kind.is_some_and(|it| matches!(it.paused, Some(Scope::Kind(_))))
        };
        self.limits.iter().any(is_set) || matches!(scope, Scope::Kind(name) if is_alias(name))
    }

    /// What there is of a kind or queue.
    pub(super) fn sum(&self, group: &Group) -> Sum {
        let kinds = self.overview.kinds.iter();
        Sum::of(kinds.filter(|it| match group {
            Group::Kind(name) => it.kind == *name,
            Group::Queue(name) => it.queue.as_ref() == Some(name),
        }))
    }
}
