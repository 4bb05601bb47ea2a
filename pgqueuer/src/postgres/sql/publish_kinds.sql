-- Publishes what a worker knows of its kinds.
--
-- $1 kinds text[], $2 queues text[], $3 priorities smallint[], $4 max_attempts smallint[],
-- $5 on_failures text[], $6 retain_seconds bigint[], $7 arguments jsonb[], $8 sources text[]
--
-- Ordered, so that two workers that start together cannot deadlock; and written only where
-- something has changed.
INSERT INTO pgqueuer.kinds AS known
    (kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source)
SELECT kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source
FROM unnest(
    $1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::jsonb[], $8::text[]
) AS published (kind, queue, priority, max_attempts, on_failure, retain_seconds, arguments, source)
ORDER BY kind
ON CONFLICT (kind) DO UPDATE
SET queue = excluded.queue,
    priority = excluded.priority,
    max_attempts = excluded.max_attempts,
    on_failure = excluded.on_failure,
    retain_seconds = excluded.retain_seconds,
    arguments = excluded.arguments,
    source = excluded.source,
    published_at = now()
WHERE (known.queue, known.priority, known.max_attempts, known.on_failure,
       known.retain_seconds, known.arguments, known.source)
   IS DISTINCT FROM
      (excluded.queue, excluded.priority, excluded.max_attempts, excluded.on_failure,
       excluded.retain_seconds, excluded.arguments, excluded.source);
