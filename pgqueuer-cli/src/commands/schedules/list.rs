//! How schedules are shown: in their time zones, and in words.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use pgqueuer::{JobId, JobState, PgQueuer, ScheduleRecord};
use serde::Serialize;

use crate::{catalog::Catalog, exit::Failure, table};

/// From when on a slot that has not ticked is worth a word. Workers take milliseconds.
const OVERDUE: TimeDelta = TimeDelta::seconds(10);

#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct List {
    rows: Vec<Row>,
}

/// Times as JSON has them; for people they are written in the zone.
#[derive(Serialize)]
struct Row {
    name: String,
    kind: String,
    rule: String,
    zone: String,
    /// The rule in words.
    words: String,
    missed: String,
    overlap: String,
    next: Option<DateTime<Utc>>,
    lag_seconds: i64,
    last_slot: Option<DateTime<Utc>>,
    last_job: Option<i64>,
    last_outcome: Option<String>,
    last_skipped: Option<DateTime<Utc>>,
    paused_at: Option<DateTime<Utc>>,
    /// What there is to know besides.
    remarks: Vec<String>,
}

impl List {
    /// The schedules, and what became of their last jobs.
    pub(super) async fn read(pgq: &PgQueuer, built_in: Option<&Catalog>) -> Result<Self, Failure> {
        let mut rows = Vec::new();
        for schedule in pgq.list_schedules().await? {
            let job = match schedule.last_job {
                Some(id) => pgq.get_job(id).await?,
                None => None,
            };
            let state = job.map(|it| it.state);
            rows.push(Row::of(schedule, state, built_in));
        }
        Ok(Self { rows })
    }
}

impl Row {
    /// `last` is unknown of a job whose record has expired.
    fn of(record: ScheduleRecord, last: Option<JobState>, built_in: Option<&Catalog>) -> Self {
        let lag = record.lag();
        let next = match record.next_tick {
            Some(next) => Some(next),
            None => record.next_slots().next(),
        };
        let outcome = record.last_job.map(|_| match last {
            Some(state) => state.to_string(),
            None => "forgotten".to_owned(),
        });
        Self {
            remarks: remarks(&record, built_in),
            words: record.schedule.describe().unwrap_or_default(),
            name: record.name,
            kind: record.kind,
            rule: record.schedule.rule.into_owned(),
            zone: record.schedule.zone.into_owned(),
            missed: record.schedule.missed.to_string(),
            overlap: record.schedule.overlap.to_string(),
            next,
            lag_seconds: lag.num_seconds(),
            last_slot: record.last_slot,
            last_job: record.last_job.map(JobId::as_i64),
            last_outcome: outcome,
            last_skipped: record.last_skipped,
            paused_at: record.paused_at,
        }
    }
}

/// What there is to know of a schedule besides.
pub(in crate::commands) fn remarks(
    record: &ScheduleRecord,
    built_in: Option<&Catalog>,
) -> Vec<String> {
    let lag = record.lag();
    let mut remarks = Vec::new();
    if let Some(fault) = &record.fault {
        remarks.push(fault.clone());
    }
    if record.paused_at.is_some() {
        remarks.push("paused".to_owned());
    }
    let is_known = |catalog: &Catalog| {
        let job = catalog.find(&record.name);
        job.is_some_and(|it| it.schedule.is_some())
    };
    if record.of_code.is_some() && built_in.is_some_and(|it| !is_known(it)) {
        remarks.push("not in the code of this program".to_owned());
    }
    if lag > OVERDUE {
        let lag = humantime::format_duration(std::time::Duration::from_secs(
            lag.num_seconds().unsigned_abs(),
        ));
        remarks.push(format!(
            "overdue by {lag}: no worker that has it is running"
        ));
    }
    if record.of_code.is_some() && record.is_changed {
        remarks.push("changed by hand".to_owned());
    }
    if record.last_skipped > record.last_slot
        && let Some(job) = record.last_job
    {
        remarks.push(format!(
            "skipped its last slot, since job {job} was unfinished"
        ));
    }
    remarks
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return f.write_str("there is no schedule yet; a worker publishes those in its code");
        }
        let row = |it: &Row| {
            let time = |time: Option<DateTime<Utc>>| {
                time.map(|time| in_zone(time, &it.zone)).unwrap_or_default()
            };
            let kind = if it.kind == it.name { "" } else { &it.kind };
            vec![
                it.name.clone(),
                kind.to_owned(),
                it.words.clone(),
                time(it.next.filter(|_| it.paused_at.is_none())),
                time(it.last_slot),
                it.last_outcome.clone().unwrap_or_default(),
                it.remarks.join("; "),
            ]
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(row).collect();
        let titles = ["name", "kind", "when", "next", "last", "outcome", "remarks"];
        f.write_str(&table::render(&titles, &rows))
    }
}

/// As the clocks there show it, with what they are called.
pub(in crate::commands) fn in_zone(time: DateTime<Utc>, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    time.with_timezone(&zone)
        .format("%a %Y-%m-%d %H:%M:%S %Z")
        .to_string()
}

/// The slots that come next.
#[derive(Serialize)]
pub(super) struct Slots {
    schedule: String,
    zone: String,
    slots: Vec<DateTime<Utc>>,
    /// Why there are none.
    why_none: Option<&'static str>,
}

impl Slots {
    pub(super) fn of(record: &ScheduleRecord, count: usize) -> Self {
        let slots: Vec<_> = record.next_slots().take(count).collect();
        let why_none = match (&record.fault, record.paused_at) {
            _ if !slots.is_empty() => None,
            (Some(_), _) => Some("its rule is at fault: see `schedules list`"),
            (None, Some(_)) => Some("it is paused"),
            (None, None) => Some("it never ticks again"),
        };
        Self {
            schedule: record.name.clone(),
            zone: record.schedule.zone.clone().into_owned(),
            slots,
            why_none,
        }
    }
}

impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = self.why_none {
            return write!(f, "schedule `{}` has no slots: {why}", self.schedule);
        }
        for slot in &self.slots {
            writeln!(f, "{}", in_zone(*slot, &self.zone))?;
        }
        Ok(())
    }
}

/// What was done.
#[derive(Serialize)]
pub(super) struct Done {
    pub(super) schedule: String,
    pub(super) what: &'static str,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schedule `{}`: {}", self.schedule, self.what)
    }
}
