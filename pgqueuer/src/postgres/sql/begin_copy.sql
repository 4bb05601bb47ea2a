-- What copy_jobs.sql needs before the jobs: their ids, in the order of the jobs. Wakes the idle
-- workers once the transaction commits.
--
-- $1 kind text, $2 priority smallint, $3 count bigint
--
-- Takes a transaction id before the first position, as enqueue_alike.sql does. That also makes
-- it safe to ring before anything is written: see pgqueuer.ring.
WITH reserved AS MATERIALIZED (
    SELECT array_agg(nextval('pgqueuer.positions')) AS ids
    FROM generate_series(1, $3::bigint)
    WHERE pg_current_xact_id() IS NOT NULL
),
new_lane AS (
    INSERT INTO pgqueuer.lanes (kind, priority)
    SELECT $1, $2
    WHERE NOT EXISTS (
        SELECT
        FROM pgqueuer.lanes AS lane
        WHERE lane.kind = $1
          AND lane.priority = $2
    )
    RETURNING kind
)
SELECT
    reserved.ids,
    pgqueuer.ring(CASE WHEN EXISTS (SELECT FROM new_lane) THEN 'lanes' ELSE '' END)::text
FROM reserved;
