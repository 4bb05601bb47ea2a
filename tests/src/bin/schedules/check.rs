//! What the database says of each schedule.

use chrono::{DateTime, TimeDelta, Utc};
use pgqueuer::{Missed, Overlap, Schedule};
use sqlx::PgConnection;

use crate::{Result, fleet::Fleet};

/// A job that has run.
struct Ran {
    slot: DateTime<Utc>,
    previous: Option<DateTime<Utc>>,
    enqueued_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
}

type Row = (
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
    DateTime<Utc>,
);

impl From<Row> for Ran {
    fn from((slot, previous, enqueued_at, finished_at): Row) -> Self {
        Self {
            slot,
            previous,
            enqueued_at,
            finished_at,
        }
    }
}

const RAN: &str = "
    SELECT slot, previous, enqueued_at, finished_at
    FROM slots
    JOIN pgqueuer.history USING (job_id)
    WHERE schedule = $1
    ORDER BY slot, job_id";

/// Jobs that ended and left no note, or the other way round.
const UNKNOWN: &str = "
    SELECT count(*)
    FROM slots
    FULL JOIN pgqueuer.history USING (job_id)
    WHERE slots.job_id IS NULL OR history.job_id IS NULL OR history.ending <> 'completed'";

pub(crate) async fn check(fleet: &Fleet) -> Result<Vec<String>> {
    let mut connection = fleet.connect().await?;
    let unknown: i64 = sqlx::query_scalar(UNKNOWN)
        .fetch_one(&mut connection)
        .await?;
    let mut wrong = Vec::new();
    if unknown > 0 {
        wrong.push(format!(
            "{unknown} jobs have no slot, or have not completed"
        ));
    }
    println!(
        "{} workers killed; schedule: jobs, slots without one, jobs of the outage",
        fleet.killed
    );
    for (name, schedule) in &fleet.schedules {
        check_one(fleet, &mut connection, name, schedule, &mut wrong).await?;
    }
    Ok(wrong)
}

async fn check_one(
    fleet: &Fleet,
    connection: &mut PgConnection,
    name: &str,
    schedule: &Schedule,
    wrong: &mut Vec<String>,
) -> Result {
    let ran: Vec<Row> = sqlx::query_as(RAN).bind(name).fetch_all(connection).await?;
    let ran: Vec<Ran> = ran.into_iter().map(Ran::from).collect();
    let (Some(first), Some(last)) = (ran.first(), ran.last()) else {
        wrong.push(format!("{name} has never ticked"));
        return Ok(());
    };
    for (before, after) in ran.iter().zip(&ran[1..]) {
        if before.slot == after.slot {
            wrong.push(format!("{name}: the slot {} has two jobs", after.slot));
        }
        if after.previous != Some(before.slot) {
            wrong.push(format!(
                "{name}: {} was told {:?} as the one before",
                after.slot, after.previous
            ));
        }
        let unfinished = before.finished_at - after.enqueued_at;
        if schedule.overlap == Overlap::Skip && unfinished > TimeDelta::seconds(1) {
            wrong.push(format!(
                "{name}: the job of {} overlaps the one before",
                after.slot
            ));
        }
    }
    if ran
        .iter()
        .any(|it| it.slot.timestamp_subsec_nanos() != 0 || it.slot > it.enqueued_at)
    {
        wrong.push(format!(
            "{name} has ticked at a time that is no slot, or too early"
        ));
    }
    let slots = (last.slot - first.slot).num_seconds() + 1;
    let empty = slots - i64::try_from(ran.len())?;
    if matches!(schedule.missed, Missed::All { .. }) && empty != 0 {
        wrong.push(format!("{name}: {empty} slots have no job"));
    }

    let Some((from, to)) = fleet.outage else {
        return Ok(());
    };
    let of_outage = ran
        .iter()
        .filter(|it| (from..=to).contains(&it.slot))
        .count();
    let slots_of_outage = (from.timestamp() + 1..=to.timestamp()).count();
    let expected = match schedule.missed {
        Missed::All { .. } => slots_of_outage..=slots_of_outage,
        // The last one; unless the next slot came before the first worker was ready.
        Missed::Once | Missed::Skip => 0..=1,
    };
    if !expected.contains(&of_outage) {
        wrong.push(format!(
            "{name}: {of_outage} of the {slots_of_outage} slots of the outage have jobs"
        ));
    }
    // The job that came first after it: for the first slot of all, or for the last one that had come.
    let late = ran.iter().find(|it| it.enqueued_at > from);
    let late = late.map(|it| it.enqueued_at - it.slot >= (to - from) / 2);
    if late != Some(matches!(schedule.missed, Missed::All { .. })) {
        wrong.push(format!(
            "{name}: the first job after the outage is for the wrong slot"
        ));
    }
    println!(
        "{name}: missed {}, overlap {}: {}, {empty}, {of_outage} of {slots_of_outage}",
        schedule.missed,
        schedule.overlap,
        ran.len()
    );
    Ok(())
}
