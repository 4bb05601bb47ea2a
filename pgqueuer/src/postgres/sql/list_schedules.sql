-- The schedules, by name, with their last jobs as far as these are remembered. No parameters.
SELECT
    schedule.name,
    schedule.kind,
    schedule.in_force::text AS in_force,
    schedule.of_code::text AS of_code,
    schedule.of_hand <> '{}' AS is_changed,
    schedule.priority,
    schedule.codec::text AS codec,
    schedule.payload,
    schedule.headers::text AS headers,
    schedule.next_tick,
    greatest(schedule.since, schedule.last_slot, schedule.last_skipped) AS after,
    schedule.fault,
    schedule.paused_at,
    schedule.last_slot,
    schedule.last_job,
    schedule.last_skipped,
    last.state AS last_state,
    last.claimed_at AS last_claimed_at,
    last.finished_at AS last_finished_at,
    now() AS now
FROM pgqueuer.schedules AS schedule
LEFT JOIN LATERAL (
    SELECT
        CASE WHEN job.claimed_by IS NULL THEN job.state::text ELSE 'running' END AS state,
        job.claimed_at,
        NULL::timestamptz AS finished_at
    FROM pgqueuer.jobs AS job
    WHERE job.id = schedule.last_job
    UNION ALL
    SELECT ending::text, history.claimed_at, history.finished_at
    FROM pgqueuer.history
    WHERE history.job_id = schedule.last_job
      AND history.expires_at > now()
    LIMIT 1
) AS last ON true
ORDER BY schedule.name;
