-- How many jobs are in which live state.
--
-- $1 kinds text[] (NULL: all)
--
-- Reads the whole table of live jobs.
SELECT
    count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
    count(*) FILTER (WHERE state = 'available' AND claimed_by IS NULL) AS available,
    count(*) FILTER (WHERE claimed_by IS NOT NULL) AS running,
    count(*) FILTER (WHERE state = 'held') AS held
FROM pgqueuer.jobs
WHERE $1::text[] IS NULL
   OR kind = ANY ($1::text[]);
