//! Waiting for jobs to end: who waits, what they are told, and how the jobs ended.

use std::time::Duration;

use async_trait::async_trait;
use foldhash::HashSet;
use sqlx::postgres::PgNotification;

use super::{PostgresStore, failure::failed_to, key_columns, listener::Listener, rows};
use crate::{
    error::Result,
    job::JobId,
    store::{Herald, JobEnd, News, ProgressToNote, SessionId, WatcherId},
};

/// Listens for `pgqueuer.tell_ends()`.
pub(super) struct PostgresHerald(pub(super) Listener);

#[async_trait]
impl Herald for PostgresHerald {
    async fn heard(&mut self) -> News {
        let Some(notification) = self.0.heard().await else {
            return News::Anything;
        };
        let mut ids = ids_of(&notification);
        while let Some(notification) = self.0.next_heard() {
            ids.extend(ids_of(&notification));
        }
        News::Ended(ids)
    }
}

/// See `pgqueuer.tell_ends` in the schema. Anybody may notify: what is no id is left out.
fn ids_of(notification: &PgNotification) -> Vec<JobId> {
    let ids = notification.payload().split(',');
    ids.filter_map(|it| it.parse().ok()).collect()
}

impl PostgresStore {
    pub(super) async fn say_who_waits(
        &self,
        watcher: Option<WatcherId>,
        kinds: &[String],
        lasts: Duration,
    ) -> Result<WatcherId> {
        let failed = failed_to("say which jobs are waited for");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let id = self
            .statements
            .await_kinds
            .query(lent.route())
            .bind(watcher.map(|it| it.0))
            .bind(kinds)
            .bind(lasts.as_secs_f64())
            .try_map(|row| rows::job_id(&row))
            .fetch_one(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        Ok(WatcherId(id.as_i64()))
    }

    pub(super) async fn ends_of(&self, ids: &[JobId]) -> Result<Vec<JobEnd>> {
        let failed = failed_to("read how jobs ended");
        let asked: Vec<i64> = ids.iter().map(|it| it.as_i64()).collect();
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let mut ends = self
            .statements
            .ends
            .query(lent.route())
            .bind(&asked)
            .try_map(|row| rows::job_end(&row))
            .fetch_all(lent.connection())
            .await
            .map_err(&failed)?;
        let unknown = ends.iter().filter(|it| it.became.is_none());
        let unknown: Vec<i64> = unknown.map(|it| it.id.as_i64()).collect();
        if let (Some(first), Some(last)) = (unknown.iter().min(), unknown.iter().max()) {
            let before = self
                .statements
                .ended_before
                .query(lent.route())
                .bind(&unknown)
                .bind(first)
                .bind(last)
                .try_map(|row| rows::job_end(&row))
                .fetch_all(lent.connection())
                .await
                .map_err(&failed)?;
            let found: HashSet<JobId> = before.iter().map(|it| it.id).collect();
            ends.retain(|it| it.became.is_some() || !found.contains(&it.id));
            ends.extend(before);
        }
        lent.give_back().await.map_err(&failed)?;
        Ok(ends)
    }

    pub(super) async fn note(&self, session: SessionId, progress: &[ProgressToNote]) -> Result<()> {
        let keys: Vec<_> = progress.iter().map(|it| it.key).collect();
        let (ids, claim_numbers) = key_columns(&keys);
        let notes: Vec<&str> = progress.iter().map(|it| it.note.as_str()).collect();
        let failed = failed_to("note how far jobs are");
        let mut lent = self.control().lend().await.map_err(&failed)?;
        self.statements
            .note_progress
            .query(lent.route())
            .bind(session.0)
            .bind(ids)
            .bind(claim_numbers)
            .bind(progress.iter().map(|it| it.fraction).collect::<Vec<_>>())
            .bind(notes)
            .execute(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        Ok(())
    }
}
