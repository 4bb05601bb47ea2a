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
    SELECT id, id, $1, $4, 'available', $5::pgqueuer.payload_codec, $6, $7
    FROM moved
),
-- Once, and only if there is something to ring for.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM moved
    LIMIT 1
)
SELECT moved.id
FROM moved
LEFT JOIN rung ON true;
