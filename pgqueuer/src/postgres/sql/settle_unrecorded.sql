-- Ends jobs that leave no record: settle_end.sql without the history.
--
-- $1 session bigint, $2 places text[], $3 ids bigint[], $4 claim_numbers integer[]
WITH ended AS (
    DELETE FROM pgqueuer.jobs AS job
    WHERE job.ctid = ANY ($2::text[]::tid[])
      AND job.claimed_by = $1
      AND CASE
          WHEN (job.id, job.claim_number) IN (SELECT * FROM unnest($3::bigint[], $4::integer[]))
          THEN true
          ELSE false
      END
    RETURNING job.id, job.claim_number, job.kind, job.slot
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
)
SELECT array_agg(ended.id) AS ids, array_agg(ended.claim_number) AS claim_numbers
FROM ended
LEFT JOIN rung ON true;
