-- Discards held jobs, some at a time: they leave the queue, with a record for as long as their kind has it.
--
-- $1 ids bigint[], $2 kinds text[], $3 queue text, $4 states text[], $5 limit_key text, $6 unique_key text,
-- $7 before timestamptz, $8 after timestamptz (each NULL for any), $9 above_id bigint, $10 limit bigint
--
-- Returns how many there were, and the last id, from which to go on.
WITH chosen AS MATERIALIZED (
    SELECT
        job.id,
        job.claimed_by IS NOT NULL AS is_running,
        job.state,
        job.kind,
        job.unique_key
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
          AND job.claimed_by IS NULL AND job.state = 'held'
    ORDER BY job.id
    LIMIT $10
    FOR UPDATE
),
discarded AS (
    DELETE FROM pgqueuer.jobs AS job
    USING chosen
    WHERE job.id = chosen.id
    RETURNING
        job.id,
        job.kind,
        job.enqueued_at,
        job.claimed_at,
        job.attempt,
        job.priority,
        job.failures
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, expires_at, attempt, priority, ending, failures, result)
    SELECT
        discarded.id,
        discarded.kind,
        discarded.enqueued_at,
        discarded.claimed_at,
        now() + make_interval(secs => coalesce(known.retain_seconds, 7 * 24 * 60 * 60)),
        discarded.attempt,
        discarded.priority,
        'discarded',
        coalesce(discarded.failures, '[]'),
        CASE WHEN discarded.kind IN (SELECT kind FROM pgqueuer.awaited) THEN 'null' ELSE '' END
    FROM discarded
    LEFT JOIN pgqueuer.kinds AS known ON known.kind = discarded.kind
    WHERE coalesce(known.retain_seconds, 1) > 0
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, held)
    SELECT kind, -count(*)
    FROM discarded
    GROUP BY kind
),
-- Somebody waits for them.
ends AS MATERIALIZED (
    SELECT pgqueuer.tell_ends(array_agg(id)) AS told
    FROM discarded
    WHERE kind IN (SELECT kind FROM pgqueuer.awaited)
)
SELECT
    (SELECT count(*) FROM discarded) AS discarded,
    (SELECT max(id) FROM chosen) AS last_id,
    (SELECT told FROM ends) AS told;
