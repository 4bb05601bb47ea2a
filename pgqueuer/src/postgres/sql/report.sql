-- Says what a worker does. Nothing, if its session is over.
--
-- $1 session bigint, $2 concurrency integer, $3 running jsonb (how many, by kind), $4 fronts jsonb (a list of
-- kind, priority and due_ago in seconds)
INSERT INTO pgqueuer.reports AS known (session, concurrency, running, fronts)
SELECT
    id,
    $2,
    $3,
    (
        SELECT coalesce(
            jsonb_agg(jsonb_build_object(
                'kind', kind,
                'priority', priority,
                'due_at', now() - make_interval(secs => due_ago)
            )),
            '[]'
        )
        FROM jsonb_to_recordset($4::jsonb) AS front (kind text, priority smallint, due_ago float8)
    )
FROM pgqueuer.sessions
WHERE id = $1
ON CONFLICT (session) DO UPDATE
SET concurrency = excluded.concurrency,
    running = excluded.running,
    fronts = excluded.fronts;
