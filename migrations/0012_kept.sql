-- What is kept is as the documents promise: JSON no deeper and no larger than scripts read it, metadata counted.

-- Bytes of JSON without the spaces that PostgreSQL writes; those inside of strings are kept.
CREATE FUNCTION docs_json_size(data jsonb) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT octet_length(written.data) - octet_length(bare.data) + octet_length(replace(bare.data, ' ', ''))
    FROM (SELECT data::text) AS written (data),
        LATERAL (SELECT regexp_replace(written.data, '"(?:[^"\\]|\\.)*"', '', 'g')) AS bare (data)
$$;

-- Of what is there already some may be larger or deeper: it stays until it is changed.
ALTER TABLE docs
    ADD CONSTRAINT docs_json_check CHECK (size <= 1048576 OR docs_json_size(data) <= 1048576) NOT VALID,
    -- Scripts read 128 levels, and a document comes inside of one. Its own map is level 0.
    ADD CONSTRAINT docs_depth_check CHECK (
        NOT jsonb_path_exists(data, 'strict $.**{127} ? (@.type() == "object" || @.type() == "array")')
    ) NOT VALID;

-- A file keeps its bytes and its metadata.
CREATE FUNCTION files_kept(file files) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT file.size + octet_length(file.metadata::text)
$$;
CREATE FUNCTION files_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO usage_deltas (app_id, store, rows, bytes) VALUES (NEW.app_id, 'files', 1, files_kept(NEW));
    ELSE
        INSERT INTO usage_deltas (app_id, store, rows, bytes)
        VALUES (NEW.app_id, 'files', 0, files_kept(NEW) - files_kept(OLD));
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION files_usage_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (app_id, store, rows, bytes)
    SELECT app_id, 'files', -count(*), -sum(size + octet_length(metadata::text)) FROM gone GROUP BY app_id;
    RETURN NULL;
END
$$;
DROP TRIGGER files_usage_insert ON files;
DROP TRIGGER files_usage_update ON files;
DROP TRIGGER files_usage_delete ON files;
CREATE TRIGGER files_usage_insert AFTER INSERT ON files FOR EACH ROW EXECUTE FUNCTION files_usage();
CREATE TRIGGER files_usage_update AFTER UPDATE ON files FOR EACH ROW
    WHEN (files_kept(NEW) <> files_kept(OLD)) EXECUTE FUNCTION files_usage();
CREATE TRIGGER files_usage_delete AFTER DELETE ON files REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION files_usage_removed();

-- What is there already; dropping the triggers keeps writers away until this is done.
INSERT INTO usage_deltas (app_id, store, rows, bytes)
SELECT app_id, 'files', 0, sum(octet_length(metadata::text)) FROM files GROUP BY app_id;
