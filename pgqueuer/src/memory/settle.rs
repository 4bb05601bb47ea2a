//! Writing down how attempts ended. Mirrors `postgres/sql/settle*.sql`.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use super::state::{FinishedJob, Live, Memory};
use crate::{
    context::Headers,
    job::JobId,
    store::{
        Attempted, ClaimKey, Disposition, Ending, Failure, JobRecord, JobState, SessionId,
        Settlement,
    },
};

impl Memory {
    pub(super) fn settle(
        &mut self,
        session: SessionId,
        settlements: &[Settlement],
        now: DateTime<Utc>,
    ) -> Vec<ClaimKey> {
        let mut refused = Vec::new();
        let mut seen = BTreeSet::new();
        for settlement in settlements {
            let is_repeated = !seen.insert(settlement.key);
            if is_repeated && !refused.contains(&settlement.key) {
                continue;
            }
            let ClaimKey { id, claim_number } = settlement.key;
            let position = self.next_position();
            let Some(job) = self.jobs.get_mut(&id) else {
                refused.push(settlement.key);
                continue;
            };
            if !job.is_held_by(session, claim_number) {
                refused.push(settlement.key);
                continue;
            }
            let failure = settlement.failure.clone();
            if let Disposition::End { ending, retain } = settlement.disposition {
                let ending = match job.cancel_reason {
                    Some(_) => Ending::Cancelled,
                    None => ending,
                };
                let result = settlement.result.clone();
                self.end(id, ending, retain, failure, result, now);
                continue;
            }
            job.add_failure(failure, now);
            job.claimed_by = None;
            job.take_place(position);
            match settlement.disposition {
                Disposition::Again { after, attempted } => {
                    job.state = if after.is_zero() || job.cancel_reason.is_some() {
                        Live::Available
                    } else {
                        Live::Scheduled
                    };
                    job.run_at = now + after;
                    job.attempt -= u16::from(attempted == Attempted::GivenBack);
                }
                Disposition::Hold | Disposition::End { .. } => {
                    job.state = match job.cancel_reason {
                        Some(_) => Live::Available,
                        None => Live::Held,
                    };
                    job.run_at = now;
                    if job.state == Live::Held {
                        self.ends.tell(id);
                    }
                }
            }
        }
        refused
    }

    pub(super) fn end(
        &mut self,
        id: JobId,
        ending: Ending,
        retain: Duration,
        failure: Option<Failure>,
        result: Option<String>,
        now: DateTime<Utc>,
    ) {
        let Some(mut job) = self.jobs.remove(&id) else {
            return;
        };
        self.ends.tell(id);
        if retain.is_zero() {
            return;
        }
        job.add_failure(failure, now);
        let record = JobRecord {
            state: match ending {
                Ending::Completed => JobState::Completed,
                Ending::Cancelled => JobState::Cancelled,
                Ending::Discarded => JobState::Discarded,
            },
            run_at: None,
            finished_at: Some(now),
            payload: None,
            headers: Headers::new(),
            result,
            progress: None,
            ..job.record(id)
        };
        let expires_at = now + retain;
        self.history.insert(id, FinishedJob { record, expires_at });
    }
}
