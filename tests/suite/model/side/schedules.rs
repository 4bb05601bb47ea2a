//! What is done with schedules.

use chrono::{DateTime, Utc};
use pgqueuer::{
    JobId, Overlap, Result, Schedule,
    store::{ScheduleRecord, TickToMake},
};

use super::{
    super::{
        step::KINDS,
        view::{Number, Recurring, Reply},
    },
    Side, whole_seconds,
};

impl Side<'_> {
    pub(in super::super) async fn publish_schedule(
        &self,
        kind: usize,
        rule: u8,
        overlaps: bool,
    ) -> Result<Reply> {
        let rule = ["0 * * * *", "every 90s"][usize::from(rule)];
        let overlap = if overlaps {
            Overlap::Allow
        } else {
            Overlap::Skip
        };
        let schedule = Schedule::new(rule).overlap(overlap);
        let schedule = (KINDS[kind].to_owned(), schedule);
        self.store.publish_schedules(&[schedule]).await?;
        Ok(Reply::Done)
    }

    pub(in super::super) async fn tick(
        &mut self,
        kind: usize,
        revision: u8,
        slot: u8,
    ) -> Result<Reply> {
        let tick = TickToMake {
            name: KINDS[kind].to_owned(),
            revision: revision.into(),
            slot: (slot > 0).then(|| tick_time(slot)),
            next_tick: Some(tick_time(slot + 1)),
            fault: None,
        };
        let mut ticked = Vec::new();
        for it in self.store.tick(&[tick]).await? {
            self.jobs.extend(it.job);
            ticked.push((it.slot, it.job.is_some()));
        }
        Ok(Reply::Ticked(ticked))
    }

    pub(in super::super) async fn pause_schedule(
        &self,
        kind: usize,
        is_paused: bool,
    ) -> Result<Reply> {
        let changed = self.store.pause_schedule(KINDS[kind], is_paused).await?;
        Ok(Reply::Paused(changed))
    }
}

pub(super) fn view(record: ScheduleRecord, number: impl Fn(JobId) -> Number) -> Recurring {
    Recurring {
        name: record.name,
        kind: record.kind,
        schedule: record.schedule,
        of_code: record.of_code,
        is_paused: record.paused_at.is_some(),
        next_tick: record.next_tick,
        slots: [record.last_slot, record.last_skipped],
        last_job: record.last_job.map(number),
    }
}

fn tick_time(number: u8) -> DateTime<Utc> {
    whole_seconds(1_800_000_000 + 60 * i64::from(number))
}
