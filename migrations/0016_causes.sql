-- Executions that no HTTP request started: events and calls. The request is then absent; an event has its own facts.
ALTER TABLE execution_logs
    ALTER COLUMN request_id DROP NOT NULL,
    ALTER COLUMN request DROP NOT NULL,
    ADD COLUMN depth integer NOT NULL DEFAULT 0 CHECK (depth >= 0),
    ADD COLUMN event jsonb;
