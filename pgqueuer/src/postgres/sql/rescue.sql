-- Ends the sessions whose lease has run out, and frees their jobs. The attempt counts, so
-- that a job which kills its worker does not run for ever.
--
-- $1 sessions bigint[], locked by expired_sessions.sql in the same transaction
--
-- What a kind allows is read from pgqueuer.kinds, where its workers published it; a kind that
-- is not there has 25 attempts and is held. A running job is available, so the index of the
-- claims has it: what is scheduled or held need not be read, whatever there is of it.
WITH expired AS MATERIALIZED (
    SELECT id, worker
    FROM pgqueuer.sessions
    WHERE id = ANY ($1::bigint[])
),
dead AS (
    DELETE FROM pgqueuer.sessions AS session
    USING expired
    WHERE session.id = expired.id
),
orphans AS MATERIALIZED (
    SELECT
        job.id,
        expired.id AS session,
        -- Whoever claims one that is to be cancelled ends it.
        job.attempt >= coalesce(known.max_attempts, 25) AND job.cancel_reason IS NULL AS used_up,
        coalesce(known.on_failure, 'hold') AS on_failure,
        coalesce(known.retain_seconds, 0) AS retain_seconds,
        jsonb_build_object(
            'attempt', job.attempt,
            'reason', 'crash',
            'message', format('worker "%s" (session %s) died or lost its lease', expired.worker, expired.id)
        ) AS failure
    FROM expired
    JOIN pgqueuer.jobs AS job ON job.claimed_by = expired.id AND job.state = 'available'
    LEFT JOIN pgqueuer.kinds AS known ON known.kind = job.kind
    FOR UPDATE OF job
),
kept AS (
    UPDATE pgqueuer.jobs AS job
    SET state = CASE WHEN orphans.used_up THEN 'held' ELSE 'available' END::pgqueuer.job_state,
        position = CASE WHEN job.slot AND job.limit_key IS NOT NULL THEN job.position ELSE nextval('pgqueuer.positions') END,
        run_at = now(),
        claimed_by = NULL,
        failures = pgqueuer.add_failure(job.failures, orphans.failure)
    FROM orphans
    WHERE job.id = orphans.id
      AND NOT (orphans.used_up AND orphans.on_failure = 'discard')
    RETURNING job.id, job.kind, orphans.session, job.state::text AS state
),
discarded AS (
    DELETE FROM pgqueuer.jobs AS job
    USING orphans
    WHERE job.id = orphans.id
      AND orphans.used_up
      AND orphans.on_failure = 'discard'
    RETURNING
        job.id,
        job.kind,
        job.enqueued_at,
        job.claimed_at,
        job.attempt,
        job.priority,
        orphans.session,
        orphans.retain_seconds,
        pgqueuer.add_failure(job.failures, orphans.failure) AS failures
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, expires_at, attempt, priority, ending, failures, result)
    SELECT
        id,
        kind,
        enqueued_at,
        claimed_at,
        now() + make_interval(secs => retain_seconds),
        attempt,
        priority,
        'discarded',
        failures,
        CASE WHEN kind IN (SELECT kind FROM pgqueuer.awaited) THEN 'null' ELSE '' END
    FROM discarded
    WHERE retain_seconds > 0
),
crashes AS (
    SELECT id, kind, session, state FROM kept
    UNION ALL
    SELECT id, kind, session, 'discarded' FROM discarded
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available, held)
    SELECT kind, -count(*), count(*) FILTER (WHERE state = 'held')
    FROM crashes
    WHERE state <> 'available'
    GROUP BY kind
),
-- Once, and only if there is something to ring for. A job that is discarded leaves its slot.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM crashes
    LIMIT 1
),
-- Somebody waits for them.
told AS MATERIALIZED (
    SELECT pgqueuer.tell_ends(array_agg(id))
    FROM crashes
    WHERE state <> 'available'
      AND kind IN (SELECT kind FROM pgqueuer.awaited)
)
SELECT crashes.id, crashes.kind, crashes.session, crashes.state
FROM crashes
LEFT JOIN rung ON true
CROSS JOIN told;
