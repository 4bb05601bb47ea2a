-- Whether this server takes writes: no standby does, nor one that is read-only.
-- Sent without being prepared, so that a pooler in between does not matter.

SELECT current_setting('transaction_read_only') = 'off' AS takes_writes;
