-- What was decided about an execution's requests to the outside, and what came of them.

ALTER TABLE execution_logs
    ADD COLUMN outbound jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN outbound_dropped integer NOT NULL DEFAULT 0;
