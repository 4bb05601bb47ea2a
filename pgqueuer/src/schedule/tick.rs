//! [`Tick`]: what a handler can know about the slot that it runs for.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{context::Context, error::Result, resources::Inject};

pub(crate) const SCHEDULE_HEADER: &str = "schedule";
pub(crate) const SLOT_HEADER: &str = "schedule-slot";
pub(crate) const PREVIOUS_HEADER: &str = "schedule-previous-slot";

/// The slot of a schedule that a job runs for. Take it as a parameter, and it is the same in every
/// attempt:
///
/// ```
/// use pgqueuer::prelude::*;
///
/// #[schedule("0 * * * *")]
/// async fn bill(tick: Tick) {
///     // Everything since the hour that was billed last, also after an outage.
///     let from = tick.previous.unwrap_or(tick.slot - chrono::TimeDelta::hours(1));
///     println!("billing {from} to {}", tick.slot);
/// }
/// ```
///
/// A job that was enqueued by hand, or by [`run_schedule`](crate::PgQueuer::run_schedule), has the
/// time of that for its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// The schedule; `None` of a job that was enqueued by hand.
    pub schedule: Option<String>,
    /// When the job was meant to run.
    pub slot: DateTime<Utc>,
    /// The slot before this one that had a job; `None` if there was none.
    pub previous: Option<DateTime<Utc>>,
    /// How long after its slot the job was enqueued, by the clock of the database: milliseconds, but
    /// for a slot that was missed.
    pub late_by: TimeDelta,
}

impl Inject for Tick {
    fn inject(context: &Context) -> Result<Self> {
        let time = |name| context.header(name)?.parse::<DateTime<Utc>>().ok();
        let slot = time(SLOT_HEADER).unwrap_or(context.enqueued_at());
        Ok(Self {
            schedule: context.header(SCHEDULE_HEADER).map(str::to_owned),
            slot,
            previous: time(PREVIOUS_HEADER),
            late_by: (context.enqueued_at() - slot).max(TimeDelta::zero()),
        })
    }
}
