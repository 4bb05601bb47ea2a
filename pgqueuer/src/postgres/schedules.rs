//! Recurring jobs and published kinds: the tables that workers share.

use sqlx::types::Json;

use super::{
    application::ApplicationPool, dedicated::Dedicated, enqueue::headers_column,
    failure::failed_to, rows, statements::Statements,
};
use crate::{
    error::Result,
    job::JobId,
    store::{KindRecord, NextTick, ScheduleRecord, ScheduleToStore, Tick},
};

pub(super) async fn publish_kinds(
    dedicated: &Dedicated,
    statements: &Statements,
    kinds: &[KindRecord],
) -> Result<()> {
    let max_attempts = |it: &KindRecord| i16::try_from(it.max_attempts).unwrap_or(i16::MAX);
    let failed = failed_to("publish the kinds of this worker");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    statements
        .publish_kinds
        .query(lent.route())
        .bind(kinds.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>())
        .bind(kinds.iter().map(|it| it.queue.as_str()).collect::<Vec<_>>())
        .bind(kinds.iter().map(|it| it.priority).collect::<Vec<_>>())
        .bind(kinds.iter().map(max_attempts).collect::<Vec<_>>())
        .bind(
            kinds
                .iter()
                .map(|it| it.on_failure.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(kinds.iter().map(|it| it.retain_seconds).collect::<Vec<_>>())
        .bind(
            kinds
                .iter()
                .map(|it| Json(&it.arguments))
                .collect::<Vec<_>>(),
        )
        .bind(
            kinds
                .iter()
                .map(|it| it.source.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(kinds.iter().map(|it| it.job.as_str()).collect::<Vec<_>>())
        .bind(
            kinds
                .iter()
                .map(|it| Json(&it.limit_by))
                .collect::<Vec<_>>(),
        )
        .bind(
            kinds
                .iter()
                .map(|it| Json(&it.unique_by))
                .collect::<Vec<_>>(),
        )
        .bind(kinds.iter().map(|it| it.unique_millis).collect::<Vec<_>>())
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(())
}

pub(super) async fn list_kinds(
    pool: &ApplicationPool,
    statements: &Statements,
) -> Result<Vec<KindRecord>> {
    let failed = failed_to("list kinds");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let found = statements
        .list_kinds
        .query(lent.route())
        .try_map(|row| rows::kind(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn store_schedules(
    dedicated: &Dedicated,
    statements: &Statements,
    schedules: &[ScheduleToStore],
) -> Result<()> {
    let failed = failed_to("store schedules");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    statements
        .store_schedules
        .query(lent.route())
        .bind(
            schedules
                .iter()
                .map(|it| it.kind.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            schedules
                .iter()
                .map(|it| it.rule.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(schedules.iter().map(|it| it.next_tick).collect::<Vec<_>>())
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(())
}

pub(super) async fn list_schedules(
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

pub(super) async fn next_ticks(
    dedicated: &Dedicated,
    statements: &Statements,
    kinds: &[&str],
) -> Result<Vec<NextTick>> {
    let failed = failed_to("read the next ticks");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let ticks = statements
        .next_ticks
        .query(lent.route())
        .bind(kinds)
        .try_map(|row| rows::next_tick(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(ticks)
}

pub(super) async fn tick(
    dedicated: &Dedicated,
    statements: &Statements,
    tick: &Tick,
) -> Result<Option<JobId>> {
    let failed = failed_to("enqueue a scheduled job");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let id = statements
        .tick
        .query(lent.route())
        .bind(tick.job.kind.as_ref())
        .bind(tick.due)
        .bind(tick.next)
        .bind(tick.job.priority)
        .bind(tick.job.payload.codec.as_str())
        .bind(tick.job.payload.bytes.as_slice())
        .bind(headers_column(&tick.job.headers))
        .try_map(|row| rows::job_id(&row))
        .fetch_optional(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(id)
}
