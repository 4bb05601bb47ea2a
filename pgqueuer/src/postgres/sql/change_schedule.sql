-- Changes a schedule by hand. No row if there is none of this name, or it is of another kind.
--
-- $1 name text, $2 of_hand jsonb (NULL: what the code says), $3 kind text (NULL: the job stays),
-- $4 codec text, $5 payload bytea, $6 limit_key text, $7 unique_key text
UPDATE pgqueuer.schedules AS known
SET of_hand = will_be.of_hand,
    codec = CASE WHEN $3::text IS NULL THEN known.codec ELSE $4::text::pgqueuer.payload_codec END,
    payload = CASE WHEN $3::text IS NULL THEN known.payload ELSE $5 END,
    limit_key = CASE WHEN $3::text IS NULL THEN known.limit_key ELSE $6 END,
    unique_key = CASE WHEN $3::text IS NULL THEN known.unique_key ELSE $7 END,
    revision = known.revision + 1,
    since = CASE WHEN will_be.are_same THEN known.since ELSE clock_timestamp() END,
    next_tick = CASE WHEN will_be.are_same THEN known.next_tick END,
    fault = NULL
FROM (
    SELECT
        it.name,
        hand.of_hand,
        (in_force -> 'rule', in_force -> 'zone')
            = (after.now_in_force -> 'rule', after.now_in_force -> 'zone') AS are_same
    FROM pgqueuer.schedules AS it
    CROSS JOIN LATERAL (
        SELECT CASE WHEN $2::jsonb IS NULL THEN '{}' ELSE it.of_hand || $2::jsonb END AS of_hand
    ) AS hand
    CROSS JOIN LATERAL (SELECT coalesce(it.of_code, '{}') || hand.of_hand AS now_in_force) AS after
    WHERE it.name = $1
      AND ($2::jsonb IS NOT NULL OR it.of_code IS NOT NULL)
    FOR UPDATE OF it
) AS will_be
WHERE known.name = will_be.name
  AND ($3::text IS NULL OR known.kind = $3)
RETURNING known.name;
