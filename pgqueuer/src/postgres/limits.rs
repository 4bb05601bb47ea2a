//! Limits and pauses: what the code publishes, and what is set while workers run.

use sqlx::{PgConnection, Row as _, types::Json};

use super::{
    application::ApplicationPool, dedicated::Dedicated, failure::failed_to, route::Route, rows,
    statements::Statements,
};
use crate::{
    error::Result,
    limits::{LimitRecord, Limits, Scope, SetLimit},
};

pub(super) async fn publish(
    dedicated: &Dedicated,
    statements: &Statements,
    limits: &[(Scope, Limits)],
) -> Result<bool> {
    let failed = failed_to("publish the limits of this worker");
    let (scopes, names): (Vec<&str>, Vec<&str>) =
        limits.iter().map(|(scope, _)| scope.as_parts()).unzip();
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let published: i64 = statements
        .publish_limits
        .query(lent.route())
        .bind(scopes)
        .bind(names)
        .bind(limits.iter().map(|(_, it)| Json(it)).collect::<Vec<_>>())
        .try_map(|row| row.try_get("published"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(published > 0)
}

pub(super) async fn set(
    pool: &ApplicationPool,
    statements: &Statements,
    scope: &Scope,
    limits: Option<&[SetLimit]>,
) -> Result<()> {
    let failed = failed_to("set limits");
    let (sort, name) = scope.as_parts();
    let limits = limits.map(|limits| {
        let parts = limits.iter().map(|it| it.as_parts());
        let parts = parts.map(|(name, value)| (name.to_owned(), value));
        Json(parts.collect::<serde_json::Map<_, _>>())
    });
    let mut lent = pool.lend().await.map_err(&failed)?;
    statements
        .set_limits
        .query(lent.route())
        .bind(sort)
        .bind(name)
        .bind(limits)
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    let route = lent.route();
    adopt_on(lent.connection(), route, statements).await?;
    lent.give_back().await.map_err(&failed)
}

pub(super) async fn set_paused(
    pool: &ApplicationPool,
    statements: &Statements,
    scope: &Scope,
    is_paused: bool,
) -> Result<bool> {
    let failed = failed_to(if is_paused { "pause" } else { "resume" });
    let (sort, name) = scope.as_parts();
    let mut lent = pool.lend().await.map_err(&failed)?;
    let is_changed = statements
        .set_paused
        .query(lent.route())
        .bind(sort)
        .bind(name)
        .bind(is_paused)
        .try_map(|row| row.try_get("is_changed"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(is_changed)
}

pub(super) async fn list(
    pool: &ApplicationPool,
    statements: &Statements,
) -> Result<Vec<LimitRecord>> {
    let failed = failed_to("list limits");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let found = statements
        .list_limits
        .query(lent.route())
        .try_map(|row| rows::limit(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn adopt(dedicated: &Dedicated, statements: &Statements) -> Result<u64> {
    let failed = failed_to("bring jobs under limits");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let route = lent.route();
    let adopted = adopt_on(lent.connection(), route, statements).await?;
    lent.give_back().await.map_err(&failed)?;
    Ok(adopted)
}

async fn adopt_on(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
) -> Result<u64> {
    let adopted: i64 = statements
        .adopt
        .query(route)
        .try_map(|row: sqlx::postgres::PgRow| row.try_get("adopted"))
        .fetch_one(connection)
        .await
        .map_err(failed_to("bring jobs under limits"))?;
    Ok(adopted.unsigned_abs())
}
