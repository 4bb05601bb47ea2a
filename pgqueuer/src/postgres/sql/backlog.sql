-- What waits, of each kind that is known or has unfinished jobs: how many by the counts, and since when.
-- No parameters.
--
-- Reads no more of the jobs than the head of each line that rests, from its low-water mark on. (A line under a
-- limit for each key has no mark, for its jobs are taken from anywhere: it is read from its front.)
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
-- Where a line is busy, workers say how far they are: its head is behind all that was just claimed.
fronts AS MATERIALIZED (
    SELECT front.kind, front.priority, max(front.due_at) AS due_at
    FROM pgqueuer.reports AS report
    JOIN pgqueuer.sessions AS session ON session.id = report.session AND session.expires_at > now()
    CROSS JOIN jsonb_to_recordset(report.fronts) AS front (kind text, priority smallint, due_at timestamptz)
    GROUP BY front.kind, front.priority
),
oldest AS MATERIALIZED (
    SELECT lane.kind, min(coalesce(lane.due_at, head.due_at)) AS due_at
    FROM (
        SELECT known.kind, known.priority, max(known.low_water) AS low_water, max(fronts.due_at) AS due_at
        FROM pgqueuer.lanes AS known
        LEFT JOIN fronts ON fronts.kind = known.kind AND fronts.priority = known.priority
        WHERE known.kind IN (SELECT kind FROM counted WHERE available > 0)
        GROUP BY known.kind, known.priority
    ) AS lane
    LEFT JOIN LATERAL (
        SELECT greatest(job.run_at, job.enqueued_at) AS due_at
        FROM pgqueuer.jobs AS job
        WHERE lane.due_at IS NULL
          AND job.kind = lane.kind
          AND job.priority = lane.priority
          AND job.position > lane.low_water
          AND job.state = 'available'
          AND job.claimed_by IS NULL
        ORDER BY job.position
        LIMIT 1
    ) AS head ON true
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
