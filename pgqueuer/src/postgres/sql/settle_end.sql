-- Ends jobs in one way: takes them out of the queue, and keeps a record for as long as asked.
--
-- $1 session bigint, $2 places text[], $3 ids bigint[], $4 claim_numbers integer[],
-- $5 failures jsonb (by id, or NULL), $6 ending text, $7 retain float8 (seconds), $8 results jsonb (texts by
-- id, or NULL)
--
-- Fenced by session and claim number: what another worker holds now is left alone. Finds the rows
-- where their claims have put them, all in one scan, which spares a search of the index; one that
-- has moved since is not found (see find_places.sql). CASE keeps the list of claims a hash table,
-- where IN alone becomes a join. Returns the claims that were settled, in one row: there may be
-- many.
WITH ended AS (
    DELETE FROM pgqueuer.jobs AS job
    WHERE job.ctid = ANY ($2::text[]::tid[])
      AND job.claimed_by = $1
      AND CASE
          WHEN (job.id, job.claim_number) IN (SELECT * FROM unnest($3::bigint[], $4::integer[]))
          THEN true
          ELSE false
      END
    RETURNING
        job.id,
        job.claim_number,
        job.kind,
        job.enqueued_at,
        job.claimed_at,
        job.attempt,
        job.priority,
        job.slot,
        job.cancel_reason IS NOT NULL AS is_cancelled,
        pgqueuer.add_failure(job.failures, $5::jsonb -> job.id::text) AS failures
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, expires_at, attempt, priority, ending, failures, result)
    SELECT
        id,
        kind,
        enqueued_at,
        claimed_at,
        (SELECT now() + make_interval(secs => $7)),
        attempt,
        priority,
        CASE WHEN is_cancelled THEN 'cancelled' ELSE (SELECT $6::text::pgqueuer.job_ending) END,
        coalesce(failures, '[]'),
        coalesce(
            $8::jsonb ->> id::text,
            CASE WHEN kind IN (SELECT kind FROM pgqueuer.awaited) THEN 'null' ELSE '' END
        )
    FROM ended
),
counted AS (
    INSERT INTO pgqueuer.counts (kind, available)
    SELECT kind, -count(*)
    FROM ended
    GROUP BY kind
),
-- Slots are free, if any was taken.
rung AS MATERIALIZED (
    SELECT pgqueuer.ring()
    FROM ended
    WHERE slot
    LIMIT 1
),
-- Somebody waits for them.
told AS MATERIALIZED (
    SELECT pgqueuer.tell_ends(array_agg(id))
    FROM ended
    WHERE kind IN (SELECT kind FROM pgqueuer.awaited)
)
SELECT array_agg(ended.id) AS ids, array_agg(ended.claim_number) AS claim_numbers
FROM ended
LEFT JOIN rung ON true
CROSS JOIN told;
