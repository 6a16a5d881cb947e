-- Executions can be followed: each has a position in the log of its app, in the order of their commits.

-- The last position given out. A writer holds the row until its commit, so a reader never sees a position
-- before all that are smaller.
CREATE TABLE execution_positions (
    app_id uuid PRIMARY KEY REFERENCES apps ON DELETE CASCADE,
    last   bigint NOT NULL CHECK (last >= 0)
) WITH (fillfactor = 50);

-- NULL for what was recorded before this migration.
ALTER TABLE execution_logs ADD COLUMN position bigint CHECK (position >= 1);
CREATE INDEX execution_logs_position ON execution_logs (app_id, position) WHERE position IS NOT NULL;
