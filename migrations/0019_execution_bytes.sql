-- The execution log has a limit in bytes: each record has a size, and the sums of each app are counted like other stores.

-- Why a record has only figures: the script asked for it, or the log of the app grew too fast. NULL for most.
ALTER TABLE execution_logs
    ADD COLUMN size    integer NOT NULL DEFAULT 512 CHECK (size >= 0),
    ADD COLUMN omitted text CHECK (omitted IN ('private', 'rate'));

-- Existing records, by the bytes that they have on disk.
UPDATE execution_logs SET size = 512 + coalesce(pg_column_size(request), 0) + coalesce(pg_column_size(response), 0)
    + coalesce(pg_column_size(error), 0) + pg_column_size(logs) + pg_column_size(host_calls)
    + pg_column_size(outbound) + coalesce(pg_column_size(event), 0);

ALTER TABLE app_usage DROP CONSTRAINT app_usage_store_check,
    ADD CONSTRAINT app_usage_store_check CHECK (store IN ('kv', 'docs', 'files', 'executions'));
INSERT INTO app_usage (app_id, store, rows, bytes)
SELECT app_id, 'executions', count(*), sum(size) FROM execution_logs
WHERE EXISTS (SELECT FROM apps WHERE id = app_id) GROUP BY app_id;

-- Insertions are counted by the statement that makes them, in batches (execution_logs_insert).
CREATE FUNCTION execution_usage_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, 'executions', -count(*), -sum(size) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER execution_usage_delete AFTER DELETE ON execution_logs REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION execution_usage_removed();

-- A flood of executions is deleted as fast as it is recorded: its space is to be used again soon.
ALTER TABLE execution_logs SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 5000
);
