-- Notes how far jobs are that a session runs.
--
-- $1 session bigint, $2 ids bigint[], $3 claim_numbers integer[], $4 fractions real[], $5 notes text[]
--
-- Fenced by session and claim number: of a job that another worker runs now, nothing is noted.
INSERT INTO pgqueuer.progress AS progress (job_id, claim_number, fraction, note)
SELECT noted.id, noted.claim_number, noted.fraction, noted.note
FROM unnest($2::bigint[], $3::integer[], $4::real[], $5::text[]) AS noted (id, claim_number, fraction, note)
JOIN pgqueuer.jobs AS job
    ON job.id = noted.id
    AND job.claim_number = noted.claim_number
    AND job.claimed_by = $1
-- Two workers that do this at once never wait for each other in a circle.
ORDER BY noted.id
ON CONFLICT (job_id) DO UPDATE
SET claim_number = excluded.claim_number,
    fraction = excluded.fraction,
    note = excluded.note,
    updated_at = excluded.updated_at;
