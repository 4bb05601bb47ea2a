-- When the server last began, or began again after a crash: another time is another life, or another
-- server. In microseconds. No parameters.
--
-- A crash of one backend ends all sessions, but not the postmaster. The statistics begin anew then.
SELECT
    (
        date_part(
            'epoch',
            greatest(pg_postmaster_start_time(), pg_stat_get_bgwriter_stat_reset_time())
        ) * 1000000
    )::bigint AS life;
