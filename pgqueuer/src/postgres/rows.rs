//! Rows to the types of the seam: the only place that names columns in Rust.

mod look;
pub(super) mod overview;
mod schedules;

pub(super) use look::{held_job, history_part, meant, newest, stale, table};
pub(super) use schedules::{due_schedules, schedule, ticked};

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{Row, postgres::PgRow, types::Json};

use super::place::place;
use crate::{
    context::Headers,
    job::JobId,
    limits::{LimitRecord, Scope},
    payload::{Codec, Payload},
    store::{
        Became, ClaimKey, ClaimedJob, Counts, Crash, Failure, JobEnd, JobRecord, JobState,
        KindRecord, MinuteRecord, Place, Progress, Promotion, SessionId, Step, Tended,
    },
    unique::Enqueued,
};

/// A claimed job with the place that it had in line.
pub(super) struct ClaimedRow {
    pub(super) job: ClaimedJob,
    pub(super) position: i64,
}

/// A lane that is in use. See `sql/lanes.sql`.
pub(super) struct LaneRow {
    pub(super) kind: String,
    pub(super) priority: i16,
    pub(super) low_water: i64,
    pub(super) is_limited: bool,
    pub(super) is_keyed: bool,
    pub(super) is_paused: bool,
}

/// A row of `sql/claim_limited.sql`.
pub(super) enum LimitedRow {
    Claimed(ClaimedRow),
    Lane(LaneReport),
}

/// What a claim under limits says of a lane.
pub(super) struct LaneReport {
    /// Its place in the columns.
    pub(super) lane: usize,
    /// In how long to look again, if jobs were held back.
    pub(super) held_back: Option<Duration>,
    /// With which key to go on.
    pub(super) next_key: String,
}

/// See `sql/horizon.sql`.
#[derive(Clone, Copy, Debug)]
pub(super) struct HorizonRow {
    pub(super) oldest: i64,
    pub(super) next: i64,
    pub(super) position: i64,
    pub(super) sessions: i64,
}

pub(super) fn job_id(row: &PgRow) -> sqlx::Result<JobId> {
    row.try_get::<i64, _>("id").map(JobId::from)
}

/// The one row of a statement that returns many jobs: rows cost a client as much as jobs do.
pub(super) fn job_ids(row: &PgRow) -> sqlx::Result<Vec<JobId>> {
    let ids: Option<Vec<i64>> = row.try_get("ids")?;
    Ok(ids.into_iter().flatten().map(JobId::from).collect())
}

pub(super) fn lane(row: &PgRow) -> sqlx::Result<LaneRow> {
    Ok(LaneRow {
        kind: row.try_get("kind")?,
        priority: row.try_get("priority")?,
        low_water: row.try_get("low_water")?,
        is_limited: row.try_get("is_limited")?,
        is_keyed: row.try_get("is_keyed")?,
        is_paused: row.try_get("is_paused")?,
    })
}

pub(super) fn horizon(row: &PgRow) -> sqlx::Result<HorizonRow> {
    Ok(HorizonRow {
        oldest: row.try_get("oldest")?,
        next: row.try_get("next")?,
        position: row.try_get("position")?,
        sessions: row.try_get("sessions")?,
    })
}

pub(super) fn claim_key(row: &PgRow) -> sqlx::Result<ClaimKey> {
    Ok(ClaimKey {
        id: job_id(row)?,
        claim_number: row.try_get("claim_number")?,
    })
}

/// The one row of `sql/settle_end.sql` and `sql/settle_unrecorded.sql`.
pub(super) fn claim_keys(row: &PgRow) -> sqlx::Result<Vec<ClaimKey>> {
    let claim_numbers: Option<Vec<i32>> = row.try_get("claim_numbers")?;
    let keys = job_ids(row)?.into_iter();
    let keys = keys.zip(claim_numbers.into_iter().flatten());
    Ok(keys
        .map(|(id, claim_number)| ClaimKey { id, claim_number })
        .collect())
}

/// A row of `sql/find_places.sql`.
pub(super) fn job_place(row: &PgRow) -> sqlx::Result<(JobId, Place)> {
    Ok((job_id(row)?, place(row.try_get("place")?)?))
}

/// A row of `sql/claim.sql` and `sql/claim_bounded.sql`. Read by place, not by name: this runs
/// once for every job.
pub(super) fn claimed(row: &PgRow) -> sqlx::Result<ClaimedRow> {
    let attempt: i16 = row.try_get(3)?;
    let is_json: bool = row.try_get(6)?;
    Ok(ClaimedRow {
        job: ClaimedJob {
            key: ClaimKey {
                id: JobId::from(row.try_get::<i64, _>(0)?),
                claim_number: row.try_get(1)?,
            },
            kind: row.try_get(2)?,
            attempt: u16::try_from(attempt).unwrap_or(0),
            priority: row.try_get(4)?,
            payload: Payload {
                codec: if is_json { Codec::Json } else { Codec::Framed },
                bytes: row.try_get(7)?,
            },
            headers: headers(row.try_get(8)?),
            enqueued_at: row.try_get(9)?,
            waited: waited(row)?,
            place: place(row.try_get(11)?)?,
            is_limited: false,
            cancel_reason: row.try_get(12)?,
        },
        position: row.try_get(5)?,
    })
}

/// A row of `sql/claim_limited.sql`.
pub(super) fn limited(row: &PgRow) -> sqlx::Result<LimitedRow> {
    let id: Option<i64> = row.try_get("id")?;
    if id.is_some() {
        let mut row = claimed(row)?;
        row.job.is_limited = true;
        return Ok(LimitedRow::Claimed(row));
    }
    let lane: i32 = row.try_get("lane")?;
    let held_back: Option<f64> = row.try_get("held_back")?;
    Ok(LimitedRow::Lane(LaneReport {
        // SQL counts from 1.
        lane: usize::try_from(lane - 1).unwrap_or(0),
        held_back: held_back.map(seconds),
        next_key: row.try_get("next_key")?,
    }))
}

/// A time that is too long for a `Duration` is as good as the longest.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// A row of `sql/enqueue_unique.sql`.
pub(super) fn enqueued(row: &PgRow) -> sqlx::Result<Enqueued> {
    Ok(Enqueued {
        id: job_id(row)?,
        is_new: row.try_get("is_new")?,
    })
}

/// A row of `sql/cancelled.sql`.
pub(super) fn cancelled(row: &PgRow) -> sqlx::Result<(ClaimKey, String)> {
    Ok((claim_key(row)?, row.try_get("cancel_reason")?))
}

/// A row of a statement that does something to some jobs, and says up to which one.
pub(super) fn step<T>(
    row: &PgRow,
    done: impl FnOnce(&PgRow) -> sqlx::Result<T>,
) -> sqlx::Result<Step<T>> {
    let last: Option<i64> = row.try_get("last_id")?;
    Ok(Step {
        done: done(row)?,
        last: last.map(JobId::from),
    })
}

pub(super) fn count(row: &PgRow, column: &str) -> sqlx::Result<u64> {
    row.try_get(column).map(i64::unsigned_abs)
}

pub(super) fn crash(row: &PgRow) -> sqlx::Result<Crash> {
    Ok(Crash {
        id: job_id(row)?,
        kind: row.try_get("kind")?,
        session: SessionId(row.try_get("session")?),
        state: state(row)?,
    })
}

pub(super) fn promotion(row: &PgRow) -> sqlx::Result<Promotion> {
    let promoted: i64 = row.try_get("promoted")?;
    let next_due_in: Option<f64> = row.try_get("next_due_in")?;
    Ok(Promotion {
        promoted: u32::try_from(promoted).unwrap_or(u32::MAX),
        next_due_in: next_due_in.map(seconds),
    })
}

pub(super) fn kind(row: &PgRow) -> sqlx::Result<KindRecord> {
    Ok(KindRecord {
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        priority: row.try_get("priority")?,
        max_attempts: attempt(row, "max_attempts")?,
        on_failure: row.try_get("on_failure")?,
        retain_seconds: row.try_get("retain_seconds")?,
        arguments: row.try_get("arguments")?,
        source: row.try_get("source")?,
        job: row.try_get("job")?,
        limit_by: row.try_get("limit_by")?,
        unique_by: row.try_get("unique_by")?,
        unique_millis: row.try_get("unique_millis")?,
    })
}

pub(super) fn limit(row: &PgRow) -> sqlx::Result<LimitRecord> {
    let sort: &str = row.try_get("scope")?;
    let Json(limits) = row.try_get("in_force")?;
    let Json(of_code) = row.try_get("of_code")?;
    Ok(LimitRecord {
        scope: Scope::from_parts(sort, row.try_get("name")?),
        limits,
        of_code,
        paused_at: row.try_get("paused_at")?,
    })
}

pub(super) fn job_record(row: &PgRow) -> sqlx::Result<JobRecord> {
    let bytes: Option<Vec<u8>> = row.try_get("payload")?;
    let tag: Option<&str> = row.try_get("codec")?;
    let failures: Option<&str> = row.try_get("failures")?;
    Ok(JobRecord {
        id: job_id(row)?,
        kind: row.try_get("kind")?,
        state: state(row)?,
        priority: row.try_get("priority")?,
        attempt: attempt(row, "attempt")?,
        enqueued_at: row.try_get("enqueued_at")?,
        run_at: row.try_get::<Option<DateTime<Utc>>, _>("run_at")?,
        claimed_at: row.try_get("claimed_at")?,
        finished_at: row.try_get("finished_at")?,
        payload: bytes.zip(tag).map(|(bytes, tag)| Payload {
            codec: codec(tag),
            bytes,
        }),
        headers: headers(row.try_get("headers")?),
        failures: read_failures(failures),
        result: row.try_get("result")?,
        progress: progress(row)?,
    })
}

fn progress(row: &PgRow) -> sqlx::Result<Option<Progress>> {
    let Some(fraction) = row.try_get("fraction")? else {
        return Ok(None);
    };
    Ok(Some(Progress {
        fraction,
        note: row.try_get("note")?,
        updated_at: row.try_get("updated_at")?,
    }))
}

/// A row of `sql/ends.sql` and `sql/ended_before.sql`.
pub(super) fn job_end(row: &PgRow) -> sqlx::Result<JobEnd> {
    let id = job_id(row)?;
    let state: Option<&str> = row.try_get("state")?;
    if state.is_none() {
        return Ok(JobEnd { id, became: None });
    }
    let became = Became {
        state: self::state(row)?,
        kind: row.try_get("kind")?,
        attempt: attempt(row, "attempt")?,
        failures: read_failures(row.try_get("failures")?),
        result: row.try_get("result")?,
    };
    Ok(JobEnd {
        id,
        became: Some(became),
    })
}

pub(super) fn tended(row: &PgRow) -> sqlx::Result<Tended> {
    let count = |column| row.try_get::<i32, _>(column).map(i32::unsigned_abs);
    Ok(Tended {
        created: count("created")?,
        dropped: count("dropped")?,
    })
}

pub(super) fn minute(row: &PgRow) -> sqlx::Result<MinuteRecord> {
    let (minute, kind) = (row.try_get("minute")?, row.try_get("kind")?);
    Ok(MinuteRecord::new(minute, kind, overview::tally(row)?))
}

/// A job may be claimed a moment before it is due: by the clock, which can be set back.
fn waited(row: &PgRow) -> sqlx::Result<Duration> {
    let waited: f64 = row.try_get(10)?;
    Ok(Duration::try_from_secs_f64(waited.max(0.0)).unwrap_or_default())
}

pub(super) fn counts(row: &PgRow) -> sqlx::Result<Counts> {
    let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    Ok(Counts {
        scheduled: count("scheduled")?,
        available: count("available")?,
        running: count("running")?,
        held: count("held")?,
    })
}

fn attempt(row: &PgRow, column: &str) -> sqlx::Result<u16> {
    row.try_get::<i16, _>(column).map(i16::unsigned_abs)
}

fn state(row: &PgRow) -> sqlx::Result<JobState> {
    let name: &str = row.try_get("state")?;
    JobState::parse(name)
        .ok_or_else(|| sqlx::Error::Decode(format!("unknown job state `{name}`").into()))
}

/// The column has a type of its own, so there is no third value.
fn codec(tag: &str) -> Codec {
    match tag {
        "json" => Codec::Json,
        _ => Codec::Framed,
    }
}

/// Headers may have been written by anyone with SQL. What is not text is shown as JSON, and
/// what is not JSON to serde (a number too large for it, say) is left out: one odd row must
/// not spoil the claim that it is in.
fn headers(column: Option<&str>) -> Headers {
    let entries: BTreeMap<String, Value> = lenient(column);
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    entries
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

fn read_failures(column: Option<&str>) -> Vec<Failure> {
    let entries: Vec<Value> = lenient(column);
    entries
        .into_iter()
        .filter_map(|entry| serde_json::from_value(entry).ok())
        .collect()
}

fn lenient<T: DeserializeOwned + Default>(column: Option<&str>) -> T {
    column
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
