-- For a queue that is busy for long: vacuum in time, without pauses, and let the tables keep their size.
--
-- A pause of 2 ms every few pages, the default of the server, is longer than a busy queue takes to leave as
-- many dead rows behind. Giving back the end of a file takes a lock that all wait for, and the next burst
-- needs the file again.
ALTER TABLE pgqueuer.jobs SET (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.1,
    vacuum_truncate = off,
    toast.autovacuum_vacuum_scale_factor = 0.01,
    toast.autovacuum_vacuum_threshold = 1000,
    toast.autovacuum_vacuum_cost_delay = 0,
    toast.vacuum_truncate = off
);
ALTER TABLE pgqueuer.counts SET (
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE pgqueuer.unique_keys SET (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off
);
