-- Carries out one tick: enqueues its job and moves the schedule on, or does nothing if
-- another worker has been faster.
--
-- $1 kind text, $2 due timestamptz, $3 next timestamptz, $4 priority smallint,
-- $5 codec text, $6 payload bytea, $7 headers jsonb
WITH moved AS (
    UPDATE pgqueuer.schedules
    SET last_tick = next_tick,
        next_tick = $3
    WHERE kind = $1
      AND next_tick = $2
    RETURNING nextval('pgqueuer.positions') AS id
),
inserted AS (
    INSERT INTO pgqueuer.jobs (id, position, kind, priority, state, codec, payload, headers)
    SELECT id, id, $1, $4, 'available', $5::text::pgqueuer.payload_codec, $6, $7
    FROM moved
    RETURNING kind, priority
),
new_lane AS (
    INSERT INTO pgqueuer.lanes (kind, priority)
    SELECT inserted.kind, inserted.priority
    FROM inserted
    WHERE NOT EXISTS (
        SELECT
        FROM pgqueuer.lanes AS lane
        WHERE lane.kind = inserted.kind
          AND lane.priority = inserted.priority
    )
    RETURNING kind
),
-- Once for each sort of news, and only if there is any.
news AS (
    SELECT 'lanes' AS news
    FROM new_lane
    UNION
    SELECT ''
    FROM inserted
),
rung AS MATERIALIZED (
    SELECT count(pgqueuer.ring(news)::text)
    FROM news
)
SELECT moved.id
FROM moved
LEFT JOIN rung ON true;
