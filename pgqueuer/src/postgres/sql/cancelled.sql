-- Which of the jobs that a session runs are to be cancelled, and why.
--
-- $1 session bigint
--
-- Reads jobs_cancelled_idx, which has next to nothing.
SELECT id, claim_number, cancel_reason
FROM pgqueuer.jobs
WHERE cancel_reason IS NOT NULL
  AND claimed_by = $1;
