-- What was done of each kind since the schema was installed. No parameters.
--
-- Some rows of each, since the lists are added faster where they are shown.
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
FROM pgqueuer.totals;
