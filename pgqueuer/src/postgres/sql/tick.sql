-- Carries out ticks: see the function.
--
-- $1 names text[], $2 revisions bigint[], $3 slots timestamptz[], $4 next_ticks timestamptz[],
-- $5 faults text[]
SELECT name, slot, id
FROM pgqueuer.tick($1, $2, $3, $4, $5);
