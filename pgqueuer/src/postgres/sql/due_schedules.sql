-- The schedules that a worker is to look after now, and when there will be more: one row at least.
-- Of those in the code, the worker names the ones that its own code has.
--
-- $1 kinds text[], $2 declared text[], $3 most bigint
WITH mine AS (
    SELECT *
    FROM pgqueuer.schedules
    WHERE kind = ANY ($1::text[])
      AND (of_code IS NULL OR name = ANY ($2::text[]))
      AND paused_at IS NULL
      AND fault IS NULL
),
due AS (
    SELECT
        name,
        in_force::text AS in_force,
        revision,
        next_tick,
        -- Never back, also if the clock of the server was.
        greatest(since, last_slot, last_skipped) AS after
    FROM mine
    WHERE next_tick IS NULL
       OR next_tick <= now()
    ORDER BY next_tick, name
    LIMIT $3
)
SELECT
    now() AS now,
    (SELECT min(next_tick) FROM mine WHERE next_tick > now()) AS soonest,
    due.name,
    due.in_force,
    due.revision,
    due.next_tick,
    due.after
FROM (VALUES (1)) AS always (one)
LEFT JOIN due ON true;
