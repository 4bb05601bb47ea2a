-- Ends jobs in one way: takes them out of the queue, and keeps a record for as long as asked.
--
-- $1 session bigint, $2 places tid[], $3 ids bigint[], $4 claim_numbers integer[],
-- $5 failures jsonb[] (or NULL), $6 ending text, $7 retain float8 (seconds)
--
-- Fenced by session and claim number: what another worker holds now is left alone. Finds a row
-- where its claim has put it, which spares a search of the index; one that has moved since is
-- not found (see find_places.sql). The zero keeps the planner from the primary key, which it
-- thinks as good while the table is small. Returns the claims that were settled, in one row:
-- there may be many.
WITH ended AS (
    DELETE FROM pgqueuer.jobs AS job
    USING unnest($2::tid[], $3::bigint[], $4::integer[], $5::jsonb[])
        AS settled (place, id, claim_number, failure)
    WHERE job.ctid = settled.place
      AND job.id + 0 = settled.id
      AND job.claimed_by = $1
      AND job.claim_number = settled.claim_number
    RETURNING
        job.id,
        job.claim_number,
        job.kind,
        job.enqueued_at,
        job.claimed_at,
        job.attempt,
        job.priority,
        pgqueuer.add_failure(job.failures, settled.failure) AS failures
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, expires_at, attempt, priority, ending, failures)
    SELECT
        id,
        kind,
        enqueued_at,
        claimed_at,
        (SELECT now() + make_interval(secs => $7)),
        attempt,
        priority,
        (SELECT $6::text::pgqueuer.job_ending),
        coalesce(failures, '[]')
    FROM ended
    WHERE $7 > 0
)
SELECT array_agg(id) AS ids, array_agg(claim_number) AS claim_numbers
FROM ended;
