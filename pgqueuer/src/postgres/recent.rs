//! The history, newest first, without an index for it: a partition has its records about in the order in which
//! they were written down, so it is read backwards, some blocks at a time.
//!
//! Only *about*: each connection fills a page of its own, and a transaction has the time of its beginning. So
//! how new a partition is at some place is asked of several blocks, and within a moment all is sorted.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, postgres::PgRow};

use super::{
    application::ApplicationPool, failure::failed_to, route::Route, rows, statements::Statements,
};
use crate::{
    error::Result,
    store::{HistoryFilter, HistoryPage, HistoryPlace, JobRecord},
};

/// So many blocks tell how new a partition is at a place: more than there are pages being filled.
const WINDOW: i64 = 16;

/// So many blocks are read at first, and at most, in one statement.
const STEP: i64 = 64;
const LONGEST_STEP: i64 = 1024;

/// After so many blocks (32 MiB) a page has its end, full or not.
const MOST_BLOCKS: i64 = 4096;

/// How much later a record may be written down than another one that was finished later.
const MOMENT: TimeDelta = TimeDelta::seconds(1);

/// A partition, and how far it was read.
pub(super) struct Part {
    pub(super) from_day: Option<DateTime<Utc>>,
    pub(super) to_day: Option<DateTime<Utc>>,
    /// The blocks before this one were not.
    pub(super) unread: i64,
    /// Nothing was read yet.
    pub(super) is_fresh: bool,
    /// How new they are at most, but for a moment.
    pub(super) newest: DateTime<Utc>,
}

/// Reads from one connection.
struct Reader<'a> {
    connection: &'a mut PgConnection,
    route: Route,
    statements: &'a Statements,
    filter: &'a HistoryFilter,
    below: Option<HistoryPlace>,
    limit: usize,
}

pub(super) async fn list(
    pool: &ApplicationPool,
    statements: &Statements,
    filter: &HistoryFilter,
    below: Option<HistoryPlace>,
    limit: u32,
) -> Result<HistoryPage> {
    let failed = failed_to("list the history");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let mut reader = Reader {
        route: lent.route(),
        connection: lent.connection(),
        statements,
        filter,
        below,
        limit: limit as usize,
    };
    let page = reader.page().await.map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(page)
}

impl Reader<'_> {
    async fn page(&mut self) -> sqlx::Result<HistoryPage> {
        let mut parts = self.parts().await?;
        if let Some(below) = self.below {
            self.find(&mut parts, below.finished_at + MOMENT).await?;
        }
        self.look(&mut parts).await?;
        let mut found = Vec::new();
        let (mut read, mut step) = (0, STEP);
        loop {
            let newest_first = |it: &JobRecord| std::cmp::Reverse(HistoryPlace::of(it));
            found.sort_by_key(newest_first);
            found.truncate(self.limit);
            let unread = parts.iter_mut().filter(|it| it.unread > 0);
            let Some(part) = unread.max_by_key(|it| it.newest) else {
                // All of it was read.
                return Ok(self.cut(found, None));
            };
            // What is newer than that cannot be anywhere else.
            let horizon = HistoryPlace::before(part.newest + MOMENT);
            let is_certain = |it: &JobRecord| HistoryPlace::of(it) > Some(horizon);
            let is_over = self.filter.since.is_some_and(|it| it > horizon.finished_at);
            if is_over || found.len() == self.limit && found.last().is_some_and(is_certain) {
                return Ok(self.cut(found, None));
            }
            if read >= MOST_BLOCKS && self.below.is_none_or(|it| it > horizon) {
                found.retain(is_certain);
                return Ok(self.cut(found, Some(horizon)));
            }
            let first = (part.unread - step).max(0);
            found.extend(self.read(part, first).await?);
            read += part.unread - first;
            part.unread = first;
            part.is_fresh = false;
            step = LONGEST_STEP.min(step * 2);
            self.look(std::slice::from_mut(part)).await?;
        }
    }

    fn cut(&self, jobs: Vec<JobRecord>, next: Option<HistoryPlace>) -> HistoryPage {
        let is_full = jobs.len() == self.limit;
        let last = jobs.last().and_then(HistoryPlace::of);
        HistoryPage {
            next: if is_full { last } else { next },
            jobs,
        }
    }

    async fn parts(&mut self) -> sqlx::Result<Vec<Part>> {
        let parts = self.statements.history_parts.query(self.route);
        parts
            .try_map(|row: PgRow| rows::history_part(&row))
            .fetch_all(&mut *self.connection)
            .await
    }

    /// Goes back to where a partition is not newer than a time, in all of them at once.
    async fn find(&mut self, parts: &mut [Part], time: DateTime<Utc>) -> sqlx::Result<()> {
        // Newer from the second on; from the first on, nobody knows.
        let mut bounds: Vec<(i64, i64)> = parts.iter().map(|it| (0, it.unread)).collect();
        while bounds.iter().any(|(low, high)| low < high) {
            let middles: Vec<i64> = bounds.iter().map(|(low, high)| (low + high) / 2).collect();
            let newest = self.newest(parts, &middles).await?;
            for (((low, high), middle), newest) in bounds.iter_mut().zip(middles).zip(newest) {
                match newest {
                    _ if low >= high => {}
                    Some(newest) if newest > time => *high = middle,
                    _ => *low = middle + 1,
                }
            }
        }
        for (part, (_, high)) in parts.iter_mut().zip(bounds) {
            part.unread = part.unread.min(high + WINDOW);
        }
        Ok(())
    }

    /// Finds out how new the partitions are where they were read to.
    async fn look(&mut self, parts: &mut [Part]) -> sqlx::Result<()> {
        let first = |it: &Part| match it.is_fresh {
            true => (it.unread - WINDOW).max(0),
            false => it.unread,
        };
        let firsts: Vec<i64> = parts.iter().map(first).collect();
        let newest = self.newest(parts, &firsts).await?;
        for (part, newest) in parts.iter_mut().zip(newest) {
            part.newest = part.newest.min(newest.unwrap_or(part.newest));
        }
        Ok(())
    }

    /// How new the blocks from these on are.
    async fn newest(
        &mut self,
        parts: &[Part],
        firsts: &[i64],
    ) -> sqlx::Result<Vec<Option<DateTime<Utc>>>> {
        let ends: Vec<i64> = firsts.iter().map(|it| it + WINDOW).collect();
        let statement = self.statements.history_newest.query(self.route);
        statement
            .persistent(false)
            .bind(parts.iter().map(|it| it.from_day).collect::<Vec<_>>())
            .bind(parts.iter().map(|it| it.to_day).collect::<Vec<_>>())
            .bind(firsts)
            .bind(ends)
            .try_map(|row: PgRow| rows::newest(&row))
            .fetch_all(&mut *self.connection)
            .await
    }

    /// Reads a partition from a block on, up to where it was read before.
    async fn read(&mut self, part: &Part, first: i64) -> sqlx::Result<Vec<JobRecord>> {
        let statement = self.statements.list_history.query(self.route);
        statement
            .persistent(false)
            .bind(part.from_day)
            .bind(part.to_day)
            .bind(first)
            .bind(part.unread)
            .bind(self.filter.kinds.as_deref())
            .bind(self.filter.ending.map(|it| it.as_str()))
            .bind(self.filter.since)
            .bind(self.below.map(|it| it.finished_at))
            .bind(self.below.map(|it| it.id.as_i64()))
            .bind(i64::try_from(self.limit).unwrap_or(i64::MAX))
            .try_map(|row: PgRow| rows::job_record(&row))
            .fetch_all(&mut *self.connection)
            .await
    }
}
