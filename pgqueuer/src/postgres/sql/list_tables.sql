-- The tables of the queue, with the partitions of the history: how they are kept, and how they are vacuumed.
--
-- No parameters. Reads the catalog, the statistics and the sizes of files. Those of the table beside it for
-- what is large are named `toast.…`, as they are set.
SELECT
    class.relname AS name,
    class.relpersistence = 'p' AS is_logged,
    ARRAY(
        SELECT setting
        FROM (
            SELECT unnest(class.reloptions) AS setting
            UNION ALL
            SELECT 'toast.' || unnest(toast.reloptions)
        ) AS settings
        ORDER BY setting
    ) AS settings,
    pg_total_relation_size(class.oid) AS bytes,
    coalesce(stat.n_dead_tup, 0) AS dead_rows,
    greatest(stat.last_vacuum, stat.last_autovacuum) AS vacuumed_at
FROM pg_class AS class
LEFT JOIN pg_class AS toast ON toast.oid = class.reltoastrelid
LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = class.oid
WHERE class.relkind = 'r'
  AND class.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'pgqueuer.jobs'::regclass)
ORDER BY class.relname;
