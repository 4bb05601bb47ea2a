-- Publishes what a worker knows of its kinds.
--
-- $1 kinds text[], $2 queues text[], $3 priorities smallint[], $4 max_attempts smallint[],
-- $5 on_failures text[], $6 retain_seconds bigint[], $7 arguments jsonb[], $8 sources text[],
-- $9 jobs text[], $10 limit_bys jsonb[] (arrays of texts),
-- $11 unique_bys jsonb[] (arrays of texts, or NULL), $12 unique_millis bigint[] (or NULL)
--
-- Ordered, so that two workers that start together cannot deadlock; and written only where
-- something has changed.
INSERT INTO pgqueuer.kinds AS known
    (kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source, job, limit_by,
     unique_by, unique_seconds)
SELECT kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source, job,
    ARRAY(SELECT jsonb_array_elements_text(limit_by)),
    CASE WHEN jsonb_typeof(unique_by) = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(unique_by)) END,
    unique_millis / 1000.0
FROM unnest(
    $1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::jsonb[], $8::text[],
    $9::text[], $10::jsonb[], $11::jsonb[], $12::bigint[]
) AS published
    (kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source, job, limit_by,
     unique_by, unique_millis)
ORDER BY kind
ON CONFLICT (kind) DO UPDATE
SET queue = excluded.queue,
    priority = excluded.priority,
    max_attempts = excluded.max_attempts,
    on_failure = excluded.on_failure,
    retain_seconds = excluded.retain_seconds,
    arguments = excluded.arguments,
    source = excluded.source,
    job = excluded.job,
    limit_by = excluded.limit_by,
    unique_by = excluded.unique_by,
    unique_seconds = excluded.unique_seconds,
    published_at = now()
WHERE (known.queue, known.priority, known.max_attempts, known.on_failure,
       known.retain_seconds, known.arguments, known.source, known.job, known.limit_by,
       known.unique_by, known.unique_seconds)
   IS DISTINCT FROM
      (excluded.queue, excluded.priority, excluded.max_attempts, excluded.on_failure,
       excluded.retain_seconds, excluded.arguments, excluded.source, excluded.job, excluded.limit_by,
       excluded.unique_by, excluded.unique_seconds);
