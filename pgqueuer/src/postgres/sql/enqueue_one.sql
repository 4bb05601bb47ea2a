-- Adds a job that is due at once, and wakes the idle workers: what most producers do most of the
-- time, so as little as can be.
--
-- $1 kind text, $2 priority smallint, $3 codec text, $4 payload bytea
--
-- Takes a transaction id before the position, as enqueue_alike.sql does, and rings when the job
-- is inserted.
WITH inserted AS (
    INSERT INTO pgqueuer.jobs (id, position, kind, priority, state, codec, payload)
    SELECT entering.id, entering.id, $1, $2, 'available', $3::text::pgqueuer.payload_codec, $4
    FROM (
        SELECT nextval('pgqueuer.positions') AS id
        WHERE pg_current_xact_id() IS NOT NULL
    ) AS entering
    RETURNING id, kind, priority
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available)
    SELECT kind, 1
    FROM inserted
)
SELECT ARRAY[id] AS ids, pgqueuer.ring('', kind, priority)::text
FROM inserted;
