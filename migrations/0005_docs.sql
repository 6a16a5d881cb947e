-- Documents: JSON objects of an app, in collections.

CREATE TABLE docs (
    app_id     uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    collection text NOT NULL CHECK (octet_length(collection) BETWEEN 1 AND 128),
    id         uuid NOT NULL,
    data       jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object'),
    -- As PostgreSQL writes it, which has more spaces than what was sent: hence twice the limit of a write.
    size       integer NOT NULL GENERATED ALWAYS AS (octet_length(data::text)) STORED CHECK (size <= 2 * 1024 * 1024),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, collection, id)
);
-- What a field equals, whichever field it is: answers `docs_scoped(...) @> '{"<app><collection>": {"field": value}}'`.
-- The index is one for all apps, but each app finds its own entries in it, and the planner's statistics are of
-- an app's conditions: many documents of one app that have a value in common would otherwise slow every other
-- app's search for that value.
CREATE FUNCTION docs_scoped(app_id uuid, collection text, data jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(app_id::text || collection, data)
$$;
CREATE INDEX docs_scope ON docs USING gin (docs_scoped(app_id, collection, data) jsonb_path_ops);

-- A document as scripts get it. It is put together as text because jsonb would be copied once more.
CREATE FUNCTION docs_envelope(doc docs) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT '{"id":"' || doc.id || '","data":' || doc.data::text
        || ',"created_at":"' || to_char(doc.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        || '","updated_at":"' || to_char(doc.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"}'
$$;

-- JSON merge patch (RFC 7396, section 2).
CREATE FUNCTION docs_merge_patch(target jsonb, patch jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF jsonb_typeof(patch) <> 'object' THEN
        RETURN patch;
    END IF;
    IF target IS NULL OR jsonb_typeof(target) <> 'object' THEN
        target := '{}';
    END IF;
    RETURN (
        SELECT coalesce(jsonb_object_agg(field.key, field.value), '{}')
        FROM (
            SELECT kept.key, kept.value FROM jsonb_each(target) kept WHERE NOT patch ? kept.key
            UNION ALL
            SELECT changed.key, docs_merge_patch(target -> changed.key, changed.value)
            FROM jsonb_each(patch) changed WHERE changed.value <> 'null'
        ) field
    );
END
$$;

-- The order of `$sort`: nothing and null, then numbers, strings in code point order, booleans, the rest.
CREATE FUNCTION docs_type_rank(value jsonb) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE jsonb_typeof(value)
        WHEN 'number' THEN 1 WHEN 'string' THEN 2 WHEN 'boolean' THEN 3 WHEN 'array' THEN 4 WHEN 'object' THEN 4 ELSE 0
    END
$$;
CREATE FUNCTION docs_number(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric END
$$;
CREATE FUNCTION docs_text(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(value) IN ('string', 'boolean') THEN value #>> '{}' END
$$;
