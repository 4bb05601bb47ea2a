-- What was done in the minutes that reach into the last while, with how long it took.
--
-- $1 last float8 (seconds)
--
-- Some rows of each minute, since the lists are added faster where they are shown.
SELECT
    kind,
    completed,
    retried,
    held,
    discarded,
    cancelled,
    snoozed,
    wait_seconds,
    run_seconds,
    max_run_seconds,
    waits,
    runs
FROM pgqueuer.minutes
WHERE minute >= date_trunc('minute', now() - make_interval(secs => $1), 'UTC');
