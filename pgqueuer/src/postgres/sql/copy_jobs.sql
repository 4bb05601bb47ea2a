-- Adds many jobs that differ in nothing but their arguments and are due at once. Costs the server a
-- sixth less than an insert: it writes a page of jobs at a time.
COPY pgqueuer.jobs (id, position, priority, state, codec, kind, payload)
FROM STDIN (FORMAT binary)
