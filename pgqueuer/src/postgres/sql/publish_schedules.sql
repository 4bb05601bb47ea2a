-- Publishes the schedules of the code. Returns those whose names are taken, with their kinds.
--
-- $1 names text[], which are their kinds, too, $2 of_code jsonb[]
--
-- A schedule that is there goes on where it was, unless it ticks at other times now. What was changed
-- by hand holds, unless the code says that it yields. Ordered, so that two workers that start together
-- cannot deadlock.
WITH stored AS (
    INSERT INTO pgqueuer.schedules AS known (name, kind, of_code)
    SELECT name, name, of_code
    FROM unnest($1::text[], $2::jsonb[]) AS given (name, of_code)
    ORDER BY name
    ON CONFLICT (name) DO UPDATE
    SET (of_code, of_hand, revision, since, next_tick, fault) = (
        SELECT
            excluded.of_code,
            hand.of_hand,
            known.revision + 1,
            CASE WHEN times.are_same THEN known.since ELSE clock_timestamp() END,
            CASE WHEN times.are_same THEN known.next_tick END,
            NULL
        FROM (
            SELECT CASE excluded.of_code ->> 'changes' WHEN 'yield' THEN '{}' ELSE known.of_hand END AS of_hand
        ) AS hand
        CROSS JOIN LATERAL (SELECT excluded.of_code || hand.of_hand AS in_force) AS will_be
        CROSS JOIN LATERAL (
            SELECT (will_be.in_force -> 'rule', will_be.in_force -> 'zone')
                = (known.in_force -> 'rule', known.in_force -> 'zone') AS are_same
        ) AS times
    )
    WHERE known.kind = excluded.kind
      AND (
          known.of_code IS DISTINCT FROM excluded.of_code
          OR known.fault IS NOT NULL
          OR excluded.of_code ->> 'changes' = 'yield' AND known.of_hand <> '{}'
      )
)
SELECT name, kind
FROM pgqueuer.schedules
WHERE name = ANY ($1::text[])
  AND kind <> name;
