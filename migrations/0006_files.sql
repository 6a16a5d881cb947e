-- Files: what is known of them. Their bytes are in the store, each under the name `blob`.

CREATE TABLE files (
    app_id       uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    collection   text COLLATE "C" NOT NULL CHECK (octet_length(collection) BETWEEN 1 AND 128),
    id           uuid NOT NULL,
    blob         uuid NOT NULL,
    name         text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
    content_type text NOT NULL CHECK (octet_length(content_type) BETWEEN 1 AND 255),
    size         bigint NOT NULL CHECK (size >= 0),
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    -- As it was written: it is given back, and never looked into.
    metadata     json NOT NULL CHECK (json_typeof(metadata) = 'object' AND octet_length(metadata::text) <= 16384),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, collection, id),
    UNIQUE (app_id, blob)
);

-- What scripts are told of a file.
CREATE FUNCTION files_entry(file files) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '{"id":"' || file.id || '","name":' || to_json(file.name)
        || ',"content_type":' || to_json(file.content_type) || ',"size":' || file.size
        || ',"sha256":"' || encode(file.sha256, 'hex') || '","metadata":' || file.metadata::text
        || ',"created_at":"' || to_char(file.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        || '","updated_at":"' || to_char(file.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"}'
$$;
