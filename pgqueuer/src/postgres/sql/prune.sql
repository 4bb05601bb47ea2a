-- Deletes records of finished jobs that need not be kept any longer, where they do not go with
-- their partition.
--
-- $1 limit bigint
--
-- Reads history_default_expires_idx. SKIP LOCKED lets several workers prune at once.
WITH expired AS MATERIALIZED (
    SELECT ctid
    FROM pgqueuer.history_default
    WHERE expires_at <= now()
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
DELETE FROM pgqueuer.history_default
WHERE ctid = ANY (ARRAY(SELECT ctid FROM expired));
