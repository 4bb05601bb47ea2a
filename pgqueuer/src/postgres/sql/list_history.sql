-- The newest of the finished jobs that are meant and were written to some blocks of the history.
--
-- $1 from_day timestamptz, $2 to_day timestamptz (NULL: history_default), $3 first_block bigint,
-- $4 end_block bigint (not read any more), $5 kinds text[], $6 ending text, $7 since timestamptz (each NULL
-- for any), $8 below_time timestamptz, $9 below_id bigint (NULL: from the newest), $10 limit bigint
--
-- Reads these blocks, by their numbers, of the partition that has the day, and no others. To be planned each
-- time: the plan for a partition that is still empty would read all of it.
SELECT
    job_id AS id,
    kind,
    ending::text AS state,
    priority,
    attempt,
    enqueued_at,
    NULL::timestamptz AS run_at,
    claimed_at,
    finished_at,
    NULL AS codec,
    NULL::bytea AS payload,
    NULL AS headers,
    failures::text AS failures,
    nullif(result, '') AS result,
    NULL::real AS fraction
FROM (
    SELECT *
    FROM pgqueuer.history AS record
    WHERE expires_at >= $1::timestamptz
      AND expires_at < $2::timestamptz
      AND record.ctid >= ('(' || $3::bigint || ',0)')::tid
      AND record.ctid < ('(' || $4::bigint || ',0)')::tid
    UNION ALL
    SELECT *
    FROM pgqueuer.history_default AS record
    WHERE $1::timestamptz IS NULL
      AND record.ctid >= ('(' || $3::bigint || ',0)')::tid
      AND record.ctid < ('(' || $4::bigint || ',0)')::tid
) AS record
WHERE expires_at > now()
  AND ($5::text[] IS NULL OR kind = ANY ($5))
  AND ($6::text IS NULL OR ending::text = $6)
  AND ($7::timestamptz IS NULL OR finished_at >= $7)
  AND ($8::timestamptz IS NULL OR (finished_at, job_id) < ($8, $9::bigint))
ORDER BY finished_at DESC, job_id DESC
LIMIT $10;
