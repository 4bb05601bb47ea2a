-- Mends the counts. No parameters. Returns how many kinds were wrong.
SELECT pgqueuer.recount() AS mended;
