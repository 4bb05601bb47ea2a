-- Adds what a worker has done to its minutes, and to the totals.
--
-- $1 ago float8[] (seconds), $2 kinds text[], $3 sessions bigint[], $4 completed bigint[],
-- $5 retried bigint[], $6 held bigint[], $7 discarded bigint[], $8 cancelled bigint[],
-- $9 snoozed bigint[], $10 wait_seconds float8[], $11 run_seconds float8[],
-- $12 max_run_seconds float8[], $13 waits text[] (each a bigint[]), $14 runs text[] (each a bigint[])
--
-- The worker says how long ago it was, and the clock of the database says when. Workers share sixteen rows
-- for each kind: few to be read, and many enough for them not to wait for each other often. Summed first,
-- since one statement cannot add to a row twice, and ordered, so that two cannot deadlock. No
-- index changes when a row is added to.
WITH done AS MATERIALIZED (
    SELECT
        date_trunc('minute', now() - make_interval(secs => ago), 'UTC') AS minute,
        kind COLLATE "C" AS kind,
        (session % 16)::smallint AS shard,
        completed,
        retried,
        held,
        discarded,
        cancelled,
        snoozed,
        wait_seconds,
        run_seconds,
        max_run_seconds,
        waits::bigint[],
        runs::bigint[]
    FROM unnest(
        $1::float8[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[], $10::float8[], $11::float8[], $12::float8[],
        $13::text[], $14::text[]
    ) AS done (ago, kind, session, completed, retried, held, discarded, cancelled, snoozed,
               wait_seconds, run_seconds, max_run_seconds, waits, runs)
),
-- Run last, since it is what workers wait for most.
added AS (
    INSERT INTO pgqueuer.totals AS known
        (kind, shard, completed, retried, held, discarded, cancelled, snoozed,
         wait_seconds, run_seconds, max_run_seconds, waits, runs)
    SELECT
        kind,
        shard,
        sum(completed),
        sum(retried),
        sum(held),
        sum(discarded),
        sum(cancelled),
        sum(snoozed),
        sum(wait_seconds),
        sum(run_seconds),
        max(max_run_seconds),
        pgqueuer.sum_counts(waits),
        pgqueuer.sum_counts(runs)
    FROM done
    GROUP BY kind, shard
    ORDER BY kind, shard
    ON CONFLICT (kind, shard) DO UPDATE
    SET completed = known.completed + excluded.completed,
        retried = known.retried + excluded.retried,
        held = known.held + excluded.held,
        discarded = known.discarded + excluded.discarded,
        cancelled = known.cancelled + excluded.cancelled,
        snoozed = known.snoozed + excluded.snoozed,
        wait_seconds = known.wait_seconds + excluded.wait_seconds,
        run_seconds = known.run_seconds + excluded.run_seconds,
        max_run_seconds = greatest(known.max_run_seconds, excluded.max_run_seconds),
        waits = pgqueuer.add_counts(known.waits, excluded.waits),
        runs = pgqueuer.add_counts(known.runs, excluded.runs)
)
INSERT INTO pgqueuer.minutes AS known
    (minute, kind, shard, completed, retried, held, discarded, cancelled, snoozed,
     wait_seconds, run_seconds, max_run_seconds, waits, runs)
SELECT
    minute,
    kind,
    shard,
    sum(completed),
    sum(retried),
    sum(held),
    sum(discarded),
    sum(cancelled),
    sum(snoozed),
    sum(wait_seconds),
    sum(run_seconds),
    max(max_run_seconds),
    pgqueuer.sum_counts(waits),
    pgqueuer.sum_counts(runs)
FROM done
GROUP BY minute, kind, shard
ORDER BY minute, kind, shard
ON CONFLICT (minute, kind, shard) DO UPDATE
SET completed = known.completed + excluded.completed,
    retried = known.retried + excluded.retried,
    held = known.held + excluded.held,
    discarded = known.discarded + excluded.discarded,
    cancelled = known.cancelled + excluded.cancelled,
    snoozed = known.snoozed + excluded.snoozed,
    wait_seconds = known.wait_seconds + excluded.wait_seconds,
    run_seconds = known.run_seconds + excluded.run_seconds,
    max_run_seconds = greatest(known.max_run_seconds, excluded.max_run_seconds),
    waits = pgqueuer.add_counts(known.waits, excluded.waits),
    runs = pgqueuer.add_counts(known.runs, excluded.runs);
