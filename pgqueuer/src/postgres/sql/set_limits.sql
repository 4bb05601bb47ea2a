-- Sets limits by hand, besides those that were set before; or lets the code's hold again. Has all look.
--
-- $1 scope text, $2 name text, $3 limits jsonb (NULL: the code's)
WITH set AS (
    INSERT INTO pgqueuer.limits AS known (scope, name, of_hand)
    VALUES ($1, $2, coalesce($3::jsonb, '{}'))
    ON CONFLICT (scope, name) DO UPDATE
    SET of_hand = CASE WHEN $3::jsonb IS NULL THEN '{}' ELSE known.of_hand || excluded.of_hand END
    RETURNING 1
)
SELECT pgqueuer.ring('lanes')::text
FROM set;
