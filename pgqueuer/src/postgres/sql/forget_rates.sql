-- Deletes what says nothing any more of how many have begun.
--
-- $1 limit bigint
DELETE FROM pgqueuer.rates
WHERE ctid = ANY (ARRAY(
    SELECT ctid
    FROM pgqueuer.rates
    WHERE rate_at < now()
    LIMIT $1
    FOR UPDATE SKIP LOCKED
));
