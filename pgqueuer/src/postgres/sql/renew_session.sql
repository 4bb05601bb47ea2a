-- Makes a lease last from now on. Finds no row when the session was rescued.
--
-- $1 session bigint, $2 lease float8 (seconds)
--
-- A lease that has run out, but that nobody has acted on, is as good as new.
UPDATE pgqueuer.sessions
SET expires_at = now() + make_interval(secs => $2)
WHERE id = $1;
