-- Puts available jobs that lie behind the low-water mark of their lane to its end, where
-- claims look.
--
-- No parameters.
--
-- There are none, but for a claim that was rolled back after others had passed its jobs by.
WITH done AS MATERIALIZED (
    SELECT kind, priority, max(low_water) AS low_water
    FROM pgqueuer.lanes
    GROUP BY kind, priority
),
stranded AS MATERIALIZED (
    SELECT job.place
    FROM done
    CROSS JOIN LATERAL (
        SELECT behind.ctid AS place
        FROM pgqueuer.jobs AS behind
        WHERE behind.kind = done.kind
          AND behind.priority = done.priority
          AND behind.position <= done.low_water
          AND behind.state = 'available'
          AND behind.claimed_by IS NULL
        ORDER BY behind.position
        FOR UPDATE SKIP LOCKED
    ) AS job
),
requeued AS (
    UPDATE pgqueuer.jobs
    SET position = nextval('pgqueuer.positions')
    WHERE ctid = ANY (ARRAY(SELECT place FROM stranded))
    RETURNING id
),
-- Once, and only if there is something to ring for.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM requeued
    LIMIT 1
)
SELECT requeued.id
FROM requeued
LEFT JOIN rung ON true;
