-- What is limited or paused.
SELECT scope, name, of_code, in_force, paused_at
FROM pgqueuer.limits
WHERE in_force <> '{}'
   OR of_code <> '{}'
   OR paused_at IS NOT NULL
ORDER BY scope, name;
