-- Adds jobs of which some are unique. See the function.
--
-- $1 kinds text[], $2 priorities smallint[], $3 codecs text[], $4 payloads bytea[],
-- $5 headers jsonb[], $6 delays float8[] (seconds, or NULL), $7 run_ats timestamptz[] (or NULL),
-- $8 limit_keys text[] (or NULL), $9 unique_keys text[] (or NULL), $10 windows float8[] (seconds, or NULL),
-- $11 on_conflicts text[]
SELECT id, is_new
FROM pgqueuer.enqueue_unique($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ORDER BY ordinal;
