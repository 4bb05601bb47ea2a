//! Schedules. Mirrors `pgqueuer.tick` and its like in the schema.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::state::{Live, Memory};
use crate::{
    context::Headers,
    error::Result,
    job::JobId,
    payload::{Codec, Payload},
    schedule::{Changes, Overlap, PREVIOUS_HEADER, SCHEDULE_HEADER, SLOT_HEADER, Schedule},
    store::{
        DueSchedule, DueSchedules, JobToEnqueue, RunAt, ScheduleRecord, ScheduleToChange,
        ScheduleToMake, ScheduledJob, TickToMake, Ticked,
    },
    unique::{OnConflict, Unique, UniqueFor},
};

pub(super) struct Row {
    of_code: Option<Schedule>,
    of_hand: Map<String, Value>,
    in_force: Schedule,
    job: ScheduledJob,
    priority: Option<i16>,
    headers: Headers,
    revision: i64,
    since: DateTime<Utc>,
    next_tick: Option<DateTime<Utc>>,
    fault: Option<String>,
    paused_at: Option<DateTime<Utc>>,
    last_slot: Option<DateTime<Utc>>,
    last_job: Option<JobId>,
    last_skipped: Option<DateTime<Utc>>,
}

impl Row {
    fn new(schedule: &Schedule, job: ScheduledJob, now: DateTime<Utc>) -> Self {
        Self {
            of_code: None,
            of_hand: Map::new(),
            in_force: schedule.clone(),
            job,
            priority: None,
            headers: Headers::new(),
            revision: 0,
            since: now,
            next_tick: None,
            fault: None,
            paused_at: None,
            last_slot: None,
            last_job: None,
            last_skipped: None,
        }
    }

    fn after(&self) -> DateTime<Utc> {
        let times = [Some(self.since), self.last_slot, self.last_skipped];
        times.into_iter().flatten().max().unwrap_or(self.since)
    }

    /// What holds now. If that ticks at other times, they count from now.
    fn renew(&mut self, now: DateTime<Utc>) {
        let before = self.in_force.clone();
        let mut settings = self.of_code.as_ref().map(settings).unwrap_or_default();
        settings.extend(self.of_hand.clone());
        if let Ok(schedule) = serde_json::from_value(Value::Object(settings)) {
            self.in_force = schedule;
        }
        self.revision += 1;
        self.fault = None;
        if (&before.rule, &before.zone) != (&self.in_force.rule, &self.in_force.zone) {
            self.since = now;
            self.next_tick = None;
        }
    }
}

fn settings(schedule: &Schedule) -> Map<String, Value> {
    match serde_json::to_value(schedule) {
        Ok(Value::Object(settings)) => settings,
        _ => Map::new(),
    }
}

impl Memory {
    pub(super) fn publish_schedules(
        &mut self,
        schedules: &[(String, Schedule)],
        now: DateTime<Utc>,
    ) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        for (name, schedule) in schedules {
            let job = ScheduledJob {
                kind: name.clone(),
                payload: Payload {
                    codec: Codec::Json,
                    bytes: b"{}".to_vec(),
                },
                limit_key: None,
                unique_key: None,
            };
            let fresh = || Row {
                of_code: Some(schedule.clone()),
                ..Row::new(schedule, job, now)
            };
            let row = self.schedules.entry(name.clone()).or_insert_with(fresh);
            if row.job.kind != *name {
                taken.push((name.clone(), row.job.kind.clone()));
                continue;
            }
            let yields = schedule.changes == Changes::Yield && !row.of_hand.is_empty();
            if yields {
                row.of_hand.clear();
            }
            if yields || row.of_code.as_ref() != Some(schedule) || row.fault.is_some() {
                row.of_code = Some(schedule.clone());
                row.renew(now);
            }
        }
        taken
    }

    pub(super) fn list_schedules(&self, now: DateTime<Utc>) -> Vec<ScheduleRecord> {
        let record = |(name, row): (&String, &Row)| ScheduleRecord {
            name: name.clone(),
            kind: row.job.kind.clone(),
            schedule: row.in_force.clone(),
            of_code: row.of_code.clone(),
            is_changed: !row.of_hand.is_empty(),
            priority: row.priority,
            payload: row.job.payload.clone(),
            headers: row.headers.clone(),
            next_tick: row.next_tick,
            after: row.after(),
            fault: row.fault.clone(),
            paused_at: row.paused_at,
            last_slot: row.last_slot,
            last_skipped: row.last_skipped,
            last_job: row.last_job,
            now,
        };
        self.schedules.iter().map(record).collect()
    }

    pub(super) fn due_schedules(
        &self,
        kinds: &[&str],
        declared: &[&str],
        now: DateTime<Utc>,
    ) -> DueSchedules {
        let is_mine = |(name, row): &(&String, &Row)| {
            kinds.contains(&row.job.kind.as_str())
                && (row.of_code.is_none() || declared.contains(&name.as_str()))
                && row.paused_at.is_none()
                && row.fault.is_none()
        };
        let mine = self.schedules.iter().filter(is_mine);
        let (later, mut due): (Vec<_>, Vec<_>) =
            mine.partition(|(_, row)| row.next_tick.is_some_and(|it| it > now));
        due.sort_by_key(|(_, row)| (row.next_tick.is_none(), row.next_tick));
        let due = due.into_iter().map(|(name, row)| DueSchedule {
            name: name.clone(),
            schedule: Ok(row.in_force.clone()),
            revision: row.revision,
            next_tick: row.next_tick,
            after: row.after(),
        });
        DueSchedules {
            now,
            soonest: later.iter().filter_map(|(_, row)| row.next_tick).min(),
            due: due.collect(),
        }
    }

    pub(super) fn tick(&mut self, ticks: &[TickToMake], now: DateTime<Utc>) -> Vec<Ticked> {
        ticks
            .iter()
            .filter_map(|it| self.tick_one(it, now))
            .collect()
    }

    fn tick_one(&mut self, tick: &TickToMake, now: DateTime<Utc>) -> Option<Ticked> {
        let row = self.schedules.get(&tick.name)?;
        if row.revision != tick.revision || row.paused_at.is_some() {
            return None;
        }
        let last = row.last_job.and_then(|it| self.jobs.get(&it));
        let is_unfinished = last.is_some_and(|it| it.state != Live::Held);
        let is_skipped = row.in_force.overlap == Overlap::Skip && is_unfinished;
        let slot = tick.slot.filter(|_| !is_skipped);
        let job = slot.map(|slot| self.enqueue_slot(&tick.name, slot, now));
        // One that can never be enqueued is not tried for ever.
        let (job, failure) = match job.transpose() {
            Ok(job) => (job, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let row = self.schedules.get_mut(&tick.name)?;
        row.revision += 1;
        row.next_tick = tick.next_tick.filter(|_| failure.is_none());
        row.fault = failure.clone().or_else(|| tick.fault.clone());
        let slot = tick.slot.filter(|_| failure.is_none())?;
        match job {
            Some(id) => (row.last_slot, row.last_job) = (Some(slot), Some(id)),
            None => row.last_skipped = Some(slot),
        }
        Some(Ticked {
            name: tick.name.clone(),
            slot,
            job,
        })
    }

    fn enqueue_slot(
        &mut self,
        name: &str,
        slot: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<JobId> {
        let row = &self.schedules[name];
        let known = self.kinds.get(&row.job.kind);
        let mut headers = row.headers.clone();
        headers.insert(SCHEDULE_HEADER.to_owned(), name.to_owned());
        headers.insert(SLOT_HEADER.to_owned(), slot.to_rfc3339());
        if let Some(previous) = row.last_slot {
            headers.insert(PREVIOUS_HEADER.to_owned(), previous.to_rfc3339());
        }
        let ScheduledJob {
            kind,
            payload,
            mut limit_key,
            mut unique_key,
        } = row.job.clone();
        // Keys that are not given are made now, from what can be read.
        if let Some(known) = known.filter(|_| payload.codec == Codec::Json) {
            if limit_key.is_none() && !known.limit_by.is_empty() {
                limit_key = Some(payload.key(&kind, &known.limit_by)?);
            }
            if let (None, Some(unique_by)) = (&unique_key, &known.unique_by) {
                unique_key = Some(payload.key(&kind, unique_by)?);
            }
        }
        let window = known.and_then(|it| it.unique_millis);
        let unique = unique_key.map(|key| Unique {
            key,
            lasts: match window.and_then(|it| u64::try_from(it).ok()) {
                Some(millis) => UniqueFor::Window(Duration::from_millis(millis)),
                None => UniqueFor::Unfinished,
            },
            on_conflict: OnConflict::Skip,
        });
        let job = JobToEnqueue {
            kind: kind.into(),
            priority: row.priority.or(known.map(|it| it.priority)).unwrap_or(0),
            payload,
            headers,
            limit_key,
            run_at: RunAt::Now,
        };
        let enqueued = self.enqueue_unique(&[(job, unique)], now)?;
        Ok(enqueued[0].id)
    }

    pub(super) fn create_schedule(&mut self, new: &ScheduleToMake, now: DateTime<Utc>) -> bool {
        if self.schedules.contains_key(&new.name) {
            return false;
        }
        let row = Row {
            of_hand: settings(&new.schedule),
            priority: new.priority,
            headers: new.headers.clone(),
            ..Row::new(&new.schedule, new.job.clone(), now)
        };
        self.schedules.insert(new.name.clone(), row);
        true
    }

    pub(super) fn change_schedule(
        &mut self,
        name: &str,
        change: &ScheduleToChange,
        now: DateTime<Utc>,
    ) -> bool {
        let Some(row) = self.schedules.get_mut(name) else {
            return false;
        };
        if change
            .job
            .as_ref()
            .is_some_and(|it| it.kind != row.job.kind)
        {
            return false;
        }
        match &change.settings {
            Some(settings) => row.of_hand.extend(settings.clone()),
            None if row.of_code.is_none() => return false,
            None => row.of_hand.clear(),
        }
        if let Some(job) = &change.job {
            row.job = job.clone();
        }
        row.renew(now);
        true
    }

    pub(super) fn pause_schedule(
        &mut self,
        name: &str,
        is_paused: bool,
        now: DateTime<Utc>,
    ) -> Option<bool> {
        let row = self.schedules.get_mut(name)?;
        if row.paused_at.is_some() == is_paused {
            return Some(false);
        }
        row.paused_at = is_paused.then_some(now);
        row.revision += 1;
        row.since = now;
        row.next_tick = None;
        Some(true)
    }

    pub(super) fn run_schedule(&mut self, name: &str, now: DateTime<Utc>) -> Result<Option<JobId>> {
        if !self.schedules.contains_key(name) {
            return Ok(None);
        }
        let id = self.enqueue_slot(name, now, now)?;
        if let Some(row) = self.schedules.get_mut(name) {
            row.last_job = Some(id);
        }
        Ok(Some(id))
    }

    pub(super) fn delete_schedule(&mut self, name: &str) -> bool {
        self.schedules.remove(name).is_some()
    }
}
