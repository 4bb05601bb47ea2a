-- Makes or drops one partition of the history, if any is to be made or dropped, and says which.
SELECT created, dropped
FROM pgqueuer.tend_history();
