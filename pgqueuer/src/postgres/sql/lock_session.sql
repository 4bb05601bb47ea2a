-- Locks a session that is about to be closed, once the claim is through that it may be making.
--
-- $1 session bigint
--
-- A statement of its own, for the reason in expired_sessions.sql.
SELECT id
FROM pgqueuer.sessions
WHERE id = $1
FOR UPDATE;
