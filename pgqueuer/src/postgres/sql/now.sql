-- The time, by the clock of the database. No parameters.
SELECT clock_timestamp() AS now;
