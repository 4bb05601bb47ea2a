-- Finds the lanes (kind and priority) that have jobs to claim, and where each begins.
--
-- $1 kinds text[]
--
-- Hops through jobs_claim_idx from priority to priority, a few index probes per lane,
-- whatever the number of jobs in it.
WITH RECURSIVE lanes AS (
    SELECT head.kind, head.priority, head.position
    FROM unnest($1::text[]) AS wanted (kind)
    CROSS JOIN LATERAL (
        SELECT job.kind, job.priority, job.position
        FROM pgqueuer.jobs AS job
        WHERE job.kind = wanted.kind
          AND job.state = 'available'
          AND job.claimed_by IS NULL
        ORDER BY job.priority DESC, job.position
        LIMIT 1
    ) AS head
    UNION ALL
    SELECT head.kind, head.priority, head.position
    FROM lanes
    CROSS JOIN LATERAL (
        SELECT job.kind, job.priority, job.position
        FROM pgqueuer.jobs AS job
        WHERE job.kind = lanes.kind
          AND job.priority < lanes.priority
          AND job.state = 'available'
          AND job.claimed_by IS NULL
        ORDER BY job.priority DESC, job.position
        LIMIT 1
    ) AS head
)
SELECT kind, priority, position - 1 AS cursor
FROM lanes;
