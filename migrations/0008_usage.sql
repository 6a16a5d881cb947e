-- How much each app keeps, counted exactly by the rows themselves, and what expires.

-- What changed and is not yet in app_usage. Writers only ever add to it, so that none waits for another.
CREATE TABLE usage_deltas (
    app_id uuid NOT NULL,
    id     bigint GENERATED ALWAYS AS IDENTITY,
    store  text NOT NULL,
    rows   bigint NOT NULL,
    bytes  bigint NOT NULL,
    -- The transaction: one that goes by what it changed itself finds that by this.
    writer xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (app_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

CREATE TABLE app_usage (
    app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    store  text NOT NULL CHECK (store IN ('kv', 'docs', 'files')),
    rows   bigint NOT NULL,
    bytes  bigint NOT NULL,
    PRIMARY KEY (app_id, store)
);

-- Added and changed rows come one by one; what keeps its size is not counted anew.
CREATE FUNCTION kv_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, 'kv', 1, octet_length(NEW.key) + octet_length(NEW.value));
    ELSE
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, 'kv', 0, octet_length(NEW.value) - octet_length(OLD.value));
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER kv_usage_insert AFTER INSERT ON kv_entries FOR EACH ROW EXECUTE FUNCTION kv_usage();
CREATE TRIGGER kv_usage_update AFTER UPDATE ON kv_entries FOR EACH ROW
    WHEN (octet_length(NEW.value) <> octet_length(OLD.value)) EXECUTE FUNCTION kv_usage();

CREATE FUNCTION size_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_deltas (app_id, store, rows, bytes) VALUES (NEW.app_id, TG_TABLE_NAME, 1, NEW.size);
    ELSE
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, TG_TABLE_NAME, 0, NEW.size - OLD.size);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER docs_usage_insert AFTER INSERT ON docs FOR EACH ROW EXECUTE FUNCTION size_usage();
CREATE TRIGGER docs_usage_update AFTER UPDATE ON docs FOR EACH ROW
    WHEN (NEW.size <> OLD.size) EXECUTE FUNCTION size_usage();
CREATE TRIGGER files_usage_insert AFTER INSERT ON files FOR EACH ROW EXECUTE FUNCTION size_usage();
CREATE TRIGGER files_usage_update AFTER UPDATE ON files FOR EACH ROW
    WHEN (NEW.size <> OLD.size) EXECUTE FUNCTION size_usage();

-- Removed ones come in masses, too: one delta per app and statement.
CREATE FUNCTION kv_usage_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, 'kv', -count(*), -sum(octet_length(key) + octet_length(value)) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER kv_usage_delete AFTER DELETE ON kv_entries REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION kv_usage_removed();

CREATE FUNCTION size_usage_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, TG_TABLE_NAME, -count(*), -sum(size) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER docs_usage_delete AFTER DELETE ON docs REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION size_usage_removed();
CREATE TRIGGER files_usage_delete AFTER DELETE ON files REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION size_usage_removed();

-- What is there already.
INSERT INTO app_usage (app_id, store, rows, bytes)
SELECT app_id, 'kv', count(*), sum(octet_length(key) + octet_length(value)) FROM kv_entries GROUP BY app_id
UNION ALL SELECT app_id, 'docs', count(*), sum(size) FROM docs GROUP BY app_id
UNION ALL SELECT app_id, 'files', count(*), sum(size) FROM files GROUP BY app_id;

CREATE INDEX kv_entries_expiry ON kv_entries (expires_at) WHERE expires_at IS NOT NULL;
