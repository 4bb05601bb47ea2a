-- When the newest records in some blocks of the history were finished, in the order of the parts. NULL for
-- none.
--
-- $1 from_days timestamptz[], $2 to_days timestamptz[] (NULL: history_default), $3 first_blocks bigint[],
-- $4 end_blocks bigint[] (not read any more)
--
-- Reads these blocks, by their numbers, of the partition that has the day.
SELECT (
    SELECT max(finished_at)
    FROM (
        SELECT finished_at
        FROM pgqueuer.history AS record
        WHERE expires_at >= part.from_day
          AND expires_at < part.to_day
          AND record.ctid >= ('(' || part.first_block || ',0)')::tid
          AND record.ctid < ('(' || part.end_block || ',0)')::tid
        UNION ALL
        SELECT finished_at
        FROM pgqueuer.history_default AS record
        WHERE part.from_day IS NULL
          AND record.ctid >= ('(' || part.first_block || ',0)')::tid
          AND record.ctid < ('(' || part.end_block || ',0)')::tid
    ) AS record
) AS newest
FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
    AS part (from_day, to_day, first_block, end_block, ordinal)
ORDER BY part.ordinal;
