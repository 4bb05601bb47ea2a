-- Publishes the limits that the code has. What was set by hand stays.
--
-- $1 scopes text[], $2 names text[], $3 limits jsonb[]
--
-- Ordered, and written only where something has changed, as publish_kinds.sql does. Has all look.
WITH published AS (
    INSERT INTO pgqueuer.limits AS known (scope, name, of_code)
    SELECT scope, name, of_code
    FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS published (scope, name, of_code)
    -- No row says the same.
    WHERE of_code <> '{}'
       OR EXISTS (SELECT FROM pgqueuer.limits AS it WHERE it.scope = published.scope AND it.name = published.name)
    ORDER BY scope, name
    ON CONFLICT (scope, name) DO UPDATE
    SET of_code = excluded.of_code
    WHERE known.of_code <> excluded.of_code
    RETURNING 1
),
rung AS MATERIALIZED (
    SELECT pgqueuer.ring('lanes')
    FROM published
    LIMIT 1
)
SELECT count(*) AS published
FROM published
LEFT JOIN rung ON true;
