-- When these schedules tick next, soonest first, with the time now.
--
-- $1 kinds text[]
SELECT kind, next_tick, now() AS now
FROM pgqueuer.schedules
WHERE kind = ANY ($1::text[])
ORDER BY next_tick;
