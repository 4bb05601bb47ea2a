-- The workers, the oldest first; also those whose lease has run out, until others have ended their sessions.
-- No parameters.
SELECT
    session.id,
    session.worker,
    session.started_at,
    session.expires_at,
    session.armed,
    report.concurrency,
    coalesce(report.running, '{}') AS running
FROM pgqueuer.sessions AS session
LEFT JOIN pgqueuer.reports AS report ON report.session = session.id
ORDER BY session.id;
