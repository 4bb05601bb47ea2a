-- Deletes keys whose time is over.
--
-- $1 limit bigint
DELETE FROM pgqueuer.unique_keys
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM pgqueuer.unique_keys
    WHERE expires_at <= now()
    ORDER BY expires_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
));
