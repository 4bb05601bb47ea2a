-- Folds up to so many rows of the counts into few. Returns how many.
--
-- $1 limit bigint
SELECT pgqueuer.fold_counts($1) AS folded;
