-- Says whether a worker sleeps until the bell rings.
--
-- $1 session bigint, $2 armed boolean
UPDATE pgqueuer.sessions
SET armed = $2
WHERE id = $1;
