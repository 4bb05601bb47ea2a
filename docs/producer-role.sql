-- What a role is granted that only enqueues. It cannot read payloads, but for unique jobs (the second part).
-- To be run by the role that installed the schema.
GRANT USAGE ON SCHEMA pgqueuer TO app_producer;
GRANT USAGE ON SEQUENCE pgqueuer.positions TO app_producer;
GRANT SELECT ON pgqueuer.kinds, pgqueuer.sessions TO app_producer;
GRANT SELECT, INSERT ON pgqueuer.lanes TO app_producer;
GRANT INSERT ON pgqueuer.jobs, pgqueuer.counts TO app_producer;
GRANT SELECT (id, kind, priority, state) ON pgqueuer.jobs TO app_producer;

-- For unique jobs.
GRANT SELECT, UPDATE ON pgqueuer.jobs TO app_producer;
GRANT SELECT, INSERT, UPDATE ON pgqueuer.unique_keys TO app_producer;
