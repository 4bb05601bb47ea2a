-- Enqueues the job of a schedule now.
--
-- $1 name text
SELECT pgqueuer.run_schedule($1) AS id;
