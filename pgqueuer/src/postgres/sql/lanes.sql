-- The lanes (kind and priority) that these kinds have ever had, how far each is done with, and
-- whether it is limited (for each key), or paused.
--
-- $1 kinds text[]
SELECT
    lane.kind,
    lane.priority,
    max(lane.low_water) AS low_water,
    coalesce(bool_or(rule.in_force <> '{}'), false) AS is_limited,
    coalesce(bool_or(
        rule.scope = 'kind' AND rule.in_force ?| ARRAY['concurrency_per_key', 'rate_per_key']
    ), false) AS is_keyed,
    coalesce(bool_or(rule.paused_at IS NOT NULL), false) AS is_paused
FROM pgqueuer.lanes AS lane
LEFT JOIN pgqueuer.kinds AS known ON known.kind = lane.kind
LEFT JOIN pgqueuer.limits AS rule ON rule.scope = 'everything'
    OR rule.scope = 'kind' AND rule.name = coalesce(known.job, lane.kind)
    OR rule.scope = 'queue' AND rule.name = known.queue
WHERE lane.kind = ANY ($1::text[])
GROUP BY lane.kind, lane.priority;
