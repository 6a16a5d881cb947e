-- Variables: the plain configuration of an app, read by its scripts.

CREATE TABLE vars (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    name       text COLLATE "C" NOT NULL CHECK (name ~ '^[A-Z][A-Z0-9_]{0,63}$'),
    value      text NOT NULL CHECK (octet_length(value) <= 8192),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, name)
);

-- Grows with every write of the app's variables, so that a worker reads only those that changed.
ALTER TABLE apps ADD COLUMN vars_revision bigint NOT NULL DEFAULT 0;
