-- Deletes a schedule.
--
-- $1 name text
SELECT pgqueuer.delete_schedule($1) AS is_deleted;
