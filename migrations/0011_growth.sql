-- What grows has an end: versions of scripts are counted, and a refusal that repeats is one entry of the audit log.

-- Of all versions of the script that are kept, so that an app's sum is one of its scripts.
ALTER TABLE scripts ADD COLUMN kept_bytes bigint NOT NULL DEFAULT 0 CHECK (kept_bytes >= 0);
UPDATE scripts SET kept_bytes = (
    SELECT coalesce(sum(size), 0) FROM script_versions AS v WHERE v.app_id = scripts.app_id AND v.script_id = scripts.id
);

ALTER TABLE audit_log
    ADD COLUMN times   bigint NOT NULL DEFAULT 1 CHECK (times >= 1),
    ADD COLUMN last_at timestamptz,
    -- Names what is told apart within an hour; the next of the same name is counted.
    ADD COLUMN fold    bytea UNIQUE CHECK (length(fold) = 32);
CREATE INDEX audit_log_refused ON audit_log (user_id, id DESC) WHERE outcome = 'refused';
