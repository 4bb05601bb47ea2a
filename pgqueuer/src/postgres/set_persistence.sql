-- Makes a table logged or unlogged. Its rows stay: it is written anew, and locked meanwhile.
--
-- Takes the name of the table, and whether it is to be unlogged, from settings of this transaction, since
-- a table cannot be a parameter.
DO $$
    DECLARE
        home     constant text := (
            SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'pgqueuer.jobs'::regclass
        );
        changed  constant text := format('%s.%I', home, current_setting('pgqueuer_change.table'));
        unlogged constant boolean := current_setting('pgqueuer_change.unlogged');
        sequence regclass;
    BEGIN
        -- Whoever waits for a strong lock holds up all who come after.
        SET LOCAL lock_timeout = '5s';
        EXECUTE format('ALTER TABLE %s SET %s', changed, CASE WHEN unlogged THEN 'UNLOGGED' ELSE 'LOGGED' END);
        -- From PostgreSQL 15 on, what numbers its rows goes with it, and would begin anew after a crash, below
        -- what others remember of it.
        FOR sequence IN
            SELECT link.objid
            FROM pg_depend AS link
            JOIN pg_class AS class ON class.oid = link.objid
            WHERE link.classid = 'pg_class'::regclass
              AND link.refobjid = changed::regclass
              AND class.relkind = 'S'
              AND class.relpersistence = 'u'
        LOOP
            EXECUTE format('ALTER SEQUENCE %s SET LOGGED', sequence);
        END LOOP;
    END
$$;
