-- Whether this connection has a session of the server to itself, and whether it is in a transaction
-- that an earlier message has begun. No parameters.
--
-- A pooler sends its own settings when it connects to the server, not those of its clients. sqlx
-- always sends extra_float_digits, and a worker more than that. The four that are left out are those
-- which a pooler may be told to send.
SELECT
    EXISTS (
        SELECT
        FROM pg_settings
        WHERE source = 'client'
          AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone')
    ) AS is_direct,
    now() < statement_timestamp() AS has_begun;
