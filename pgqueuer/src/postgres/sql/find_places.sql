-- Where the rows of these jobs are now, of those that the session holds.
--
-- $1 session bigint, $2 ids bigint[]
SELECT id, tidsend(ctid) AS place
FROM pgqueuer.jobs
WHERE id = ANY ($2::bigint[])
  AND claimed_by = $1;
