-- Deletes what was noted of jobs that do not run any more.
--
-- $1 limit bigint
WITH over AS MATERIALIZED (
    SELECT progress.job_id
    FROM pgqueuer.progress
    WHERE NOT EXISTS (
        SELECT
        FROM pgqueuer.jobs AS job
        WHERE job.id = progress.job_id
          AND job.claim_number = progress.claim_number
          AND job.claimed_by IS NOT NULL
    )
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
DELETE FROM pgqueuer.progress
WHERE job_id = ANY (ARRAY(SELECT job_id FROM over));
