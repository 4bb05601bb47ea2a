-- Deletes those who have waited, and do no more.
--
-- $1 limit bigint
WITH expired AS MATERIALIZED (
    SELECT id
    FROM pgqueuer.watchers
    WHERE expires_at <= now()
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
DELETE FROM pgqueuer.watchers
WHERE id = ANY (ARRAY(SELECT id FROM expired));
