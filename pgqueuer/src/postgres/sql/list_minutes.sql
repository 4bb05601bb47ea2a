-- What was done in the minutes that reach into the last while, oldest first, by kind.
--
-- $1 last float8 (seconds)
--
-- Reads the primary key from there on.
SELECT
    minute,
    kind,
    sum(completed)::bigint AS completed,
    sum(retried)::bigint AS retried,
    sum(held)::bigint AS held,
    sum(discarded)::bigint AS discarded,
    sum(cancelled)::bigint AS cancelled,
    sum(snoozed)::bigint AS snoozed,
    sum(wait_seconds) AS wait_seconds,
    sum(run_seconds) AS run_seconds,
    max(max_run_seconds) AS max_run_seconds
FROM pgqueuer.minutes
WHERE minute > now() - make_interval(secs => $1) - interval '1 minute'
GROUP BY minute, kind
ORDER BY minute, kind;
