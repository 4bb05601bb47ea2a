//! Recurring jobs: the table that workers share.

use sqlx::{Row as _, postgres::PgRow, types::Json};

use super::{
    application::ApplicationPool, dedicated::Dedicated, enqueue::headers_column,
    failure::failed_to, rows, statements::Statements,
};
use crate::{
    error::Result,
    job::JobId,
    schedule::Schedule,
    store::{
        DueSchedules, ScheduleRecord, ScheduleToChange, ScheduleToMake, ScheduledJob, TickToMake,
        Ticked,
    },
};

/// How many are looked after at once.
const BATCH: i64 = 500;

pub(super) async fn publish(
    dedicated: &Dedicated,
    statements: &Statements,
    schedules: &[(String, Schedule)],
) -> Result<Vec<(String, String)>> {
    let failed = failed_to("publish the schedules of this worker");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let names = schedules.iter().map(|it| it.0.as_str());
    let taken = statements
        .publish_schedules
        .query(lent.route())
        .bind(names.collect::<Vec<_>>())
        .bind(schedules.iter().map(|it| Json(&it.1)).collect::<Vec<_>>())
        .try_map(|row: PgRow| Ok((row.try_get("name")?, row.try_get("kind")?)))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(taken)
}

pub(super) async fn list(
    pool: &ApplicationPool,
    statements: &Statements,
) -> Result<Vec<ScheduleRecord>> {
    let failed = failed_to("list schedules");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let found = statements
        .list_schedules
        .query(lent.route())
        .try_map(|row| rows::schedule(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn due(
    dedicated: &Dedicated,
    statements: &Statements,
    kinds: &[&str],
    declared: &[&str],
) -> Result<DueSchedules> {
    let failed = failed_to("look for schedules that are due");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let found = statements
        .due_schedules
        .query(lent.route())
        .bind(kinds)
        .bind(declared)
        .bind(BATCH)
        .fetch_all(lent.connection())
        .await
        .and_then(|found| rows::due_schedules(&found))
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn tick(
    dedicated: &Dedicated,
    statements: &Statements,
    ticks: &[TickToMake],
) -> Result<Vec<Ticked>> {
    let failed = failed_to("enqueue scheduled jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let faults = ticks.iter().map(|it| it.fault.as_deref());
    let ticked = statements
        .tick
        .query(lent.route())
        .bind(ticks.iter().map(|it| it.name.as_str()).collect::<Vec<_>>())
        .bind(ticks.iter().map(|it| it.revision).collect::<Vec<_>>())
        .bind(ticks.iter().map(|it| it.slot).collect::<Vec<_>>())
        .bind(ticks.iter().map(|it| it.next_tick).collect::<Vec<_>>())
        .bind(faults.collect::<Vec<_>>())
        .try_map(|row| rows::ticked(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(ticked)
}

pub(super) async fn create(
    pool: &ApplicationPool,
    statements: &Statements,
    schedule: &ScheduleToMake,
) -> Result<bool> {
    let failed = failed_to("make a schedule");
    let ScheduledJob {
        kind,
        payload,
        limit_key,
        unique_key,
    } = &schedule.job;
    let mut lent = pool.lend().await.map_err(&failed)?;
    let made = statements
        .create_schedule
        .query(lent.route())
        .bind(&schedule.name)
        .bind(kind)
        .bind(Json(&schedule.schedule))
        .bind(schedule.priority)
        .bind(payload.codec.as_str())
        .bind(payload.bytes.as_slice())
        .bind(headers_column(&schedule.headers))
        .bind(limit_key)
        .bind(unique_key)
        .fetch_optional(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(made.is_some())
}

pub(super) async fn change(
    pool: &ApplicationPool,
    statements: &Statements,
    name: &str,
    change: &ScheduleToChange,
) -> Result<bool> {
    let failed = failed_to("change a schedule");
    let job = change.job.as_ref();
    let mut lent = pool.lend().await.map_err(&failed)?;
    let changed = statements
        .change_schedule
        .query(lent.route())
        .bind(name)
        .bind(change.settings.as_ref().map(Json))
        .bind(job.map(|it| &it.kind))
        .bind(job.map(|it| it.payload.codec.as_str()))
        .bind(job.map(|it| it.payload.bytes.as_slice()))
        .bind(job.and_then(|it| it.limit_key.as_deref()))
        .bind(job.and_then(|it| it.unique_key.as_deref()))
        .fetch_optional(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(changed.is_some())
}

pub(super) async fn pause(
    pool: &ApplicationPool,
    statements: &Statements,
    name: &str,
    is_paused: bool,
) -> Result<Option<bool>> {
    let failed = failed_to("pause or resume a schedule");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let changed = statements
        .pause_schedule
        .query(lent.route())
        .bind(name)
        .bind(is_paused)
        .try_map(|row: PgRow| row.try_get("is_changed"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(changed)
}

pub(super) async fn run(
    pool: &ApplicationPool,
    statements: &Statements,
    name: &str,
) -> Result<Option<JobId>> {
    let failed = failed_to("run a schedule");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let id: Option<i64> = statements
        .run_schedule
        .query(lent.route())
        .bind(name)
        .try_map(|row: PgRow| row.try_get("id"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(id.map(JobId::from))
}

pub(super) async fn delete(
    pool: &ApplicationPool,
    statements: &Statements,
    name: &str,
) -> Result<bool> {
    let failed = failed_to("delete a schedule");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let deleted = statements
        .delete_schedule
        .query(lent.route())
        .bind(name)
        .try_map(|row: PgRow| row.try_get("is_deleted"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(deleted)
}
