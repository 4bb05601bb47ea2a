-- Makes a schedule. No row if there is one of this name.
--
-- $1 name text, $2 kind text, $3 of_hand jsonb, $4 priority smallint, $5 codec text, $6 payload bytea,
-- $7 headers jsonb, $8 limit_key text, $9 unique_key text
INSERT INTO pgqueuer.schedules
    (name, kind, of_hand, priority, codec, payload, headers, limit_key, unique_key)
VALUES ($1, $2, $3, $4, $5::text::pgqueuer.payload_codec, $6, $7, $8, $9)
ON CONFLICT (name) DO NOTHING
RETURNING name;
