-- The lanes (kind and priority) that these kinds have ever had, and how far each is done with.
--
-- $1 kinds text[]
SELECT kind, priority, max(low_water) AS low_water
FROM pgqueuer.lanes
WHERE kind = ANY ($1::text[])
GROUP BY kind, priority;
