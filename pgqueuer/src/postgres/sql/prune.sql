-- Deletes records of finished jobs that need not be kept any longer.
--
-- $1 limit bigint
--
-- Reads history_expires_idx. SKIP LOCKED lets several workers prune at once.
WITH expired AS MATERIALIZED (
    SELECT ctid
    FROM pgqueuer.history
    WHERE expires_at <= now()
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
DELETE FROM pgqueuer.history
WHERE ctid = ANY (ARRAY(SELECT ctid FROM expired));
