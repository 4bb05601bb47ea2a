-- Cancels unfinished jobs, some at a time: those that wait leave the queue, and the workers of those that
-- run are told.
--
-- $1 ids bigint[], $2 kinds text[], $3 queue text, $4 states text[], $5 limit_key text, $6 unique_key text,
-- $7 before timestamptz, $8 after timestamptz (each NULL for any), $9 above_id bigint, $10 limit bigint,
-- $11 reason text
--
-- A job that is claimed just now is looked at again once its claim is committed, and runs. Returns how
-- many there were of both, and the last id, from which to go on.
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
          AND job.cancel_reason IS NULL
    ORDER BY job.id
    LIMIT $10
    FOR UPDATE
),
stopped AS (
    DELETE FROM pgqueuer.jobs AS job
    USING chosen
    WHERE job.id = chosen.id
      AND NOT chosen.is_running
    RETURNING
        job.id,
        job.kind,
        job.enqueued_at,
        job.claimed_at,
        job.attempt,
        job.priority,
        job.slot,
        job.state,
        pgqueuer.add_failure(
            job.failures,
            jsonb_build_object('attempt', job.attempt, 'reason', 'cancelled', 'message', $11::text)
        ) AS failures
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, expires_at, attempt, priority, ending, failures, result)
    SELECT
        stopped.id,
        stopped.kind,
        stopped.enqueued_at,
        stopped.claimed_at,
        now() + make_interval(secs => coalesce(known.retain_seconds, 7 * 24 * 60 * 60)),
        stopped.attempt,
        stopped.priority,
        'cancelled',
        stopped.failures,
        CASE WHEN stopped.kind IN (SELECT kind FROM pgqueuer.awaited) THEN 'null' ELSE '' END
    FROM stopped
    LEFT JOIN pgqueuer.kinds AS known ON known.kind = stopped.kind
    WHERE coalesce(known.retain_seconds, 1) > 0
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available, scheduled, held)
    SELECT
        kind,
        -count(*) FILTER (WHERE state = 'available'),
        -count(*) FILTER (WHERE state = 'scheduled'),
        -count(*) FILTER (WHERE state = 'held')
    FROM stopped
    GROUP BY kind
),
told AS (
    UPDATE pgqueuer.jobs AS job
    SET cancel_reason = $11
    FROM chosen
    WHERE job.id = chosen.id
      AND chosen.is_running
    RETURNING job.id
),
-- A worker hears it, whether it sleeps or not.
rung AS MATERIALIZED (
    SELECT pgqueuer.tell('cancel')
    FROM told
    LIMIT 1
),
-- What waited for one of these can go on.
freed AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM stopped
    WHERE slot
    LIMIT 1
),
-- Somebody waits for them.
ends AS MATERIALIZED (
    SELECT pgqueuer.tell_ends(array_agg(id)) AS told
    FROM stopped
    WHERE kind IN (SELECT kind FROM pgqueuer.awaited)
)
SELECT
    (SELECT count(*) FROM stopped) AS waiting,
    (SELECT count(*) FROM told) AS running,
    (SELECT max(id) FROM chosen) AS last_id,
    (SELECT count(*) FROM rung) + (SELECT count(*) FROM freed) + (SELECT told FROM ends) AS rings;
