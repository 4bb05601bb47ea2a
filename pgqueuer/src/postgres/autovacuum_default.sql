-- As the schema is installed.
ALTER TABLE pgqueuer.jobs SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.1
);
ALTER TABLE pgqueuer.jobs RESET (
    autovacuum_vacuum_cost_delay,
    vacuum_truncate,
    toast.autovacuum_vacuum_scale_factor,
    toast.autovacuum_vacuum_threshold,
    toast.autovacuum_vacuum_cost_delay,
    toast.vacuum_truncate
);
ALTER TABLE pgqueuer.counts RESET (
    autovacuum_vacuum_cost_delay
);
ALTER TABLE pgqueuer.unique_keys RESET (
    autovacuum_vacuum_scale_factor,
    autovacuum_vacuum_threshold,
    autovacuum_vacuum_cost_delay,
    vacuum_truncate
);
