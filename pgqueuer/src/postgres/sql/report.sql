-- Says what a worker does. Nothing, if its session is over.
--
-- $1 session bigint, $2 concurrency integer, $3 running jsonb (how many, by kind)
INSERT INTO pgqueuer.reports AS known (session, concurrency, running)
SELECT id, $2, $3
FROM pgqueuer.sessions
WHERE id = $1
ON CONFLICT (session) DO UPDATE
SET concurrency = excluded.concurrency,
    running = excluded.running;
