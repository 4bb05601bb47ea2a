-- Changes held and scheduled jobs, some at a time, and leaves them as they are otherwise.
--
-- $1 ids bigint[], $2 kinds text[], $3 queue text, $4 states text[], $5 limit_key text, $6 unique_key text,
-- $7 before timestamptz, $8 after timestamptz (each NULL for any), $9 above_id bigint, $10 limit bigint,
-- $11 codec text, $12 payload bytea, $13 run_at timestamptz, $14 delay float8 (seconds), $15 priority smallint
-- (each NULL: as it is)
--
-- Only a scheduled job has a time to be changed. The key for limits goes with arguments in JSON; the unique
-- key stays, since a producer may have given it. Returns how many there were, and the last id, from which to
-- go on. Rings, since one may be due now, and for a lane that is new.
WITH chosen AS MATERIALIZED (
    SELECT job.id, job.kind
    FROM pgqueuer.jobs AS job
    WHERE
          ($1::bigint[] IS NULL OR job.id = ANY ($1))
          AND ($2::text[] IS NULL OR job.kind = ANY ($2))
          AND ($3::text IS NULL OR job.kind IN (SELECT kind FROM pgqueuer.kinds WHERE queue = $3))
          AND ($4::text[] IS NULL OR CASE WHEN job.claimed_by IS NULL THEN job.state::text ELSE 'running' END = ANY ($4))
          AND ($5::text IS NULL OR job.limit_key = $5)
          AND ($6::text IS NULL OR job.unique_key = $6)
          AND ($7::timestamptz IS NULL OR job.enqueued_at < $7)
          AND ($8::timestamptz IS NULL OR job.enqueued_at >= $8)
          AND job.id > $9
          AND job.claimed_by IS NULL AND job.state <> 'available'
          AND (job.state = 'scheduled' OR $13::timestamptz IS NULL AND $14::float8 IS NULL)
    ORDER BY job.id
    LIMIT $10
    FOR UPDATE
),
edited AS (
    UPDATE pgqueuer.jobs AS job
    SET codec = coalesce($11::text::pgqueuer.payload_codec, job.codec),
        payload = coalesce($12::bytea, job.payload),
        run_at = coalesce($13::timestamptz, now() + make_interval(secs => $14::float8), job.run_at),
        priority = coalesce($15::smallint, job.priority),
        limit_key = CASE
            WHEN $11::text = 'json' AND known.limit_by <> '{}' THEN
                pgqueuer.checked_key(job.kind, pgqueuer.key_of(convert_from($12::bytea, 'UTF8')::jsonb, known.limit_by))
            ELSE job.limit_key
        END
    FROM chosen
    LEFT JOIN pgqueuer.kinds AS known ON known.kind = chosen.kind
    WHERE job.id = chosen.id
    RETURNING job.id, job.kind, job.priority, job.state
),
sorts AS MATERIALIZED (
    SELECT DISTINCT kind, priority
    FROM edited
    WHERE state = 'scheduled'
),
rung AS MATERIALIZED (
    SELECT pgqueuer.ring('scheduled', kind, priority)::text
    FROM sorts
)
SELECT
    (SELECT count(*) FROM edited) AS edited,
    (SELECT max(id) FROM chosen) AS last_id,
    (SELECT count(*) FROM rung) AS rings;
