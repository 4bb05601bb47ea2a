-- Locks the sessions whose lease has run out. One that is claiming at this moment is locked
-- already, and left for the next time.
--
-- No parameters. A statement of its own: what rescues the jobs must have a later snapshot
-- than these locks, or it would miss those of a claim that was committed in between, and
-- they would belong to nobody.
SELECT id
FROM pgqueuer.sessions
WHERE expires_at <= now()
FOR UPDATE SKIP LOCKED;
