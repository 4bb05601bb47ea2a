-- Removes what the migrations have made. The schema itself stays if there is anything of
-- somebody else's in it.
DROP FUNCTION IF EXISTS pgqueuer.delete_schedule;
DROP FUNCTION IF EXISTS pgqueuer.run_schedule;
DROP FUNCTION IF EXISTS pgqueuer.pause_schedule;
DROP FUNCTION IF EXISTS pgqueuer.schedule;
DROP FUNCTION IF EXISTS pgqueuer.tick;
DROP FUNCTION IF EXISTS pgqueuer.enqueue_slot;
DROP FUNCTION IF EXISTS pgqueuer.enqueue;
DROP FUNCTION IF EXISTS pgqueuer.enqueue_unique;
DROP FUNCTION IF EXISTS pgqueuer.checked_payload;
DROP FUNCTION IF EXISTS pgqueuer.has_space;
DROP FUNCTION IF EXISTS pgqueuer.checked_key;
DROP FUNCTION IF EXISTS pgqueuer.key_of;
DROP FUNCTION IF EXISTS pgqueuer.ring;
DROP FUNCTION IF EXISTS pgqueuer.tell;
DROP FUNCTION IF EXISTS pgqueuer.tell_ends;
DROP FUNCTION IF EXISTS pgqueuer.claim_limited;
DROP FUNCTION IF EXISTS pgqueuer.free_slots;
DROP FUNCTION IF EXISTS pgqueuer.free_slots_of_key;
DROP FUNCTION IF EXISTS pgqueuer.tokens;
DROP FUNCTION IF EXISTS pgqueuer.spend;
DROP FUNCTION IF EXISTS pgqueuer.next_tokens;
DROP FUNCTION IF EXISTS pgqueuer.refuse_claim;
DROP FUNCTION IF EXISTS pgqueuer.tend_history;
DROP FUNCTION IF EXISTS pgqueuer.add_failure;
DROP FUNCTION IF EXISTS pgqueuer.recount;
DROP FUNCTION IF EXISTS pgqueuer.fold_counts;
DROP AGGREGATE IF EXISTS pgqueuer.sum_counts(bigint[]);
DROP FUNCTION IF EXISTS pgqueuer.add_counts;
DROP VIEW IF EXISTS pgqueuer.awaited;
DROP TABLE IF EXISTS
    pgqueuer.jobs,
    pgqueuer.lanes,
    pgqueuer.reports,
    pgqueuer.sessions,
    pgqueuer.history,
    pgqueuer.minutes,
    pgqueuer.totals,
    pgqueuer.counts,
    pgqueuer.counts_mark,
    pgqueuer.kinds,
    pgqueuer.schedules,
    pgqueuer.unique_keys,
    pgqueuer.limits,
    pgqueuer.rates,
    pgqueuer.watchers,
    pgqueuer.progress,
    pgqueuer.migrations;
DROP SEQUENCE IF EXISTS pgqueuer.positions;
DROP TYPE IF EXISTS pgqueuer.job_state, pgqueuer.job_ending, pgqueuer.payload_codec;
DO $$
    BEGIN
        EXECUTE 'DROP SCHEMA ' || left('pgqueuer.', -1);
    EXCEPTION
        WHEN dependent_objects_still_exist THEN NULL;
    END
$$;
