-- Adds jobs that differ in nothing but their arguments and are due at once, and wakes the idle
-- workers: what enqueue.sql does, at half the cost.
--
-- $1 kind text, $2 priority smallint, $3 codec text, $4 payloads bytea[]
--
-- Takes a transaction id before the first position: the marks of the lanes wait for positions
-- by the transactions that took them. Ids are given out in the order of the array, and grow. Rings
-- when all are inserted.
WITH inserted AS (
    INSERT INTO pgqueuer.jobs (id, position, kind, priority, state, codec, payload)
    SELECT entering.id, entering.id, $1, $2, 'available', (SELECT $3::text::pgqueuer.payload_codec), entering.payload
    FROM (
        SELECT nextval('pgqueuer.positions') AS id, payload
        FROM unnest($4::bytea[]) AS payload
        WHERE pg_current_xact_id() IS NOT NULL
    ) AS entering
    RETURNING id
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available)
    SELECT $1, count(*)
    FROM inserted
),
done AS MATERIALIZED (
    SELECT array_agg(id) AS ids
    FROM inserted
)
SELECT done.ids, pgqueuer.ring('', $1, $2)::text
FROM done;
