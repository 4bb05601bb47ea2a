-- What waits, of each kind that is known or has unfinished jobs: how many by the counts, and since when.
-- No parameters.
--
-- Reads no more of the jobs than the head of each line, from its low-water mark on.
WITH counted AS MATERIALIZED (
    SELECT
        kind,
        sum(available)::bigint AS available,
        sum(scheduled)::bigint AS scheduled,
        sum(held)::bigint AS held
    FROM pgqueuer.counts
    WHERE id > (SELECT low FROM pgqueuer.counts_mark)
    GROUP BY kind
    HAVING (sum(available), sum(scheduled), sum(held)) <> (0, 0, 0)
),
oldest AS MATERIALIZED (
    SELECT lane.kind, min(head.due_at) AS due_at
    FROM (
        SELECT kind, priority, max(low_water) AS low_water
        FROM pgqueuer.lanes
        WHERE kind IN (SELECT kind FROM counted WHERE available > 0)
        GROUP BY kind, priority
    ) AS lane
    CROSS JOIN LATERAL (
        SELECT greatest(job.run_at, job.enqueued_at) AS due_at
        FROM pgqueuer.jobs AS job
        WHERE job.kind = lane.kind
          AND job.priority = lane.priority
          AND job.position > lane.low_water
          AND job.state = 'available'
          AND job.claimed_by IS NULL
        ORDER BY job.position
        LIMIT 1
    ) AS head
    GROUP BY lane.kind
)
SELECT
    coalesce(known.kind, counted.kind) AS kind,
    known.queue,
    known.job <> known.kind AS is_alias,
    coalesce(counted.available, 0) AS available,
    coalesce(counted.scheduled, 0) AS scheduled,
    coalesce(counted.held, 0) AS held,
    oldest.due_at,
    paused.scope AS paused_scope,
    paused.name AS paused_name
FROM counted
FULL JOIN pgqueuer.kinds AS known ON known.kind = counted.kind
LEFT JOIN oldest ON oldest.kind = counted.kind
LEFT JOIN LATERAL (
    SELECT rule.scope, rule.name
    FROM pgqueuer.limits AS rule
    WHERE rule.paused_at IS NOT NULL
      AND (
          rule.scope = 'everything'
          OR rule.scope = 'kind' AND rule.name = coalesce(known.job, counted.kind)
          OR rule.scope = 'queue' AND rule.name = known.queue
      )
    -- The widest first.
    ORDER BY rule.scope = 'everything' DESC, rule.scope = 'queue' DESC
    LIMIT 1
) AS paused ON true
ORDER BY 1;
