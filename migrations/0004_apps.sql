-- Apps: former slugs. Versions: what a script was, with the hash and size of its source. Executions that failed.

-- A slug is here or in apps, never in both: who changes slugs holds the lock `slugs_lock` takes.
CREATE TABLE app_slug_history (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    slug       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, slug)
);

ALTER TABLE script_versions
    ADD COLUMN kind   text CHECK (kind IN ('endpoint', 'module')),
    ADD COLUMN sha256 bytea CHECK (length(sha256) = 32),
    ADD COLUMN size   integer;
UPDATE script_versions v
SET kind = s.kind, sha256 = sha256(convert_to(v.source, 'UTF8')), size = octet_length(v.source)
FROM scripts s WHERE s.app_id = v.app_id AND s.id = v.script_id;
ALTER TABLE script_versions
    ALTER COLUMN kind SET NOT NULL,
    ALTER COLUMN sha256 SET NOT NULL,
    ALTER COLUMN size SET NOT NULL;

-- Failures are few and what people look for. Whoever reads them must not walk past all that went well.
CREATE INDEX execution_logs_failed ON execution_logs (app_id, outcome, id DESC) WHERE outcome <> 'ok';
