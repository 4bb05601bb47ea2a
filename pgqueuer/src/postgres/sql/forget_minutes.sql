-- Deletes minutes that ended long ago.
--
-- $1 keep float8 (seconds), $2 limit bigint
--
-- Reads the primary key from its front. SKIP LOCKED lets several workers do it at once.
WITH old AS MATERIALIZED (
    SELECT ctid
    FROM pgqueuer.minutes
    WHERE minute <= now() - make_interval(secs => $1) - interval '1 minute'
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM pgqueuer.minutes
WHERE ctid = ANY (ARRAY(SELECT ctid FROM old));
