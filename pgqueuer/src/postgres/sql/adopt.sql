-- Brings jobs under limits that are older than these: counts in those that run already, and gives a key
-- to those that wait without one and would not be found under a limit for each key.
--
-- No parameters. Reads all that is available of the kinds that are limited. Returns how many there were.
WITH limited AS MATERIALIZED (
    SELECT
        known.kind,
        bool_or(rule.scope = 'kind' AND rule.in_force ?| ARRAY['concurrency_per_key', 'rate_per_key']) AS is_keyed
    FROM pgqueuer.kinds AS known
    JOIN pgqueuer.limits AS rule ON rule.scope = 'kind' AND rule.name = known.job
        OR rule.scope = 'queue' AND rule.name = known.queue
    WHERE rule.in_force <> '{}'
    GROUP BY known.kind
),
adopted AS (
    UPDATE pgqueuer.jobs AS job
    SET slot = CASE WHEN job.claimed_by IS NOT NULL THEN true ELSE job.slot END,
        limit_key = CASE WHEN limited.is_keyed THEN coalesce(job.limit_key, 'null') ELSE job.limit_key END
    FROM limited
    WHERE job.kind = limited.kind
      AND job.state = 'available'
      AND (job.claimed_by IS NOT NULL AND job.slot IS NULL OR job.limit_key IS NULL AND limited.is_keyed)
    RETURNING job.id
),
-- Once, and only if there is something to ring for.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM adopted
    LIMIT 1
)
SELECT count(*) AS adopted
FROM adopted
LEFT JOIN rung ON true;
