-- Which transactions are under way, how far positions have been given out, and how many workers
-- there are. No parameters.
--
-- Once no transaction before `next` is under way any more, all that had begun to write by now
-- has been committed or rolled back. A snapshot that only reads does not hold this back. The
-- position is read a moment after the snapshot was taken: a transaction that is not in it may
-- have taken one meanwhile. It has ended one horizon later.
SELECT
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
    (SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM pgqueuer.positions) AS position,
    (SELECT count(*) FROM pgqueuer.sessions WHERE expires_at > now()) AS sessions;
