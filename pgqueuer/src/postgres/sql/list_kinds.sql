-- The kinds that workers have published, by name. No parameters.
SELECT kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source, job, limit_by,
    unique_by, (unique_seconds * 1000)::bigint AS unique_millis
FROM pgqueuer.kinds
ORDER BY kind;
