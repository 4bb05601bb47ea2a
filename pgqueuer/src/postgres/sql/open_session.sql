-- Begins one life of a worker.
--
-- $1 worker text, $2 lease float8 (seconds)
INSERT INTO pgqueuer.sessions (worker, expires_at)
VALUES ($1, now() + make_interval(secs => $2))
RETURNING id;
