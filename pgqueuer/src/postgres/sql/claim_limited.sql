-- Claims as claim.sql does, from lanes that are limited. See the function.
--
-- $1 session bigint, $2 kinds text[], $3 priorities smallint[], $4 cursors bigint[], $5 limit bigint,
-- $6 groups integer[], $7 group_limits bigint[], $8 after_keys text[]
SELECT
    id,
    claim_number,
    kind,
    attempt,
    priority,
    "position",
    is_json,
    payload,
    headers,
    enqueued_at,
    waited,
    place,
    cancel_reason,
    lane,
    held_back,
    next_key
FROM pgqueuer.claim_limited($1, $2, $3, $4, $8, $6, $7, $5);
