//! Handing out jobs. Mirrors `postgres/sql/claim*.sql`.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::state::Memory;
use crate::{
    job::JobId,
    store::{Bound, ClaimKey, ClaimRequest, ClaimedJob, Place},
};

impl Memory {
    pub(super) fn claim(
        &mut self,
        request: &ClaimRequest<'_>,
        now: DateTime<Utc>,
    ) -> Vec<ClaimedJob> {
        let session = self.sessions.get(&request.session);
        if session.is_none_or(|it| it.expires_at <= now) {
            return Vec::new();
        }
        let mut waiting: Vec<(Reverse<i16>, i64, JobId)> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.is_waiting() && request.kinds.contains(&job.kind.as_str()))
            .map(|(id, job)| (Reverse(job.priority), job.position, *id))
            .collect();
        waiting.sort_unstable();

        let mut room: Vec<u32> = request.bounds.iter().map(|bound| bound.limit).collect();
        let mut claimed = Vec::new();
        for (_, _, id) in waiting {
            if claimed.len() == request.limit as usize {
                break;
            }
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            let is_under = |bound: &Bound<'_>| bound.kinds.contains(&job.kind.as_str());
            if let Some(bound) = request.bounds.iter().position(is_under) {
                if room[bound] == 0 {
                    continue;
                }
                room[bound] -= 1;
            }
            job.claimed_by = Some(request.session);
            job.claimed_at = Some(now);
            job.claim_number += 1;
            job.attempt += 1;
            claimed.push(ClaimedJob {
                place: Place::default(),
                key: ClaimKey {
                    id,
                    claim_number: job.claim_number,
                },
                kind: job.kind.clone(),
                attempt: job.attempt,
                priority: job.priority,
                payload: job.payload.clone(),
                headers: job.headers.clone(),
                enqueued_at: job.enqueued_at,
                waited: (now - job.run_at.max(job.enqueued_at))
                    .to_std()
                    .unwrap_or_default(),
            });
        }
        claimed
    }
}
