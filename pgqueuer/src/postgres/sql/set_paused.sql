-- Pauses, or lets go on. Has all look.
--
-- $1 scope text, $2 name text, $3 is_paused boolean
--
-- What is paused already keeps its time. Returns whether that changed anything.
WITH set AS (
    INSERT INTO pgqueuer.limits AS known (scope, name, paused_at)
    SELECT $1, $2, now()
    WHERE $3
    ON CONFLICT (scope, name) DO UPDATE
    SET paused_at = excluded.paused_at
    WHERE known.paused_at IS NULL
    RETURNING 1
),
resumed AS (
    UPDATE pgqueuer.limits
    SET paused_at = NULL
    WHERE scope = $1
      AND name = $2
      AND paused_at IS NOT NULL
      AND NOT $3
    RETURNING 1
),
changed AS (
    SELECT FROM set
    UNION ALL
    SELECT FROM resumed
),
rung AS MATERIALIZED (
    SELECT pgqueuer.ring('lanes')
    FROM changed
    LIMIT 1
)
SELECT count(*) > 0 AS is_changed
FROM changed
LEFT JOIN rung ON true;
