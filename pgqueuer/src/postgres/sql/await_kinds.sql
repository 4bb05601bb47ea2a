-- Says which kinds of jobs a process waits for, for a while.
--
-- $1 watcher bigint (NULL: a new one), $2 kinds text[], $3 lasts float8 (seconds)
WITH known AS (
    UPDATE pgqueuer.watchers
    SET kinds = $2,
        expires_at = now() + make_interval(secs => $3)
    WHERE id = $1
    RETURNING id
),
made AS (
    INSERT INTO pgqueuer.watchers (kinds, expires_at)
    SELECT $2, now() + make_interval(secs => $3)
    WHERE NOT EXISTS (SELECT FROM known)
    RETURNING id
)
SELECT id FROM known
UNION ALL
SELECT id FROM made;
