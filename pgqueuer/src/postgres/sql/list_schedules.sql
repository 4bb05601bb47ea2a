-- The schedules, by kind. No parameters.
SELECT kind, rule, next_tick, last_tick
FROM pgqueuer.schedules
ORDER BY kind;
