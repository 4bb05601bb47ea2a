-- How far positions have been given out, which transactions are under way, and how many workers
-- there are. No parameters.
--
-- Once no transaction before `next` is under way any more, all that had begun to write by now
-- has been committed or rolled back. A snapshot that only reads does not hold this back. `next`
-- is a transaction id of its own: the snapshot's xmax is only the first after those that have
-- ended, and who has begun last may lie beyond it. The position is read first, so that whoever
-- took one has an id before that.
SELECT
    (SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM pgqueuer.positions) AS position,
    pg_current_xact_id()::text::bigint AS next,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
    (SELECT count(*) FROM pgqueuer.sessions WHERE expires_at > now()) AS sessions;
