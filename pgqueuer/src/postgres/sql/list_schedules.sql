-- The schedules, by name. No parameters.
SELECT
    name,
    kind,
    in_force::text AS in_force,
    of_code::text AS of_code,
    of_hand <> '{}' AS is_changed,
    priority,
    codec::text AS codec,
    payload,
    headers::text AS headers,
    next_tick,
    greatest(since, last_slot, last_skipped) AS after,
    fault,
    paused_at,
    last_slot,
    last_job,
    last_skipped,
    now() AS now
FROM pgqueuer.schedules
ORDER BY name;
