-- Makes scheduled jobs that are due available, in the order of their times.
--
-- $1 limit bigint
--
-- Reads jobs_scheduled_idx from its front. Returns how many, and in how many seconds the
-- next one is due (NULL if none waits).
WITH due AS MATERIALIZED (
    SELECT id, position, slot AND limit_key IS NOT NULL AS keeps_its_place
    FROM pgqueuer.jobs
    WHERE state = 'scheduled'
      AND run_at <= now()
    ORDER BY run_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
placed AS MATERIALIZED (
    SELECT id, CASE WHEN keeps_its_place THEN position ELSE nextval('pgqueuer.positions') END AS position
    FROM due
),
promoted AS (
    UPDATE pgqueuer.jobs AS job
    SET state = 'available',
        position = placed.position
    FROM placed
    WHERE job.id = placed.id
    RETURNING job.id, job.kind
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available, scheduled)
    SELECT kind, count(*), -count(*)
    FROM promoted
    GROUP BY kind
),
-- Once, and only if there is something to ring for: an upkeep that rang each time would
-- wake itself.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM promoted
    LIMIT 1
)
SELECT
    count(promoted.id) AS promoted,
    (
        SELECT extract(epoch FROM min(run_at) - clock_timestamp())::float8
        FROM pgqueuer.jobs
        WHERE state = 'scheduled'
          AND run_at > now()
    ) AS next_due_in
FROM promoted
LEFT JOIN rung ON true;
