-- What the role of a worker is granted, after the schema was installed by another one. It
-- needs no right to create anything. To be run by the role that installed the schema.
GRANT USAGE ON SCHEMA pgqueuer TO app_worker;
GRANT SELECT ON pgqueuer.migrations TO app_worker;
GRANT SELECT, INSERT, UPDATE, DELETE
    ON pgqueuer.jobs, pgqueuer.lanes, pgqueuer.sessions, pgqueuer.history, pgqueuer.history_default,
       pgqueuer.minutes, pgqueuer.kinds, pgqueuer.schedules, pgqueuer.limits, pgqueuer.rates,
       pgqueuer.unique_keys, pgqueuer.watchers, pgqueuer.progress,
       pgqueuer.counts, pgqueuer.counts_mark, pgqueuer.totals, pgqueuer.reports
    TO app_worker;
GRANT SELECT ON pgqueuer.awaited TO app_worker;
GRANT USAGE, SELECT ON SEQUENCE pgqueuer.positions TO app_worker;
GRANT SELECT ON SEQUENCE pgqueuer.counts_id_seq TO app_worker;
GRANT EXECUTE ON FUNCTION pgqueuer.tend_history TO app_worker;
