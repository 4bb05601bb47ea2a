-- What a role is granted that only looks: dashboards, metrics, `pgq jobs list`. It sees payloads, and
-- changes nothing. To be run by the role that installed the schema.
GRANT USAGE ON SCHEMA pgqueuer TO app_viewer;
GRANT SELECT
    ON pgqueuer.migrations, pgqueuer.jobs, pgqueuer.lanes, pgqueuer.sessions, pgqueuer.reports,
       pgqueuer.history, pgqueuer.history_default, pgqueuer.minutes, pgqueuer.totals,
       pgqueuer.counts, pgqueuer.counts_mark, pgqueuer.kinds, pgqueuer.schedules, pgqueuer.limits,
       pgqueuer.progress
    TO app_viewer;
