-- Ends jobs: takes them out of the queue, and keeps a record for as long as asked.
--
-- $1 session bigint, $2 ids bigint[], $3 claim_numbers integer[], $4 endings text[],
-- $5 retain float8[] (seconds), $6 failures jsonb[] (or NULL)
--
-- Fenced by session and claim number: what another worker holds now is left alone.
-- Returns the claims that were settled, in one row: there may be many. Finds the rows by the primary key.
WITH settled AS (
    SELECT *
    FROM unnest($2::bigint[], $3::integer[], $4::text[], $5::float8[], $6::jsonb[])
        AS settled (id, claim_number, ending, retain, failure)
),
ended AS (
    DELETE FROM pgqueuer.jobs AS job
    USING settled
    WHERE job.id = settled.id
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
        pgqueuer.add_failure(job.failures, settled.failure) AS failures,
        settled.ending,
        settled.retain
),
recorded AS (
    INSERT INTO pgqueuer.history
        (job_id, kind, enqueued_at, claimed_at, expires_at, attempt, priority, ending, failures)
    SELECT
        id,
        kind,
        enqueued_at,
        claimed_at,
        now() + make_interval(secs => retain),
        attempt,
        priority,
        ending::pgqueuer.job_ending,
        coalesce(failures, '[]')
    FROM ended
    WHERE retain > 0
)
SELECT array_agg(id) AS ids, array_agg(claim_number) AS claim_numbers
FROM ended;
