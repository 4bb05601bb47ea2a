//! Published kinds: what workers know, for tools without the types.

use sqlx::types::Json;

use super::{
    application::ApplicationPool, dedicated::Dedicated, failure::failed_to, rows,
    statements::Statements,
};
use crate::{error::Result, store::KindRecord};

pub(super) async fn publish(
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

pub(super) async fn list(
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
