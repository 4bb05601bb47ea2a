//! Handing out jobs. Mirrors `postgres/sql/claim*.sql`.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::{
    limits::Verdict,
    state::{LiveJob, Memory},
};
use crate::{
    job::JobId,
    store::{Bound, ClaimKey, ClaimRequest, Claimed, ClaimedJob, Place, SessionId},
};

impl Memory {
    pub(super) fn claim(&mut self, request: &ClaimRequest<'_>, now: DateTime<Utc>) -> Claimed {
        let session = self.sessions.get(&request.session);
        if session.is_none_or(|it| it.expires_at <= now) {
            return Claimed::default();
        }
        let mut waiting: Vec<(Reverse<i16>, i64, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.is_waiting() && request.kinds.contains(&job.kind.as_str()))
            .map(|(id, job)| (Reverse(job.priority), job.position, *id))
            .collect();
        waiting.sort_unstable();

        let mut room: Vec<u32> = request.bounds.iter().map(|bound| bound.limit).collect();
        let mut claimed = Claimed::default();
        for (_, _, id) in waiting {
            if claimed.jobs.len() == request.limit as usize {
                break;
            }
            // Taken out while the others are counted.
            let Some(mut job) = self.jobs.remove(&id) else {
                continue;
            };
            let is_under = |bound: &Bound<'_>| bound.kinds.contains(&job.kind.as_str());
            let bound = request.bounds.iter().position(is_under);
            let has_room = bound.is_none_or(|it| room[it] > 0);
            match self.judge(&job, now) {
                Verdict::Begins { is_limited } if has_room => {
                    bound.into_iter().for_each(|it| room[it] -= 1);
                    self.spend(&job, now);
                    claimed
                        .jobs
                        .push(job.begin(id, request.session, is_limited, now));
                }
                Verdict::HeldBack(wait) => {
                    claimed.held_back = claimed.held_back.into_iter().chain([wait]).min();
                }
                Verdict::Begins { .. } | Verdict::Paused => {}
            }
            self.jobs.insert(id, job);
        }
        claimed
    }
}

impl LiveJob {
    fn begin(
        &mut self,
        id: JobId,
        session: SessionId,
        is_limited: bool,
        now: DateTime<Utc>,
    ) -> ClaimedJob {
        self.claimed_by = Some(session);
        self.claimed_at = Some(now);
        self.claim_number += 1;
        self.attempt += 1;
        self.slot |= is_limited;
        self.progress = None;
        ClaimedJob {
            place: Place::default(),
            key: ClaimKey {
                id,
                claim_number: self.claim_number,
            },
            kind: self.kind.clone(),
            attempt: self.attempt,
            priority: self.priority,
            payload: self.payload.clone(),
            headers: self.headers.clone(),
            enqueued_at: self.enqueued_at,
            waited: (now - self.run_at.max(self.enqueued_at))
                .to_std()
                .unwrap_or_default(),
            is_limited,
            cancel_reason: self.cancel_reason.clone(),
        }
    }
}
