-- Tells other workers, and later ones, how far these lanes are done with.
--
-- $1 kinds text[], $2 priorities smallint[], $3 low_waters bigint[]
--
-- Ordered and skipping, so that workers which tell at once do not wait for each other.
WITH known AS MATERIALIZED (
    SELECT lane.ctid AS place, told.low_water
    FROM pgqueuer.lanes AS lane
    JOIN unnest($1::text[], $2::smallint[], $3::bigint[]) AS told (kind, priority, low_water)
        ON told.kind = lane.kind
       AND told.priority = lane.priority
       AND told.low_water > lane.low_water
    FOR UPDATE OF lane SKIP LOCKED
)
UPDATE pgqueuer.lanes AS lane
SET low_water = known.low_water
FROM known
WHERE lane.ctid = known.place;
