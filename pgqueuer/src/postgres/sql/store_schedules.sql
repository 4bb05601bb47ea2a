-- Adds schedules. One that is there keeps its next tick, unless its rule has changed.
--
-- $1 kinds text[], $2 rules text[], $3 next_ticks timestamptz[]
--
-- Ordered, so that two workers that start together cannot deadlock.
INSERT INTO pgqueuer.schedules AS known (kind, rule, next_tick)
SELECT kind, rule, next_tick
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS stored (kind, rule, next_tick)
ORDER BY kind
ON CONFLICT (kind) DO UPDATE
SET rule = excluded.rule,
    next_tick = excluded.next_tick
WHERE known.rule <> excluded.rule;
