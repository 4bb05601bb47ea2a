//! What is read from the queue for a page, and never more: each read is bounded.

use std::fmt;

use pgqueuer::{
    JobFilter, JobId, JobRecord, JobState, LimitRecord, Overview, PgQueuer, Result, ScheduleRecord,
};

/// How many jobs are on a page of the list.
pub(super) const JOBS: u32 = 100;

/// What a page needs besides the overview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Overview,
    Schedules,
    Jobs(Query),
    Job(JobId),
}

/// Which jobs are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) state: Option<JobState>,
    pub(super) of: Option<Group>,
    /// From the job after this one on.
    pub(super) above: Option<JobId>,
}

/// The jobs of a kind or queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Queue(String),
    Kind(String),
}

impl Group {
    pub(super) fn filter(&self) -> JobFilter {
        match self {
            Self::Queue(name) => JobFilter::queue(name),
            Self::Kind(name) => JobFilter::kind(name),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue `{name}`"),
            Self::Kind(name) => write!(f, "kind `{name}`"),
        }
    }
}

/// What was read, together.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) overview: Overview,
    /// What is limited or paused by itself.
    pub(super) limits: Vec<LimitRecord>,
    pub(super) detail: Detail,
}

/// What was wanted besides.
#[derive(Debug)]
pub(super) enum Detail {
    None,
    Schedules(Vec<ScheduleRecord>),
    Jobs(Query, Vec<JobRecord>),
    /// `None` if there is no such job.
    Job(JobId, Option<Box<JobRecord>>),
}

impl Detail {
    /// Whether this is what was wanted.
    pub(super) fn is_of(&self, wanted: &Wanted) -> bool {
        match (self, wanted) {
            (_, Wanted::Overview) | (Self::Schedules(_), Wanted::Schedules) => true,
            (Self::Jobs(of, _), Wanted::Jobs(query)) => of == query,
            (Self::Job(of, _), Wanted::Job(id)) => of == id,
            _ => false,
        }
    }
}

impl Data {
    /// Says when the overview is there: what comes then may take longer.
    pub(super) async fn read(
        pgq: &PgQueuer,
        wanted: Wanted,
        has_overview: impl FnOnce(),
    ) -> Result<Self> {
        let overview = pgq.overview().await?;
        let limits = pgq.list_limits().await?;
        has_overview();
        Ok(Self {
            overview,
            limits,
            detail: match wanted {
                Wanted::Overview => Detail::None,
                Wanted::Schedules => Detail::Schedules(pgq.list_schedules().await?),
                Wanted::Jobs(query) => {
                    let filter = query.of.as_ref().map_or_else(JobFilter::all, Group::filter);
                    let filter = query.state.into_iter().fold(filter, JobFilter::state);
                    let jobs = pgq.list_jobs(&filter, query.above, JOBS).await?;
                    Detail::Jobs(query, jobs)
                }
                Wanted::Job(id) => Detail::Job(id, pgq.get_job(id).await?.map(Box::new)),
            },
        })
    }
}
