-- Claims as claim.sql does, for a worker that bounds some queues: of each group of lanes, at
-- most so many.
--
-- $1 session bigint, $2 kinds text[], $3 priorities smallint[], $4 cursors bigint[], $5 limit bigint,
-- $6 groups integer[], $7 group_limits bigint[]
--
-- The bounds are counted after the rows are locked, so this may lock some that it does not
-- take, until it commits: other workers pass over them meanwhile. A claim with bounds that comes
-- back empty moves no mark, so it need not tell why.
WITH candidates AS MATERIALIZED (
    SELECT job.place, job.position, lane.turn, lane.bounded, lane.bound
    FROM unnest($2::text[], $3::smallint[], $4::bigint[], $6::integer[], $7::bigint[])
        WITH ORDINALITY AS lane (kind, priority, cursor, bounded, bound, turn)
    CROSS JOIN LATERAL (
        SELECT waiting.ctid AS place, waiting.position
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
        place,
        turn,
        position,
        bound,
        row_number() OVER (PARTITION BY bounded ORDER BY turn, position) AS place_in_group
    FROM candidates
),
taken AS MATERIALIZED (
    SELECT place
    FROM placed
    WHERE place_in_group <= bound
    ORDER BY turn, position
    LIMIT $5
),
live AS MATERIALIZED (
    SELECT id
    FROM pgqueuer.sessions
    WHERE id = $1
      AND expires_at > now()
      AND EXISTS (SELECT FROM taken)
    FOR KEY SHARE
)
UPDATE pgqueuer.jobs AS job
SET claimed_by = $1,
    claimed_at = now(),
    claim_number = job.claim_number + 1,
    attempt = job.attempt + 1
WHERE job.ctid = ANY (ARRAY(SELECT place FROM taken))
  AND EXISTS (SELECT FROM live)
RETURNING
    job.id,
    job.claim_number,
    job.kind,
    job.attempt,
    job.priority,
    job.position,
    job.codec = 'json' AS is_json,
    job.payload,
    job.headers::text AS headers,
    job.enqueued_at,
    date_part('epoch', now() - greatest(job.run_at, job.enqueued_at)) AS waited,
    tidsend(job.ctid) AS place,
    job.cancel_reason;
