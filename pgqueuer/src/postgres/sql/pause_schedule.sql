-- Pauses a schedule, or lets it go on.
--
-- $1 name text, $2 paused boolean
SELECT pgqueuer.pause_schedule($1, $2) AS is_changed;
