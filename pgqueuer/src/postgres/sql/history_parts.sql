-- The partitions of the history that have records which may not have expired, and how many blocks each has; and a
-- time that no record has yet.
--
-- No parameters. from_day and to_day are NULL for history_default. Reads the catalog, and the sizes of files.
SELECT
    day AS from_day,
    day + interval '24 hours' AS to_day,
    blocks,
    now() + interval '1 day' AS newest
FROM (
    SELECT
        CASE
            WHEN child.relname ~ '^history_[0-9]{8}$'
                THEN to_date(right(child.relname, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC'
        END AS day,
        pg_relation_size(child.oid) / current_setting('block_size')::bigint AS blocks
    FROM pg_inherits AS link
    JOIN pg_class AS child ON child.oid = link.inhrelid
    WHERE link.inhparent = 'pgqueuer.history'::regclass
) AS part
WHERE blocks > 0
  AND (day IS NULL OR day + interval '24 hours' > now());
