-- Claims as claim.sql does, for a worker that bounds some queues: of each group of lanes, at
-- most so many.
--
-- $1 session bigint, $2 kinds text[], $3 priorities smallint[], $4 cursors bigint[], $5 limit bigint,
-- $6 groups integer[], $7 group_limits bigint[]
--
-- The bounds are counted after the rows are locked, so this may lock some that it does not
-- take, until it commits: other workers pass over them meanwhile.
WITH live AS MATERIALIZED (
    SELECT id
    FROM pgqueuer.sessions
    WHERE id = $1
      AND expires_at > now()
    FOR KEY SHARE
),
candidates AS MATERIALIZED (
    SELECT job.id, job.position, lane.turn, lane.bounded, lane.bound
    FROM live
    CROSS JOIN unnest($2::text[], $3::smallint[], $4::bigint[], $6::integer[], $7::bigint[])
        WITH ORDINALITY AS lane (kind, priority, cursor, bounded, bound, turn)
    CROSS JOIN LATERAL (
        SELECT waiting.id, waiting.position
        FROM pgqueuer.jobs AS waiting
        WHERE waiting.kind = lane.kind
          AND waiting.priority = lane.priority
          AND waiting.position > lane.cursor
          AND waiting.state = 'available'
          AND waiting.claimed_by IS NULL
        ORDER BY waiting.position
        LIMIT least($5, lane.bound)
        FOR UPDATE SKIP LOCKED
    ) AS job
),
placed AS (
    SELECT
        id,
        turn,
        position,
        bound,
        row_number() OVER (PARTITION BY bounded ORDER BY turn, position) AS place
    FROM candidates
),
taken AS MATERIALIZED (
    SELECT id
    FROM placed
    WHERE place <= bound
    ORDER BY turn, position
    LIMIT $5
)
UPDATE pgqueuer.jobs AS job
SET claimed_by = $1,
    claimed_at = now(),
    claim_number = job.claim_number + 1,
    attempt = job.attempt + 1
FROM taken
WHERE job.id = taken.id
RETURNING
    job.id,
    job.claim_number,
    job.kind,
    job.attempt,
    job.priority,
    job.position,
    job.codec::text AS codec,
    job.payload,
    job.headers::text AS headers,
    job.enqueued_at,
    extract(epoch FROM now() - greatest(job.run_at, job.enqueued_at))::float8 AS waited;
